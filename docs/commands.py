"""The reference of the `lambent` command, from its own help."""

from __future__ import annotations

import click

from lambent.cli.main import cli

_WIDTH = 88


def reference() -> str:
    """Each command's help text as `lambent COMMAND --help` prints it."""
    root = click.Context(cli, info_name="lambent")
    parts: list[str] = []
    for name in cli.list_commands(root):
        command = cli.get_command(root, name)
        assert command is not None
        context = click.Context(
            command,
            info_name=name,
            parent=root,
            max_content_width=_WIDTH,
            terminal_width=_WIDTH,
            help_option_names=["-h", "--help"],
        )
        text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
        parts.append(f"## lambent {name}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)
