"""Tables: pleasant in a terminal, tab-separated when piped."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

_BREAKABLE = 24
"""A longer word of a text (an ARN, a URL) may be broken."""
_GAP = 2
"""Blanks beside a column."""


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    right: Sequence[str] = (),
    nothing: str = "",
) -> None:
    """Print rows under a title. `right` names the columns that hold numbers. Without rows,
    `nothing` is said beside the output, if it says anything."""
    if not rows:
        if nothing:
            click.echo(nothing, err=True)
        return
    texts = [[str(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in texts:
            click.echo("\t".join([title, *row]))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()
    widths = [max(_least(text) for text in column) for column in zip(columns, *texts, strict=True)]
    if sum(widths) + _GAP * len(widths) > console.width:
        _print_blocks(title, columns, texts)
        return
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column, width in zip(columns, widths, strict=True):
        table.add_column(
            column,
            justify="right" if column in right else "left",
            overflow="fold",
            min_width=width,
        )
    for row in texts:
        table.add_row(*row)
    console.print(table)


def _least(text: str) -> int:
    """How wide a column must be for this text."""
    return min(max(map(len, text.split()), default=0), _BREAKABLE)


def _print_blocks(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """One row after the other: the first column's text, and each other one on a line."""
    width = max(map(len, columns))
    click.secho(title, italic=True)
    for first, *rest in rows:
        click.secho(f"  {first}", bold=True)
        for column, text in zip(columns[1:], rest, strict=True):
            click.echo(f"    {column:{width}}  {text}".rstrip())
