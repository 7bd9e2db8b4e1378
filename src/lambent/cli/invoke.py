"""`lambent invoke`: invoke a function and show what it returns."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import click

from lambent.cli import debug
from lambent.cli.client import (
    CommandError,
    NodeClient,
    calls_node,
    endpoint_option,
    json_option,
    print_json,
)
from lambent.cli.naming import function_name

_ATTACH_SECONDS = 600.0
_DEBUG_SECONDS = 86_400.0


@click.command()
@click.argument("function")
@click.option(
    "--payload", default="{}", show_default=True, metavar="JSON|@FILE", help="@- reads stdin."
)
@click.option("--async", "asynchronous", is_flag=True, help="Queue it and return at once.")
@click.option("--tail", is_flag=True, help="Show the end of the log too.")
@click.option("--debug", "debugged", is_flag=True, help="Wait for a debugger; see lambent debug.")
@click.option("--debug-port", default=debug.PORT, show_default=True, help="0 takes a free one.")
@click.option("--source", metavar="DIR", help="With --debug: where the function's code lies.")
@endpoint_option
@json_option
@calls_node
def command(
    function: str,
    payload: str,
    asynchronous: bool,
    tail: bool,
    debugged: bool,
    debug_port: int,
    source: str | None,
    endpoint: str,
    as_json: bool,
) -> None:
    """Invoke FUNCTION and show what it returns.

    FUNCTION is a name, an ARN, or a name in a deployed template.

    The exit status is 1 when the function failed.

    \b
    Examples:
      lambent invoke hello --payload '{"name": "Ada"}'
      lambent invoke hello --payload @event.json --tail
      lambent invoke hello --debug
    """
    if debugged and asynchronous:
        raise click.UsageError("--debug waits for the result, which --async does not.")
    event = _read(payload)
    client = NodeClient(endpoint)
    name = function_name(client, function)
    asked: dict[str, Any] = {
        "FunctionName": name,
        "InvocationType": "Event" if asynchronous else "RequestResponse",
        "LogType": "Tail" if tail and not asynchronous else "None",
        "Payload": event,
    }
    if debugged:
        answer = _invoke_debugged(client, name, debug_port, source, asked)
    else:
        answer = client.service("lambda").invoke(**asked)
    text = answer["Payload"].read().decode()
    log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
    error = answer.get("FunctionError")
    if as_json:
        shown = {"status": answer["StatusCode"], "error": error, "log": log or None}
        print_json({**shown, "payload": json.loads(text) if text else None})
    else:
        if log:
            click.secho(log.rstrip("\n"), err=True, dim=True)
        click.echo(text if text else "queued")
    if error:
        sys.exit(1)


def _invoke_debugged(
    client: NodeClient, name: str, port: int, source: str | None, asked: dict[str, Any]
) -> dict[str, Any]:
    """Invoke in a session of its own, which ends with the invocation or with Ctrl-C."""
    session = debug.begin(client, name, port, _ATTACH_SECONDS)
    try:
        debug.explain(session, source)
        answer: dict[str, Any] = client.service("lambda", _DEBUG_SECONDS).invoke(**asked)
    finally:
        debug.end(client, name)
    return answer


def _read(payload: str) -> bytes:
    if not payload.startswith("@"):
        text = payload.encode()
    elif payload == "@-":
        text = sys.stdin.buffer.read()
    else:
        try:
            text = Path(payload[1:]).read_bytes()
        except OSError as error:
            raise CommandError(f"{payload[1:]} cannot be read: {error.strerror}.") from error
    try:
        json.loads(text)
    except ValueError as error:
        raise CommandError(f"The payload is not JSON: {error}.") from error
    return text
