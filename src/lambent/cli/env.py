"""`lambent env`: the exports that point AWS tools at a node."""

from __future__ import annotations

import os
import shlex

import click

from lambent.cli.client import endpoint_option, json_option, print_json
from lambent.core.settings import DEFAULT_ACCOUNT, DEFAULT_REGION

_SYNTAX = {
    "sh": ("unset {};", "export {}={};"),
    "fish": ("set -e {};", "set -gx {} {};"),
}


@click.command()
@endpoint_option
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="12 digits.")
@click.option("--region", default=DEFAULT_REGION, show_default=True)
@click.option(
    "--keep-key", is_flag=True, help="Leave the shell's access key alone: the node checks it."
)
@click.option("--unset", is_flag=True, help="Print what takes the exports back.")
@click.option(
    "--shell",
    type=click.Choice(["sh", "fish"]),
    default=lambda: "fish" if os.environ.get("SHELL", "").endswith("/fish") else "sh",
    help="Whose syntax; sh is bash's and zsh's too.  [default: by $SHELL]",
)
@json_option
def command(
    endpoint: str,
    account: str,
    region: str,
    keep_key: bool,
    unset: bool,
    shell: str,
    as_json: bool,
) -> None:
    """Print the exports that point a shell's AWS CLI and SDKs at a node.

    On a node that checks signatures, export the administrator's key (shown when the node was
    first started) yourself, and use --keep-key.

    The AWS CLI's version 1 does not look at AWS_ENDPOINT_URL for `aws sqs`: add --endpoint-url
    there, or use version 2.

    \b
    Examples:
      eval "$(lambent env)"; aws sqs list-queues
      eval "$(lambent env --unset)"
      lambent env | source                            (fish)
    """
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }
    if not keep_key:
        variables["AWS_ACCESS_KEY_ID"] = account
        variables["AWS_SECRET_ACCESS_KEY"] = "local"  # noqa: S105 - no secret: unchecked
    if as_json:
        print_json(variables)
        return
    taken_back, exported = _SYNTAX[shell]
    form = taken_back if unset else exported
    for name, value in variables.items():
        click.echo(form.format(name, shlex.quote(value)))
