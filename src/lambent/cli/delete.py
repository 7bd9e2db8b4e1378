"""`lambent delete`: delete a stack and everything it made."""

from __future__ import annotations

import click

from lambent.cli.client import CommandError, NodeClient, calls_node, endpoint_option
from lambent.cli.progress import follow, new_events


@click.command()
@click.argument("stack")
@endpoint_option
@calls_node
def command(stack: str, endpoint: str) -> None:
    """Delete STACK and everything it made.

    Resources with `DeletionPolicy: Retain` stay, and so does a bucket that is not empty: the
    deletion then stops and says so.

    \b
    Example:
      lambent delete thumbnails
    """
    cloudformation = NodeClient(endpoint).service("cloudformation")
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    stack_id = described["StackId"]
    seen = {event["EventId"] for event in new_events(cloudformation, stack_id, set())}
    cloudformation.delete_stack(StackName=stack)
    status, reason = follow(cloudformation, stack_id, seen)
    if status != "DELETE_COMPLETE":
        raise CommandError(f"{stack} was not deleted ({status}).\n{reason}")
    click.secho(f"{stack} is deleted.", fg="green")
