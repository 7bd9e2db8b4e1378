"""`lambent dlq`: look at dead letters, mend them, bring them back, or throw them away."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
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
from lambent.cli.selecting import selects
from lambent.cli.table import print_table
from lambent.core.clock import SystemClock

_POLL_SECONDS = 0.2
_COUNTING_SECONDS = 600
"""How long it may take to count what is meant in a queue of millions."""
_PATIENCE_SECONDS = 60.0
"""How long a node that went away is waited for."""
_LIVE = ("RUNNING", "CANCELLING")
_ERROR_WIDTH = 80


@click.group()
def command() -> None:
    """Dead letters: why they died, and how they come back.

    QUEUE is a dead-letter queue's name. The filters (--fingerprint, --function, --error,
    --since, --attribute, --contains, --body, --id) are the same for every action, and
    --dry-run counts what an action would touch.

    \b
    Examples:
      lambent dlq list
      lambent dlq show rejected-orders --fingerprint 3fa0
      lambent dlq replay rejected-orders --error Timeout --rate 50
      lambent dlq discard rejected-orders --body '$.test=true' --yes
    """


@command.command("list")
@click.argument("queue", required=False)
@selects
@endpoint_option
@json_option
@calls_node
def list_(queue: str | None, selection: dict[str, Any], endpoint: str, as_json: bool) -> None:
    """Show dead letters by what went wrong, in all dead-letter queues or in QUEUE."""
    client = NodeClient(endpoint)
    if queue is None and selection:
        raise CommandError("To choose among dead letters, name a QUEUE.")
    found = (
        client.ask("dlq")["queues"]
        if queue is None
        else [client.ask(_path(queue), "POST", {"selection": selection}, _COUNTING_SECONDS)]
    )
    if as_json:
        print_json(found)
        return
    _groups(found)


@command.command()
@click.argument("queue")
@click.argument("ids", metavar="[MESSAGE]...", nargs=-1)
@click.option("--limit", default=10, show_default=True, help="The most messages shown.")
@selects
@endpoint_option
@json_option
@calls_node
def show(
    queue: str,
    ids: tuple[str, ...],
    limit: int,
    selection: dict[str, Any],
    endpoint: str,
    as_json: bool,
) -> None:
    """Show dead letters of QUEUE: the message, and each attempt's error."""
    if ids:
        selection["ids"] = [*selection.get("ids", ()), *ids]
    found, rest = _messages(NodeClient(endpoint), queue, selection, limit)
    if as_json:
        print_json(found)
        return
    for message in found:
        _letter(message)
    if not found:
        click.echo(f"Nothing of that kind in {queue}.")
    elif rest:
        click.echo(f"There may be more: --limit {limit * 10}")


def _messages(
    client: NodeClient, queue: str, selection: dict[str, Any], limit: int
) -> tuple[list[dict[str, Any]], bool]:
    """The first messages that are meant, and whether there may be more."""
    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None and len(found) < limit:
        asked = {"selection": selection, "limit": limit - len(found), "after": after}
        answer = client.ask(_path(queue, "messages"), "POST", asked)
        found += answer["messages"]
        after = answer["next"]
    return found, after is not None


def _acts(function: Any) -> Any:
    for option in (
        click.option("--note", default="", metavar="TEXT", help="Why, for the audit."),
        click.option("--dry-run", is_flag=True, help="Only count what would be touched."),
        click.option("--detach", is_flag=True, help="Do not wait for the end."),
    ):
        function = option(function)
    return function


@command.command()
@click.argument("queue")
@click.option("--to", metavar="QUEUE", help="Not to where they came from, but to this queue.")
@click.option("--rate", type=int, metavar="N", help="At most N messages a second.")
@click.option(
    "--max-replays",
    default=3,
    show_default=True,
    metavar="N",
    help="Leave messages that were replayed N times already.",
)
@_acts
@selects
@endpoint_option
@json_option
@calls_node
def replay(
    queue: str,
    to: str | None,
    rate: int | None,
    max_replays: int,
    note: str,
    dry_run: bool,
    detach: bool,
    selection: dict[str, Any],
    endpoint: str,
    as_json: bool,
) -> None:
    """Bring dead letters of QUEUE back to the queue or function that they came from.

    It runs in the node: Ctrl-C ends the waiting alone, and a node that is killed goes on
    with it when it starts again.
    """
    asked = {
        "selection": selection,
        "to": to,
        "rate": rate,
        "max_replays": max_replays,
        "dry_run": dry_run,
        "note": note,
    }
    client = NodeClient(endpoint)
    answer = client.ask(_path(queue, "replay"), "POST", asked, _COUNTING_SECONDS)
    _run(client, answer, detach, as_json)


@command.command()
@click.argument("queue")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_acts
@selects
@endpoint_option
@json_option
@calls_node
def discard(
    queue: str,
    yes: bool,
    note: str,
    dry_run: bool,
    detach: bool,
    selection: dict[str, Any],
    endpoint: str,
    as_json: bool,
) -> None:
    """Throw dead letters of QUEUE away, for good."""
    client = NodeClient(endpoint)
    asked = {"selection": selection, "note": note, "dry_run": True}
    if dry_run or not yes:
        preview = client.ask(_path(queue, "discard"), "POST", asked, _COUNTING_SECONDS)
        if dry_run:
            _run(client, preview, detach, as_json)
            return
        meant = _counted(preview["count"], "message")
        if not sys.stdin.isatty():
            raise CommandError(f"{meant} of {queue} would be gone for good: add --yes.")
        click.confirm(f"Discard {meant} of {queue}, for good?", abort=True)
    sure = {**asked, "dry_run": False, "confirm": True}
    started = client.ask(_path(queue, "discard"), "POST", sure, _COUNTING_SECONDS)
    _run(client, started, detach, as_json)


@command.command()
@click.argument("queue")
@click.argument("message")
@click.option("--body", "text", metavar="TEXT|@FILE", help="The new body.  [default: an editor]")
@click.option("--note", default="", metavar="TEXT", help="Why, for the audit.")
@endpoint_option
@json_option
@calls_node
def edit(
    queue: str, message: str, text: str | None, note: str, endpoint: str, as_json: bool
) -> None:
    """Change the body of a dead letter; the audit keeps the old one."""
    client = NodeClient(endpoint)
    if text is None:
        found = client.ask(
            _path(queue, "messages"), "POST", {"selection": {"ids": [message]}, "limit": 1}
        )["messages"]
        if not found:
            raise CommandError(f"There is no message {message} in {queue}.")
        text = click.edit(found[0]["body"])
        if text is None:
            raise CommandError("Nothing was changed.")
        text = text.removesuffix("\n")
    elif text.startswith("@"):
        try:
            text = Path(text[1:]).read_text("utf-8")
        except OSError as error:
            raise CommandError(f"{text[1:]} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise CommandError(f"{text[1:]} is not text in UTF-8.") from None
    answer = client.ask(_path(queue, "edit"), "POST", {"id": message, "body": text, "note": note})
    if as_json:
        print_json(answer)
        return
    click.echo(f"Edited {message}; the audit keeps its old body.")
    if _is_json(answer["before"]) and not _is_json(text):
        click.echo("The old body was JSON, and the new one is not.", err=True)


@command.command()
@click.argument("task", required=False)
@endpoint_option
@json_option
@calls_node
def tasks(task: str | None, endpoint: str, as_json: bool) -> None:
    """Show replays and discards and how far they are, or one TASK."""
    client = NodeClient(endpoint)
    found = client.ask("dlq/tasks")["tasks"] if task is None else [client.ask(_task(task))]
    if as_json:
        print_json(found)
        return
    columns = ("task", "action", "queue", "status", "matched", "done", "left")
    rows = [
        [
            one["task"],
            one["action"],
            one["queue"],
            one["status"],
            one["matched"],
            one["done"],
            _left(one) or "-",
        ]
        for one in found
    ]
    print_table("tasks", columns, rows, columns[4:6], "Nothing was replayed or discarded.")


def _controls(name: str, what: str) -> None:
    @command.command(name, help=what)
    @click.argument("task")
    @endpoint_option
    @json_option
    @calls_node
    def control(task: str, endpoint: str, as_json: bool) -> None:
        client = NodeClient(endpoint)
        answer = client.ask(f"{_task(task)}/{name}", "POST")
        if as_json:
            print_json(answer)
            return
        click.echo(_progress(answer))


_controls("pause", "Let TASK take no more steps until it is resumed.")
_controls("resume", "Let TASK go on.")
_controls("cancel", "End TASK; what it did stays done.")


@command.command()
@click.option("--limit", default=20, show_default=True, help="The most entries shown.")
@endpoint_option
@json_option
@calls_node
def audit(limit: int, endpoint: str, as_json: bool) -> None:
    """Show who replayed, discarded and edited what, the newest first."""
    entries = NodeClient(endpoint).ask(f"dlq/audit?limit={limit}")["entries"]
    if as_json:
        print_json(entries)
        return
    columns = ("time", "who", "what", "queue", "filter", "matched", "done", "status", "note")
    rows = [
        [
            _time(one["time"]),
            one["actor"].rpartition(":")[2],
            one["action"],
            one["queue"].rpartition(":")[2],
            _filter(one),
            one["matched"],
            one["matched"] if one["action"] == "edit" else one["moved"],
            one["status"],
            one.get("note", ""),
        ]
        for one in entries
    ]
    print_table("audit", columns, rows, columns[5:7], "Nothing was replayed, discarded or edited.")


# What is printed -------------------------------------------------------------------------


def _path(queue: str, *rest: str) -> str:
    return "/".join(["dlq/queues", quote(queue, safe=""), *rest])


def _task(id: str) -> str:
    return f"dlq/tasks/{quote(id, safe='')}"


def _groups(found: list[dict[str, Any]]) -> None:
    columns = ("queue", "count", "last hour", "oldest", "fingerprint", "function", "error")
    rows: list[list[object]] = []
    for queue in found:
        rows += [
            [
                queue["queue"],
                group["count"] if queue.get("complete", True) else f"{group['count']} or more",
                group["last_hour"],
                _age(group["oldest_seconds"]),
                group["fingerprint"],
                _function(group["function"], group["version"]),
                _error(group["error"], group["message"]),
            ]
            for group in queue["groups"]
        ]
        if not queue["groups"]:
            rows.append([queue["queue"], 0, 0, "-", "-", "-", "-"])
    print_table("dead letters", columns, rows, columns[1:3], "No queue here has dead letters.")


def _letter(message: dict[str, Any]) -> None:
    source = (message["source"] or "").rpartition(":")[2]
    click.echo(
        f"message {message['id']}"
        + (f" from {source}" if source else "")
        + f", dead for {_age(message['age_seconds'])}"
        + f", replayed {_counted(message['replays'], 'time')}"
        + (", in flight" if message["in_flight"] else "")
    )
    click.echo(f"  body: {message['body']}")
    for name, value in message["attributes"].items():
        click.echo(f"  attribute {name}: {value}")
    if not message["attempts"]:
        click.echo("  No failure of it is known.")
    for number, one in enumerate(message["attempts"], 1):
        function = _function(one["function"], one["version"])
        click.echo(
            f"  attempt {number}: {_time(one['time'])} {function} after "
            f"{one['duration_ms']:.0f} ms, fingerprint {one['fingerprint']}"
        )
        click.echo(f"    {_error(one['error'], one['message'], 1000)}")
        for line in one["stack"]:
            click.echo("    " + line.rstrip().replace("\n", "\n    "))
        if one["log_group"]:
            click.echo(f"    log: {one['log_group']} request {one['request_id']}")


def _run(client: NodeClient, answer: dict[str, Any], detach: bool, as_json: bool) -> None:
    """Show a preview, or follow the task that began."""
    if answer.get("dry_run"):
        if as_json:
            print_json(answer)
            return
        left = _left(answer)
        verb = "is" if answer["count"] == 1 else "are"
        click.echo(
            f"{_counted(answer['count'], 'message')} of {answer['queue']} {verb} meant"
            + (f" ({left})." if left else ".")
        )
        if answer["groups"]:
            _groups([answer])
        return
    if not detach:
        try:
            answer = asyncio.run(_follow(client, answer["task"], as_json))
        except KeyboardInterrupt:
            click.echo(f"It goes on: lambent dlq tasks {answer['task']}", err=True)
            raise
    if as_json:
        print_json(answer)
        return
    click.echo(_progress(answer))
    if answer["status"] == "FAILED":
        raise CommandError(str(answer["failure"]))


async def _follow(client: NodeClient, id: str, quiet: bool) -> dict[str, Any]:
    """The task at its end. A node that goes away meanwhile is waited for, as the task goes on
    once it is back."""
    from botocore.exceptions import BotoCoreError

    clock = SystemClock()
    shown = ""
    away: float | None = None
    while True:
        try:
            answer: dict[str, Any] = client.ask(_task(id))
        except BotoCoreError:
            if away is None:
                away = clock.monotonic()
                click.echo("The node does not answer; the task goes on when it is back.", err=True)
            elif clock.monotonic() - away > _PATIENCE_SECONDS:
                raise CommandError(
                    f"No node answers at {client.endpoint}. Once one does: lambent dlq tasks {id}"
                ) from None
            await clock.sleep(_POLL_SECONDS)
            continue
        away = None
        if answer["status"] not in _LIVE:
            return answer
        line = _progress(answer)
        if line != shown and not quiet and sys.stdout.isatty():
            click.echo(line)
            shown = line
        await clock.sleep(_POLL_SECONDS)


def _progress(task: dict[str, Any]) -> str:
    did = {"replay": "replayed", "discard": "discarded"}.get(task["action"], "moved")
    left = _left(task)
    return (
        f"{task['status'].lower()}: {did} {task['done']} of {task['matched']} messages of "
        f"{task['queue']}" + (f" ({left})" if left else "") + f", task {task['task']}"
    )


def _left(task: dict[str, Any]) -> str:
    reasons = (
        ("capped", f"replayed {_counted(task['max_replays'], 'time')} before, see --max-replays"),
        ("in_flight", "in flight"),
        ("unroutable", "with nowhere to go, see --to"),
    )
    return ", ".join(f"{task[name]} {text}" for name, text in reasons if task.get(name))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _filter(entry: dict[str, Any]) -> str:
    if "message" in entry:
        return f"id={entry['message']}"
    chosen = entry["selection"].items()
    return " ".join(f"{name}={value}" for name, value in chosen) or "everything"


def _function(arn: str, version: str) -> str:
    if not arn:
        return "-"
    name = arn.partition(":function:")[2] or arn
    return f"{name.partition(':')[0]}:{version}" if version else name


def _error(kind: str, message: str, width: int = _ERROR_WIDTH) -> str:
    text = " ".join(f"{kind}: {message}".split()) if kind else "-"
    return text if len(text) <= width else text[: width - 1] + "…"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
