"""The reference of the `lambent` command, from its own help."""

from __future__ import annotations

import click

from lambent.cli.main import cli

_WIDTH = 88


def reference() -> str:
    """Each command's help text as `lambent COMMAND --help` prints it."""
    return "\n".join(_below(cli, click.Context(cli, info_name="lambent")))


def _below(group: click.Group, parent: click.Context) -> list[str]:
    parts: list[str] = []
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None
        context = click.Context(
            command,
            info_name=name,
            parent=parent,
            max_content_width=_WIDTH,
            terminal_width=_WIDTH,
            help_option_names=["-h", "--help"],
        )
        text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
        parts.append(f"## {context.command_path}\n\n```text\n{text}\n```\n")
        if isinstance(command, click.Group):
            parts += _below(command, context)
    return parts
