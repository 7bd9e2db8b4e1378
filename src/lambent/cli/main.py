"""The `lambent` command: its groups, and how an error becomes one sentence and a status."""

from __future__ import annotations

import difflib
import os
import sys
from importlib import import_module
from typing import Any

import click

from lambent import __version__
from lambent.core.errors import LambentError

# Imported only when asked for: `lambent up` must not pay for what `lambent deploy` needs.
_COMMANDS = {
    "up": "Start a node, and deploy a template on it.",
    "deploy": "Deploy a CloudFormation or SAM template on a node.",
    "watch": "Make what is saved live, function by function.",
    "delete": "Delete a stack and everything it made.",
    "status": "What is deployed, how deep the queues are, what fails.",
    "functions": "How fast functions are, how often cold, what they would cost.",
    "flow": "How many calls each mapping may make, its circuit, and why.",
    "nodes": "The nodes that serve one store together, and their load.",
    "dlq": "Dead letters: why they died; replay, edit, discard them.",
    "executions": "Durable executions: how far they are; stop, pause, resume them.",
    "logs": "Show a function's log, and follow it.",
    "invoke": "Invoke a function and show what it returns.",
    "debug": "Let a debugger into a function, whoever invokes it.",
    "env": "Print the exports that point AWS tools at a node.",
}


class _Commands(click.Group):
    """Finds each command in the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = difflib.get_close_matches(args[0], _COMMANDS, 1)
        if args[0] not in _COMMANDS and near:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"lambent.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "LAMBENT"},
)
@click.version_option(__version__, message="lambent %(version)s")
def cli() -> None:
    """Serverless event processing on your own machines, in AWS's own words.

    \b
    lambent up template.yaml        start a node with an application on it
    eval "$(lambent env)"           point the AWS CLI and every SDK at it
    lambent status                  see what it does
    """


def main(arguments: list[str] | None = None) -> Any:
    """Run the command; errors that Lambent raises on purpose are one sentence each."""
    try:
        return cli.main(args=arguments, prog_name="lambent", standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # The reader left; what is still buffered must not be flushed into the void.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except LambentError as error:
        click.secho(f"lambent: {error}", err=True, fg="red")
        sys.exit(1)
