"""`lambent flow`: what flow control does to each event source mapping, and to the asynchronous
invocations of functions that have settings for them, and why."""

from __future__ import annotations

import asyncio
import json
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
from lambent.cli.table import print_table
from lambent.core.clock import SystemClock

_COLUMNS = ("mapping", "function", "source", "state", "limit", "running", "parked", "last change")
_POLL_SECONDS = 1.0
_PARKED_SHOWN = 20
_PREVIEW = 60
_PARKED = ("parked since", "message", "rule", "why", "body")
_DECISIONS = ("time", "rule", "what", "why", "from", "times")


@click.command()
@click.argument("mapping", required=False)
@click.option("--set", "document", metavar="JSON", help="Replace the settings; '{}' is off.")
@click.option("--park", metavar="REASON", help="Claim no more until it is resumed.")
@click.option("--resume", is_flag=True, help="Claim again, and put back what is parked.")
@click.option("--follow", is_flag=True, help="Go on with the decisions that are made.")
@endpoint_option
@json_option
@calls_node
def command(
    mapping: str | None,
    document: str | None,
    park: str | None,
    resume: bool,
    follow: bool,
    endpoint: str,
    as_json: bool,
) -> None:
    """Show how many calls each mapping may make, its state, and why.

    MAPPING is a mapping's UUID or how it begins, or the name of its function or queue; for
    the asynchronous invocations of a function, the function's ARN.

    \b
    Examples:
      lambent flow
      lambent flow orders
      lambent flow orders --set '{"Circuit": {}, "Rate": {"PerSecond": 50}}'
      lambent flow orders --follow
    """
    client = NodeClient(endpoint)
    found = client.ask("flow")["mappings"]
    if mapping is None:
        if document is not None or park is not None or resume or follow:
            raise CommandError("Say which mapping.")
        _show_all(found, as_json)
        return
    path = f"flow/{_chosen(found, mapping)['uuid']}"
    if document is not None:
        client.ask(path, "PUT", _parsed(document))
    if park is not None:
        client.ask(f"{path}/park", "POST", {"reason": park})
    if resume:
        client.ask(f"{path}/resume", "POST", {})
    shown = client.ask(path)
    if as_json:
        print_json(shown)
    else:
        _show(shown)
        if shown["parked_items"]:
            _show_parked(client.ask(f"{path}/parked?limit={_PARKED_SHOWN}"))
    while follow:
        last = max((one["number"] for one in shown["decisions"]), default=0)
        asyncio.run(SystemClock().sleep(_POLL_SECONDS))
        shown = client.ask(f"{path}?after={last}")
        for one in shown["decisions"]:
            print_json(one) if as_json else click.echo("  ".join(_row(one)))


def _parsed(document: str) -> Any:
    try:
        return json.loads(document)
    except ValueError as error:
        raise CommandError(f"The settings are not JSON: {error}.") from None


def _chosen(found: list[dict[str, Any]], given: str) -> dict[str, Any]:
    if given.startswith("arn:") and ":function:" in given:
        # Listed only once it has settings, which may be what is to be set.
        return {"uuid": given}
    named = [
        one
        for one in found
        if one["uuid"].startswith(given)
        or given in (_function(one), _source(one), one["function"], one["source"])
    ]
    if len(named) == 1:
        return named[0]
    if not named:
        raise CommandError(f"No mapping is called {given}: `lambent flow` lists them.")
    raise CommandError(
        f"Several mappings are called {given}: say which of "
        f"{', '.join(sorted(one['uuid'] for one in named))}."
    )


def _function(one: dict[str, Any]) -> str:
    return str(one["function"].split(":function:")[-1])


def _source(one: dict[str, Any]) -> str:
    return str(one["source"].rpartition(":")[2])


def _show_all(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    rows = [
        [
            "async" if one["uuid"] == one["function"] else one["uuid"][:8],
            _function(one),
            _source(one),
            one["state"],
            one["limit"],
            one["running"],
            one["parked_items"],
            _sentence(one["last"]),
        ]
        for one in found
    ]
    print_table(
        "flow", _COLUMNS, rows, ("limit", "running", "parked"), "No function reads a queue here."
    )


def _sentence(decision: dict[str, Any] | None) -> str:
    if decision is None:
        return ""
    return f"{decision['rule']}: {decision['what']}, {decision['why']}"


def _show(shown: dict[str, Any]) -> None:
    if shown["uuid"] == shown["function"]:
        click.echo(f"{shown['uuid']}: asynchronous invocations")
    else:
        click.echo(f"{shown['uuid']}: {_source(shown)} to {_function(shown)}")
    by = shown["held_by"]
    held = f", held by {by}" if by and by not in shown["state"] else ""
    click.echo(
        f"{shown['state']}{held}; {shown['running']} of {shown['limit']} calls run; "
        f"{shown['parked_items']} parked"
    )
    if shown["parked"] is not None:
        click.echo(f"parked: {shown['parked']}")
    click.echo(f"settings: {json.dumps(shown['settings'])}")
    print_table("decisions", _DECISIONS, [_row(one) for one in shown["decisions"]], ("times",))


def _show_parked(found: dict[str, Any]) -> None:
    rows = [
        [
            _time(one["at"], "%Y-%m-%d %H:%M:%S"),
            one["id"],
            one["rule"],
            one["reason"],
            " ".join(one["preview"].split())[:_PREVIEW],
        ]
        for one in found["parked"]
    ]
    print_table("parked", _PARKED, rows)
    if found["count"] > len(rows):
        click.echo(f"… and {found['count'] - len(rows)} more")


def _row(one: dict[str, Any]) -> list[str]:
    known = {name: value for name, value in one["inputs"].items() if value is not None}
    inputs = " ".join(f"{name}={_number(value)}" for name, value in known.items())
    at = _time(one["last"], "%H:%M:%S.%f")[:-3]
    return [at, one["rule"], one["what"], one["why"], inputs, str(one["times"])]


def _time(at: float, form: str) -> str:
    return datetime.fromtimestamp(at, UTC).strftime(form)


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
