"""`lambent env`: the exports that point AWS tools at a node."""

from __future__ import annotations

import os

import click

from lambent.cli.client import endpoint_option, json_option, print_json
from lambent.core.settings import DEFAULT_ACCOUNT, DEFAULT_REGION


@click.command()
@endpoint_option
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="12 digits.")
@click.option("--region", default=DEFAULT_REGION, show_default=True)
@click.option("--unset", is_flag=True, help="Print what takes the exports back.")
@json_option
def command(endpoint: str, account: str, region: str, unset: bool, as_json: bool) -> None:
    """Print the exports that point a shell's AWS CLI and SDKs at a node.

    On a node that checks signatures, put the administrator's key (shown when the node was
    first started) in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead.

    \b
    Example:
      eval "$(lambent env)"
      aws sqs list-queues
    """
    variables = {
        "AWS_ENDPOINT_URL": endpoint.rstrip("/"),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    if as_json:
        print_json(variables)
        return
    fish = os.environ.get("SHELL", "").endswith("/fish")
    for name, value in variables.items():
        if unset:
            click.echo(f"set -e {name};" if fish else f"unset {name};")
        else:
            click.echo(f"set -gx {name} {value};" if fish else f"export {name}={value};")
