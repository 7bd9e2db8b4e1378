"""`lambent executions`: durable executions: how far they are; stop, pause, resume them."""

from __future__ import annotations

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

_STATUSES = ("RUNNING", "PAUSING", "PAUSED", "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED")
_COLUMNS = ("execution", "status", "version", "started", "ended")
_STEPS = ("event", "name", "at", "what")
_WIDTH = 80


@click.group()
def command() -> None:
    """Durable executions: how far they are, and what became of them.

    FUNCTION is a durable function's name, and EXECUTION the name of one of its executions.

    \b
    Examples:
      lambent executions list order --status RUNNING
      lambent executions show order order-17
      lambent executions stop order order-17 --reason "ordered twice"
    """


@command.command("list")
@click.argument("function")
@click.option(
    "--status", "statuses", multiple=True, type=click.Choice(_STATUSES), help="Only those."
)
@click.option("--limit", default=20, show_default=True, help="The most executions shown.")
@endpoint_option
@json_option
@calls_node
def list_(
    function: str, statuses: tuple[str, ...], limit: int, endpoint: str, as_json: bool
) -> None:
    """Show a function's executions, the newest first."""
    asked: dict[str, Any] = {"FunctionName": function}
    if statuses:
        asked["Statuses"] = list(statuses)
    pages = _lambda(endpoint).get_paginator("list_durable_executions_by_function")
    paging = {"MaxItems": limit}
    found = [
        one
        for page in pages.paginate(**asked, PaginationConfig=paging)
        for one in page["DurableExecutions"]
    ]
    if as_json:
        print_json(found)
        return
    rows = [
        [
            one["DurableExecutionName"],
            one["Status"],
            one["FunctionArn"].rsplit(":", 1)[1],
            _moment(one["StartTimestamp"]),
            _moment(one.get("EndTimestamp")),
        ]
        for one in found
    ]
    none = "such executions" if statuses else "executions"
    print_table("executions", _COLUMNS, rows, (), f"{function} has no {none}.")


@command.command()
@click.argument("function")
@click.argument("execution")
@endpoint_option
@json_option
@calls_node
def show(function: str, execution: str, endpoint: str, as_json: bool) -> None:
    """Show what an execution has done, step by step, and what it waits for."""
    client = _lambda(endpoint)
    arn = _arn(client, function, execution)
    pages = client.get_paginator("get_durable_execution_history")
    history = pages.paginate(DurableExecutionArn=arn, IncludeExecutionData=True)
    events = [event for page in history for event in page["Events"]]
    shown = client.get_durable_execution(DurableExecutionArn=arn)
    shown.pop("ResponseMetadata", None)
    if as_json:
        print_json({**shown, "Events": events})
        return
    rows = [
        [event["EventType"], event.get("Name", ""), _moment(event["EventTimestamp"]), _what(event)]
        for event in events
    ]
    print_table("history", _STEPS, rows)
    came = shown.get("Result") or (shown.get("Error") or {}).get("ErrorMessage") or ""
    click.echo(f"{execution} is {shown['Status']}{': ' if came else ''}{came[:_WIDTH]}")


@command.command()
@click.argument("function")
@click.argument("execution")
@click.option("--reason", default="", metavar="TEXT", help="Kept as the execution's error.")
@endpoint_option
@calls_node
def stop(function: str, execution: str, reason: str, endpoint: str) -> None:
    """End an execution for good."""
    client = _lambda(endpoint)
    error = {"Error": {"ErrorMessage": reason}} if reason else {}
    arn = _arn(client, function, execution)
    client.stop_durable_execution(DurableExecutionArn=arn, **error)
    # One that had ended before stays as it was.
    status = client.get_durable_execution(DurableExecutionArn=arn)["Status"]
    click.echo(f"{execution} is {status}.")


@command.command()
@click.argument("function")
@click.argument("execution")
@click.option("--reason", default="", metavar="TEXT", help="Kept in its history.")
@endpoint_option
@calls_node
def pause(function: str, execution: str, reason: str, endpoint: str) -> None:
    """Let an execution run no code until it is resumed."""
    client = _lambda(endpoint)
    why = {"Reason": reason} if reason else {}
    client.pause_durable_execution(DurableExecutionArn=_arn(client, function, execution), **why)
    click.echo(f"{execution} pauses.")


@command.command()
@click.argument("function")
@click.argument("execution")
@endpoint_option
@calls_node
def resume(function: str, execution: str, endpoint: str) -> None:
    """Let a paused execution go on."""
    client = _lambda(endpoint)
    client.resume_durable_execution(DurableExecutionArn=_arn(client, function, execution))
    click.echo(f"{execution} goes on.")


def _lambda(endpoint: str) -> Any:
    return NodeClient(endpoint).service("lambda")


def _arn(client: Any, function: str, execution: str) -> str:
    """The ARN of a function's execution of that name."""
    found = client.list_durable_executions_by_function(
        FunctionName=function, DurableExecutionName=execution
    )["DurableExecutions"]
    if not found:
        raise CommandError(f"{function} has no execution {execution}.")
    arn: str = found[0]["DurableExecutionArn"]
    return arn


def _what(event: dict[str, Any]) -> str:
    """What an event carries, in a few words."""
    details: dict[str, Any] = event.get(f"{event['EventType']}Details") or {}
    for member in ("Error", "Result", "Input", "Reason"):
        carried = (details.get(member) or {}).get("Payload")
        if isinstance(carried, dict):
            carried = carried.get("ErrorMessage") or carried.get("ErrorType")
        if carried:
            return str(carried)[:_WIDTH]
    for member in ("CallbackId", "FunctionName"):
        if member in details:
            return str(details[member])
    return f"{details['Duration']} s" if "Duration" in details else ""


def _moment(when: datetime | None) -> str:
    return "" if when is None else f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
