"""Python: a function is run by its own version where the machine has it; its log tells when
another one runs it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from tests.host.conftest import OWN_RUNTIME, Function, Logs

from lambent.host.build import build
from lambent.host.local import LocalHost
from lambent.host.runtimes import python_distributions
from lambent.host.runtimes.python_interpreters import (
    OLDEST,
    OWN,
    Interpreter,
    Interpreters,
)
from lambent.host.sandboxes.local import open_sandbox

pytestmark = pytest.mark.asyncio(loop_scope="session")
SOURCE = """
import sys
import boto3

def handler(event, context):
    boto3.client("s3")
    return list(sys.version_info[:2])
"""


async def _another() -> Interpreter:
    """An interpreter of this machine that is not ours, newer ones first."""
    interpreters = Interpreters()
    for minor in range(20, OLDEST[1] - 1, -1):
        found = await interpreters.serving(f"python3.{minor}")
        if found.version == (3, minor) and found.version != OWN.version:
            return found
    pytest.skip("there is only one Python here")


async def test_another_version_runs_by_its_own_interpreter_in_the_sandbox(
    own_host: Callable[..., AbstractAsyncContextManager[tuple[LocalHost, Logs]]],
    define: Callable[..., Function],
    tmp_path: Path,
) -> None:
    other = await _another()
    try:
        await python_distributions.folder(tmp_path / "cache", other)
    except Exception as error:
        pytest.skip(str(error))
    sandbox = await open_sandbox("auto", tmp_path / "cache")
    async with own_host(sandbox=sandbox) as opened:
        run = define(opened, SOURCE, runtime=other.name, memory=256)
        assert json.loads((await run()).payload) == list(other.version)
        assert not any(line.startswith("[lambent]") for line in run.log)


async def test_a_version_that_is_missing_runs_by_the_nearest_newer_and_says_so(
    function: Callable[..., Function],
) -> None:
    run = function(SOURCE, runtime="python3.6", memory=256)
    version = json.loads((await run()).payload)
    assert version >= list(OLDEST)
    notice = f"[lambent] python3.6 runs by python{version[0]}.{version[1]} here\n"
    assert run.log.count(notice) == 1


async def test_the_nodes_own_version_is_not_told(function: Callable[..., Function]) -> None:
    run = function(SOURCE, runtime=OWN_RUNTIME)
    assert json.loads((await run()).payload) == list(sys.version_info[:2])
    assert not any(line.startswith("[lambent]") for line in run.log)


async def test_interpreters_are_asked_what_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    for minor, answer in {
        "3.99": '[[3, 99], "cpython", "/opt/p/bin/python3.99", "/opt/p"]',
        "3.98": '[[3, 98], "pypy", "/opt/pypy", "/opt"]',
        "3.9": '[[3, 9], "cpython", "/opt/old", "/opt"]',
        "3.97": "pyenv: version not installed",
    }.items():
        program = tmp_path / f"python{minor}"
        program.write_text(f"#!/bin/sh\necho '{answer}'\n")
        program.chmod(0o755)
    found = Interpreters((f"{tmp_path}/python3.*",))
    newest = Interpreter((3, 99), Path("/opt/p/bin/python3.99"), Path("/opt/p"))
    assert await found.serving("python3.97") == newest
    assert await found.serving("python3.9") == OWN
    assert await Interpreters((f"{tmp_path}/none",)).serving("python3.9") == OWN


async def test_a_client_that_cannot_be_had_leaves_the_nodes_own_version(
    own_host: Callable[..., AbstractAsyncContextManager[tuple[LocalHost, Logs]]],
    define: Callable[..., Function],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = await _another()
    nowhere = ["/bin/sh", "-c", "echo no network; exit 1"]
    monkeypatch.setattr(python_distributions, "installer", lambda _: nowhere)
    async with own_host() as opened:
        run = define(opened, SOURCE, runtime=other.name)
        assert json.loads((await run()).payload) == list(OWN.version)
        assert f"[lambent] {other.name} runs by {OWN.name} here\n" in run.log


async def test_requirements_are_installed_for_the_version_that_runs_them(tmp_path: Path) -> None:
    other = await _another()
    source = tmp_path / "source"
    source.mkdir()
    (source / "requirements.txt").write_text("awslambdaric\n")
    (source / "app.py").write_text("")
    try:
        built = await build(source, other.name, tmp_path / "cache")
    except Exception as error:
        pytest.skip(str(error))
    (extension,) = built.glob("runtime_client.*.so")
    assert f"cpython-{other.version[0]}{other.version[1]}-" in extension.name
