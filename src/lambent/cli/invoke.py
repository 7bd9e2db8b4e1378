"""`lambent invoke`: invoke a function and show what it returns."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

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


@click.command()
@click.argument("function")
@click.option(
    "--payload", default="{}", show_default=True, metavar="JSON|@FILE", help="@- reads stdin."
)
@click.option("--async", "asynchronous", is_flag=True, help="Queue it and return at once.")
@click.option("--tail", is_flag=True, help="Show the end of the log too.")
@endpoint_option
@json_option
@calls_node
def command(
    function: str, payload: str, asynchronous: bool, tail: bool, endpoint: str, as_json: bool
) -> None:
    """Invoke FUNCTION and show what it returns.

    FUNCTION is a name, an ARN, or a name in a deployed template.

    The exit status is 1 when the function failed.

    \b
    Examples:
      lambent invoke hello --payload '{"name": "Ada"}'
      lambent invoke hello --payload @event.json --tail
    """
    event = _read(payload)
    client = NodeClient(endpoint)
    answer = client.service("lambda").invoke(
        FunctionName=function_name(client, function),
        InvocationType="Event" if asynchronous else "RequestResponse",
        LogType="Tail" if tail and not asynchronous else "None",
        Payload=event,
    )
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
