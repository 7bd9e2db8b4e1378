"""`lambent deploy`: deploy a template on a node."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from contextlib import AbstractContextManager
from pathlib import Path
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
from lambent.cli.package import handed_over, package_file
from lambent.cli.progress import follow, new_events
from lambent.cli.table import print_table

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_WAIT = {"Delay": 0.1, "MaxAttempts": 6000}


@click.command()
@click.argument("template", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--stack-name", metavar="NAME", help="[default: the template's folder]")
@click.option("--parameter", "parameters", multiple=True, metavar="K=V", help="Repeatable.")
@endpoint_option
@json_option
@calls_node
def command(
    template: Path,
    stack_name: str | None,
    parameters: tuple[str, ...],
    endpoint: str,
    as_json: bool,
) -> None:
    """Deploy TEMPLATE (CloudFormation or SAM, YAML or JSON) and show its outputs.

    Code in local folders is built (requirements.txt is installed) and uploaded; what the
    stack has already is updated, and what did not change is left alone.

    \b
    Examples:
      lambent deploy template.yaml
      lambent deploy template.yaml --stack-name shop --parameter Stage=test
    """
    client = NodeClient(endpoint)
    name = stack_name or default_stack_name(template)
    with _waiting("Building …"):
        body = package_file(template, client.service)
        given = handed_over(body, client.service)
    known = json.loads(body).get("Parameters", {})
    cloudformation = client.service("cloudformation")
    stack = _deploy(cloudformation, name, given, known, parse(parameters), as_json)
    outputs = stack.get("Outputs", [])
    if as_json:
        print_json(
            {
                "stack": name,
                "id": stack["StackId"],
                "status": stack["StackStatus"],
                "outputs": {item["OutputKey"]: item["OutputValue"] for item in outputs},
            }
        )
        return
    click.secho(f"{name} is deployed.", fg="green")
    print_table(
        f"Outputs of {name}",
        ("output", "value", "what it is"),
        [(o["OutputKey"], o["OutputValue"], o.get("Description", "")) for o in outputs],
    )


def _waiting(text: str) -> AbstractContextManager[Any]:
    """A spinner in a terminal; nothing when piped."""
    if not sys.stdout.isatty():
        return contextlib.nullcontext()
    from rich.console import Console

    return Console().status(text)


def default_stack_name(template: Path) -> str:
    """A stack name from the folder that the template lies in."""
    text = re.sub(r"[^A-Za-z0-9-]+", "-", template.absolute().parent.name).strip("-")
    return text if re.match(r"[A-Za-z]", text) else f"stack-{text}".rstrip("-")


def parse(parameters: tuple[str, ...]) -> list[dict[str, str]]:
    """`K=V` texts as CloudFormation parameters."""
    parsed: list[dict[str, str]] = []
    for text in parameters:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise CommandError(f"--parameter takes KEY=VALUE, not {text!r}.")
        parsed.append({"ParameterKey": key, "ParameterValue": value})
    return parsed


def _deploy(
    cloudformation: Any,
    name: str,
    template: dict[str, str],
    known: dict[str, Any],
    parameters: list[dict[str, str]],
    quiet: bool,
) -> dict[str, Any]:
    # `known` are the parameters that the template declares.
    existing = _stack(cloudformation, name)
    if existing and existing["StackStatus"] in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED"):
        # What was rolled back when it was made can only be deleted, and holds nothing.
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=existing["StackId"], WaiterConfig=_WAIT
        )
        existing = None
    updating = existing is not None and existing["StackStatus"] != "REVIEW_IN_PROGRESS"
    if updating and existing:
        given = {item["ParameterKey"] for item in parameters}
        parameters += [
            {"ParameterKey": item["ParameterKey"], "UsePreviousValue": True}  # type: ignore[dict-item]
            for item in existing.get("Parameters", [])
            if item["ParameterKey"] in known and item["ParameterKey"] not in given
        ]
    change_set = cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="lambent-deploy",
        ChangeSetType="UPDATE" if updating else "CREATE",
        **template,
        Parameters=parameters,
        Capabilities=CAPABILITIES,
    )
    stack_id: str = change_set["StackId"]
    described = _settled(cloudformation, change_set["Id"])
    if described["Status"] == "FAILED":
        cloudformation.delete_change_set(ChangeSetName=change_set["Id"])
        reason = described.get("StatusReason", "")
        if "didn't contain changes" in reason and existing:
            if not quiet:
                click.echo(f"{name} has no changes.")
            return existing
        if not updating:
            cloudformation.delete_stack(StackName=stack_id)
        raise CommandError(reason)
    seen = {event["EventId"] for event in new_events(cloudformation, stack_id, set())}
    cloudformation.execute_change_set(ChangeSetName=change_set["Id"])
    status, reason = follow(cloudformation, stack_id, seen, quiet)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise CommandError(f"{name} was not deployed ({status}).\n{reason}")
    stack = _stack(cloudformation, stack_id)
    if stack is None:
        raise CommandError(f"{name} was deleted meanwhile.")
    return stack


def _settled(cloudformation: Any, change_set_id: str) -> dict[str, Any]:
    from botocore.exceptions import WaiterError

    # A change set that failed is described like any other.
    with contextlib.suppress(WaiterError):
        cloudformation.get_waiter("change_set_create_complete").wait(
            ChangeSetName=change_set_id, WaiterConfig=_WAIT
        )
    described: dict[str, Any] = cloudformation.describe_change_set(ChangeSetName=change_set_id)
    return described


def _stack(cloudformation: Any, name: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        found: list[dict[str, Any]] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return found[0]
