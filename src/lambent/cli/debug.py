"""`lambent debug`: let a debugger into a function, and say how it attaches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

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

PORT = 5678
"""What debuggers of Python try first."""
_TYPES = {"debugpy": "debugpy", "inspector": "node"}


@click.command()
@click.argument("function")
@click.option("--port", default=PORT, show_default=True, help="0 takes a free one.")
@click.option(
    "--wait", default=600.0, show_default=True, metavar="SECONDS", help="For a debugger to attach."
)
@click.option(
    "--source",
    metavar="DIR",
    help="Where the function's code lies.  [default: the workspace's folder]",
)
@click.option("--stop", is_flag=True, help="End the session.")
@endpoint_option
@json_option
@calls_node
def command(
    function: str,
    port: int,
    wait: float,
    source: str | None,
    stop: bool,
    endpoint: str,
    as_json: bool,
) -> None:
    """Let a debugger into FUNCTION, whoever invokes it.

    Until --stop, its invocations run one at a time in an environment that waits for the
    debugger before it loads the function's code. No timeout counts while one is attached.

    \b
    Examples:
      lambent debug resize
      lambent debug resize --stop
    """
    client = NodeClient(endpoint)
    name = function_name(client, function)
    if stop:
        if not end(client, name):
            raise CommandError(f"{function} is not being debugged.")
        return
    session = begin(client, name, port, wait)
    if as_json:
        print_json({**session, "configuration": configuration(session, source)})
    else:
        explain(session, source)
        click.echo(f"Invoke it, or let events come; end with `lambent debug {function} --stop`.")


def begin(client: NodeClient, name: str, port: int, wait: float) -> dict[str, Any]:
    """Begin a session; what the node says of it."""
    wanted = {"port": port, "wait": wait}
    session: dict[str, Any] = client.ask(f"debug/{quote(name, safe='')}", "PUT", wanted)
    return session


def end(client: NodeClient, name: str) -> bool:
    """End the session; False when there is none."""
    return bool(client.ask(f"debug/{quote(name, safe='')}", "DELETE")["ended"])


def configuration(session: dict[str, Any], source: str | None) -> dict[str, Any]:
    """The entry of VS Code's launch.json that attaches to a session."""
    local = str(Path(source).absolute()) if source else "${workspaceFolder}"
    common = {
        "name": f"Lambent: {session['function'].rpartition(':function:')[2]}",
        "type": _TYPES[session["debugger"]],
        "request": "attach",
    }
    if session["debugger"] == "inspector":
        place = {"address": "127.0.0.1", "port": session["port"]}
        return {**common, **place, "localRoot": local, "remoteRoot": session["folder"]}
    return {
        **common,
        "connect": {"host": "127.0.0.1", "port": session["port"]},
        "pathMappings": [{"localRoot": local, "remoteRoot": session["folder"]}],
    }


def explain(session: dict[str, Any], source: str | None) -> None:
    """Say on standard error how to attach."""
    port, kind = session["port"], session["debugger"]
    click.echo(f"Waiting for a debugger ({kind}) at 127.0.0.1:{port}. ", err=True, nl=False)
    click.echo("In VS Code's .vscode/launch.json, under configurations:\n", err=True)
    click.echo(json.dumps(configuration(session, source), indent=2) + "\n", err=True)
