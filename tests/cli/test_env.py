"""`lambent env`."""

from __future__ import annotations

import json
import subprocess

import pytest
from tests.cli.conftest import Command


@pytest.fixture(autouse=True)
def no_endpoint(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAMBENT_ENDPOINT")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("SHELL", "/bin/bash")


LOCAL = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "000000000000",
    "AWS_SECRET_ACCESS_KEY": "local",
}


def shell(script: str) -> dict[str, str]:
    """The AWS variables that a shell has after a script."""
    done = subprocess.run(
        ["sh", "-c", script + "\nenv"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    pairs = (line.partition("=") for line in done.stdout.splitlines())
    return {name: value for name, _, value in pairs if name.startswith("AWS_")}


def test_a_shell_takes_the_exports(command: Command) -> None:
    assert shell(command("env").out) == LOCAL


def test_and_gives_them_back(command: Command) -> None:
    assert shell(command("env").out + command("env", "--unset").out) == {}


def test_what_is_asked_for_is_exported_whatever_it_holds(command: Command) -> None:
    ran = command(
        "env", "--endpoint", "http://a.b:1/?x=$(id)", "--account", "111122223333",
        "--region", "eu west'1",
    )  # fmt: skip
    found = shell(ran.out)
    assert found["AWS_ENDPOINT_URL"] == "http://a.b:1/?x=$(id)"
    assert found["AWS_REGION"] == found["AWS_DEFAULT_REGION"] == "eu west'1"
    assert found["AWS_ACCESS_KEY_ID"] == "111122223333"


def test_keep_key_leaves_the_access_key_alone(command: Command) -> None:
    script = "export AWS_ACCESS_KEY_ID=mine\n" + command("env", "--keep-key").out
    found = shell(script)
    assert found["AWS_ACCESS_KEY_ID"] == "mine"
    assert "AWS_SECRET_ACCESS_KEY" not in found
    assert found["AWS_ENDPOINT_URL"] == LOCAL["AWS_ENDPOINT_URL"]


def test_fish_has_its_own_words(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert "set -gx AWS_REGION us-east-1;\n" in command("env").out
    assert "set -e AWS_REGION;\n" in command("env", "--unset").out
    assert "export AWS_REGION=us-east-1;\n" in command("env", "--shell", "sh").out


def test_json(command: Command) -> None:
    assert json.loads(command("env", "--json").out) == LOCAL
