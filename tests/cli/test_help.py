"""Help and usage."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from tests.cli.conftest import Command

import lambent
from lambent.cli.main import _COMMANDS


@pytest.mark.parametrize("name", sorted(_COMMANDS))
def test_every_command_explains_itself_with_an_example(command: Command, name: str) -> None:
    ran = command(name, "--help")
    assert ran.status == 0
    assert re.search(rf"Examples?:\n +(eval \"\$\()?lambent {name}", ran.out)


def test_help_lists_the_commands(command: Command) -> None:
    ran = command("--help")
    assert ran.status == 0
    assert all(re.search(rf"^  {name} +\w", ran.out, re.M) for name in _COMMANDS)


def test_version(command: Command) -> None:
    assert command("--version").out == f"lambent {lambent.__version__}\n"


def test_an_unknown_command_is_a_usage_error(command: Command) -> None:
    ran = command("dance")
    assert (ran.status, ran.out) == (2, "")
    assert "No such command 'dance'" in ran.err


def test_a_mistyped_command_is_told_the_right_one(command: Command) -> None:
    ran = command("statsu")
    assert (ran.status, ran.out) == (2, "")
    assert "No such command 'statsu'. Did you mean 'status'?" in ran.err


def test_a_reader_that_leaves_is_no_trouble() -> None:
    script = f"{sys.executable} -m lambent env --json | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.stderr == ""
