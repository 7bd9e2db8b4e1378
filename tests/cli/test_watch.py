"""`lambent watch`: saved files become the functions' code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Command

from lambent.cli.watch import code_folders, overlaid, snapshot

SOURCE = "def handler(event, context):\n    return {!r}\n"


@pytest.fixture
def application(tmp_path: Path, template: Callable[..., Path]) -> Path:
    """A template with one function whose code lies beside it; returns the template."""
    path = template(
        Transform="AWS::Serverless-2016-10-31",
        Resources={
            "F": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "FunctionName": "watched",
                    "Runtime": "python3.11",
                    "Handler": "index.handler",
                    "CodeUri": "code",
                },
            }
        },
    )
    folder = path.parent / "code"
    folder.mkdir()
    (folder / "index.py").write_text(SOURCE.format("old"))
    return path


@pytest.fixture
def watching(application: Path, command: Command) -> Iterator[subprocess.Popen[str]]:
    """`lambent watch` of the deployed application, which has begun to look."""
    assert command("deploy", application).status == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "lambent", "watch", str(application)],
        env=dict(os.environ, PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Watching template.json and 1 function")
    yield process
    process.kill()
    process.communicate()


def test_a_saved_file_is_live_for_the_next_invocation(
    watching: subprocess.Popen[str], application: Path, command: Command
) -> None:
    assert json.loads(command("invoke", "watched").out) == "old"
    (application.parent / "code" / "index.py").write_text(SOURCE.format("brand new"))
    assert watching.stdout is not None
    assert watching.stdout.readline().startswith("watched is live (")
    assert json.loads(command("invoke", "watched").out) == "brand new"


def test_a_changed_template_is_deployed(
    watching: subprocess.Popen[str], application: Path, client: Callable[..., Any]
) -> None:
    content = json.loads(application.read_text())
    content["Resources"]["F"]["Properties"]["Timeout"] = 42
    application.write_text(json.dumps(content))
    assert watching.stdout is not None
    while "is deployed" not in (line := watching.stdout.readline()):
        assert line, "the watcher ended"
    shown = client("lambda").get_function_configuration(FunctionName="watched")
    assert shown["Timeout"] == 42


def test_the_source_lies_over_what_was_built_and_deleted_files_are_gone(tmp_path: Path) -> None:
    built, source = tmp_path / "built", tmp_path / "source"
    for folder, files in (
        (built, {"index.py": "old", "gone.py": "old", "package.py": "kept"}),
        (source, {"index.py": "new"}),
    ):
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
    with zipfile.ZipFile(BytesIO(overlaid(built, source, {"gone.py"}))) as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    assert found == {"index.py": "new", "package.py": "kept"}
    assert set(snapshot(source)) == {"index.py"}


def test_only_local_code_is_watched() -> None:
    template = {
        "Globals": {"Function": {"Runtime": "python3.12"}},
        "Resources": {
            "Local": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "a"}},
            "Here": {"Type": "AWS::Serverless::Function"},
            "Remote": {
                "Type": "AWS::Serverless::Function",
                "Properties": {"CodeUri": "s3://bucket/key"},
            },
            "Inline": {"Type": "AWS::Serverless::Function", "Properties": {"InlineCode": "x"}},
            "Table": {"Type": "AWS::DynamoDB::Table"},
        },
    }
    assert list(code_folders(template)) == [
        ("Local", "a", "python3.12"),
        ("Here", ".", "python3.12"),
    ]
