"""Follow a stack operation: one line for each resource it changed, until it ends.

In a terminal, what is in progress stands below those lines and gives way to them.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Protocol

import click

from lambent.core.clock import SystemClock

_POLL_SECONDS = 0.1
_COLOURS = {"COMPLETE": "green", "FAILED": "red", "PROGRESS": "cyan"}
_CANCELLED = ("Resource creation cancelled", "Resource update cancelled")


class _Display(Protocol):
    def show(self, event: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


def follow(
    cloudformation: Any, stack_id: str, seen: set[str], quiet: bool = False
) -> tuple[str, str]:
    """Show the stack's changes until the operation is over: (status, why it failed).

    `seen` holds the ids of events from before.
    """
    display: _Display = _Silence()
    if not quiet:
        display = _Terminal() if sys.stdout.isatty() else _Lines()
    try:
        return asyncio.run(_follow(cloudformation, stack_id, seen, display))
    finally:
        display.close()


async def _follow(
    cloudformation: Any, stack_id: str, seen: set[str], display: _Display
) -> tuple[str, str]:
    clock, reasons = SystemClock(), list[str]()
    while True:
        # The stack before its events: what ended the operation is among them then.
        stack = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
        for event in reversed(new_events(cloudformation, stack_id, seen)):
            seen.add(event["EventId"])
            reason = event.get("ResourceStatusReason", "")
            failed = event["ResourceStatus"].endswith("FAILED")
            if failed and not _is_stack(event) and reason not in _CANCELLED:
                reasons.append(f"{event['LogicalResourceId']}: {reason}")
            display.show(event)
        status: str = stack["StackStatus"]
        if not status.endswith("IN_PROGRESS"):
            return status, "\n".join(reasons) or stack.get("StackStatusReason", "")
        await clock.sleep(_POLL_SECONDS)


def new_events(cloudformation: Any, stack_id: str, seen: set[str]) -> list[dict[str, Any]]:
    """The stack's events that are not in `seen`, newest first."""
    found: list[dict[str, Any]] = []
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
        for event in page["StackEvents"]:
            if event["EventId"] in seen:
                return found
            found.append(event)
    return found


def _is_stack(event: dict[str, Any]) -> bool:
    return bool(event["StackId"] == event.get("PhysicalResourceId"))


def _line(event: dict[str, Any]) -> str:
    status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
    kind = event["ResourceType"].removeprefix("AWS::")
    line = f"{kind:<28} {event['LogicalResourceId']}"
    return line + (f"  {reason}" if status.endswith("FAILED") and reason else "")


class _Silence:
    """Shows nothing."""

    def show(self, event: dict[str, Any]) -> None:
        pass

    def close(self) -> None:
        pass


class _Lines:
    """A line for each change that ended."""

    def show(self, event: dict[str, Any]) -> None:
        if not event["ResourceStatus"].endswith("IN_PROGRESS"):
            click.echo(f"  {event['ResourceStatus']:<20} {_line(event)}")

    def close(self) -> None:
        pass


class _Terminal:
    """A line for each change that ended; below them, what is in progress."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(highlight=False, soft_wrap=True)
        self._under_way: dict[str, Any] = {}
        self._live = Live(
            console=self._console,
            get_renderable=self._render,
            transient=True,
            refresh_per_second=10,
        )
        self._live.start()

    def _render(self) -> Any:
        from rich.console import Group

        return Group(*list(self._under_way.values())[: max(1, self._console.height - 2)])

    def _styled(self, event: dict[str, Any]) -> Any:
        from rich.text import Text

        status: str = event["ResourceStatus"]
        colour = next((c for word, c in _COLOURS.items() if status.endswith(word)), "")
        return Text.assemble((f"{status:<20}", colour), " ", _line(event))

    def show(self, event: dict[str, Any]) -> None:
        from rich.spinner import Spinner
        from rich.text import Text

        name, line = event["LogicalResourceId"], self._styled(event)
        if event["ResourceStatus"].endswith("IN_PROGRESS"):
            self._under_way[name] = Spinner("dots", line)
            return
        self._under_way.pop(name, None)
        self._console.print(Text("  ").append_text(line))

    def close(self) -> None:
        self._live.stop()
