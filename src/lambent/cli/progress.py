"""Follow a stack operation: its events as they come, until it ends."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from lambent.core.clock import SystemClock

_POLL_SECONDS = 0.1
_COLOURS = {"COMPLETE": "green", "FAILED": "red", "PROGRESS": "cyan"}


def follow(
    cloudformation: Any, stack_id: str, seen: set[str], quiet: bool = False
) -> tuple[str, str]:
    """Print the stack's new events until the operation is over: (status, first reason of a
    failure). `seen` holds the ids of events from before."""
    return asyncio.run(_follow(cloudformation, stack_id, seen, quiet))


async def _follow(
    cloudformation: Any, stack_id: str, seen: set[str], quiet: bool
) -> tuple[str, str]:
    clock, reason = SystemClock(), ""
    while True:
        stack = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
        for event in reversed(events(cloudformation, stack_id)):
            if event["EventId"] in seen:
                continue
            seen.add(event["EventId"])
            if event["ResourceStatus"].endswith("FAILED") and not reason:
                reason = f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
            if not quiet:
                _show(event)
        status: str = stack["StackStatus"]
        if not status.endswith("IN_PROGRESS"):
            return status, reason or stack.get("StackStatusReason", "")
        await clock.sleep(_POLL_SECONDS)


def events(cloudformation: Any, stack_id: str) -> list[dict[str, Any]]:
    """The stack's events, newest first."""
    found: list[dict[str, Any]] = cloudformation.describe_stack_events(StackName=stack_id)[
        "StackEvents"
    ]
    return found


def _show(event: dict[str, Any]) -> None:
    status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
    kind = event["ResourceType"].removeprefix("AWS::")
    line = f"  {status:<20} {kind:<28} {event['LogicalResourceId']}"
    if sys.stdout.isatty():
        colour = next((c for word, c in _COLOURS.items() if status.endswith(word)), None)
        line = click.style(f"  {status:<20}", fg=colour) + line[22:]
    click.echo(line + (f"  {reason}" if status.endswith("FAILED") and reason else ""))
