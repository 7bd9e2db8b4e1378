"""Tables: pleasant in a terminal, tab-separated when piped."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[str] = ()
) -> None:
    """Print rows under a title; nothing at all without rows. `right` names the columns that
    hold numbers."""
    if not rows:
        return
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join([title, *(str(cell) for cell in row)]))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console().print(table)
