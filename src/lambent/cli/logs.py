"""`lambent logs`: show a function's log, and follow it."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import click

from lambent.cli.client import (
    CommandError,
    NodeClient,
    calls_node,
    endpoint_option,
    json_option,
    print_json,
)
from lambent.cli.naming import function_name
from lambent.core.clock import SystemClock

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_POLL_SECONDS = 0.25


@click.command()
@click.argument("function")
@click.option("--follow", "-f", is_flag=True, help="Go on as new lines come; Ctrl-C ends.")
@click.option("--since", default="1h", show_default=True, help="30s, 10m, 2h, 7d.")
@click.option("--filter", "pattern", default="", help="A CloudWatch Logs filter pattern.")
@endpoint_option
@json_option
@calls_node
def command(
    function: str, follow: bool, since: str, pattern: str, endpoint: str, as_json: bool
) -> None:
    """Show the log of FUNCTION, or of a log group that starts with a slash.

    FUNCTION is a name, an ARN, or a name in a deployed template.

    \b
    Examples:
      lambent logs hello -f
      lambent logs hello --since 10m --filter '?ERROR ?"Task timed out"'
    """
    match = re.fullmatch(r"(\d+)([smhd])", since)
    if match is None:
        raise CommandError(f"--since takes a number and one of s, m, h, d; not {since!r}.")
    seconds = int(match[1]) * _UNITS[match[2]]
    client = NodeClient(endpoint)
    group = function
    if not function.startswith("/"):
        # A function that was never run has no log yet, and one that is not there is an error.
        name = function_name(client, function)
        configuration = client.service("lambda").get_function_configuration(FunctionName=name)
        logging = configuration.get("LoggingConfig", {})
        group = logging.get("LogGroup", f"/aws/lambda/{configuration['FunctionName']}")
    asyncio.run(_show(client.service("logs"), group, seconds, pattern, follow, as_json))


async def _show(
    logs: Any, group: str, seconds: int, pattern: str, follow: bool, as_json: bool
) -> None:
    clock = SystemClock()
    start = int((clock.now() - seconds) * 1000)
    seen: set[str] = set()
    while True:
        for event in _events(logs, group, start, pattern):
            if event["eventId"] in seen:
                continue
            seen.add(event["eventId"])
            if as_json:
                print_json(event)
                continue
            time = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
            stamp = click.style(time.strftime("%H:%M:%S.%f")[:-3], dim=True)
            click.echo(f"{stamp} {event['message'].rstrip()}")
            # Lines may still come in with the time of those already shown.
            start = max(start, event["timestamp"] - 10_000)
        if not follow:
            return
        await clock.sleep(_POLL_SECONDS)


def _events(logs: Any, group: str, start: int, pattern: str) -> list[dict[str, Any]]:
    request: dict[str, Any] = {"logGroupName": group, "startTime": start}
    if pattern:
        request["filterPattern"] = pattern
    try:
        pages = logs.get_paginator("filter_log_events").paginate(**request)
        return [event for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []
