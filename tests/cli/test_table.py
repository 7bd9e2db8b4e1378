"""Tables in terminals: as wide as they need to be, or one block a row."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import click
import pytest

from lambent.cli.table import print_table

COLUMNS = ("name", "last hour", "p50 ms", "p95 ms")
ROWS = [("thumbnails", 120, "2.19", "15.43"), ("hello", 0, "0.00", "0.00")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """`shown(width, title, …)`: what a terminal so wide shows of a table."""

    def show(width: int, *arguments: Any) -> list[str]:
        with monkeypatch.context() as patch:
            terminal = Terminal()
            patch.setattr("sys.stdout", terminal)
            patch.setenv("TERM", "xterm")
            patch.setenv("COLUMNS", str(width))
            print_table(*arguments)
        return [line.rstrip() for line in click.unstyle(terminal.getvalue()).splitlines()]

    return show


def test_a_row_is_a_line_where_it_fits(shown: Callable[..., list[str]]) -> None:
    lines = shown(60, "functions", COLUMNS, ROWS, COLUMNS[1:])
    line = next(line for line in lines if "thumbnails" in line)
    assert line.split() == ["thumbnails", "120", "2.19", "15.43"]


def test_a_row_is_a_block_where_words_would_be_broken(shown: Callable[..., list[str]]) -> None:
    assert shown(30, "functions", COLUMNS, ROWS, COLUMNS[1:]) == [
        "functions",
        "  thumbnails",
        "    last hour  120",
        "    p50 ms     2.19",
        "    p95 ms     15.43",
        "  hello",
        "    last hour  0",
        "    p50 ms     0.00",
        "    p95 ms     0.00",
    ]


def test_long_sentences_are_broken_at_words(shown: Callable[..., list[str]]) -> None:
    rows = [("Ruby", "install it so that it is on PATH")]
    lines = shown(40, "runtimes", ("language", "missing"), rows)
    assert any("install it so that" in line for line in lines)
    assert any("language" in line for line in lines)


def test_no_rows_are_said_where_someone_may_wonder(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table("functions", COLUMNS, [], nothing="No function is deployed.")
    assert capsys.readouterr() == ("", "No function is deployed.\n")
    print_table("functions", COLUMNS, [])
    assert capsys.readouterr() == ("", "")
