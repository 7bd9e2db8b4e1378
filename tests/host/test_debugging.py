"""Debugged functions, by a real debugger's protocol."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from tests.host.conftest import Function, Logs, environments, until
from tests.support.debuggers import Debugger

from lambent.core.clock import SystemClock, VirtualClock
from lambent.host.contract import NotDebuggable
from lambent.host.local import LocalHost
from lambent.host.sandboxes.local import open_sandbox

pytestmark = pytest.mark.asyncio(loop_scope="session")

Opened = tuple[LocalHost, Logs]
OwnHost = Callable[..., AbstractAsyncContextManager[Opened]]
Define = Callable[..., Function]

ADD = """
def handler(event, context):
    n = event["n"]
    left = context.get_remaining_time_in_millis()
    return {"n": n + 1, "left": left}
"""
LOCAL = "/home/ada/shop"
"""Where the code lies for the debugger: nowhere, on this machine."""


async def test_a_breakpoint_holds_the_invocation_and_its_timeout(
    own_host: OwnHost, define: Define, tmp_path: Path
) -> None:
    clock = VirtualClock(SystemClock().now())
    sandbox = await open_sandbox("auto", tmp_path / "sandbox")
    async with own_host(clock=clock, sandbox=sandbox) as opened:
        function = define(opened, ADD, timeout=3.0)
        session = await function.host.debug(function.spec, 0, 60.0)
        assert session.folder == ("/var/task" if sandbox.isolating else str(function.spec.code))
        running = asyncio.create_task(function({"n": 41}))
        debugger = await Debugger.attach(session.port, LOCAL, session.folder, [5])
        frame = await debugger.stopped()
        assert (frame["name"], frame["line"]) == ("handler", 5)
        assert frame["source"]["path"] == f"{LOCAL}/app.py"
        assert await debugger.value(frame, "n") == "41"
        await clock.advance(1000.0)
        await debugger.go_on(frame)
        result = await running
        assert result.error is None
        assert json.loads(result.payload)["n"] == 42
        assert json.loads(result.payload)["left"] > 3000
        await debugger.leave()


async def test_time_counts_again_once_the_debugger_left(own_host: OwnHost, define: Define) -> None:
    clock = VirtualClock()
    async with own_host(clock=clock) as opened:
        source = "import threading\ndef handler(event, context):\n    threading.Event().wait()\n"
        function = define(opened, source, timeout=3.0)
        session = await function.host.debug(function.spec, 0, 60.0)
        running = asyncio.create_task(function())
        debugger = await Debugger.attach(session.port, LOCAL, session.folder, [3])
        frame = await debugger.stopped()
        await debugger.go_on(frame)
        await clock.advance(10.0)
        await debugger.leave()
        await until(lambda: clock.next_due() is not None)
        await clock.advance(3.0)
        result = await running
        assert b"Task timed out after 3.00 seconds" in result.payload


async def test_code_that_runs_on_import_can_be_debugged_and_new_code_waits_anew(
    function: Define,
) -> None:
    first = function("VALUE = 1\n\ndef handler(event, context):\n    return VALUE\n")
    session = await first.host.debug(first.spec, 0, 60.0)
    revised = first.revised()
    for each in (first, revised):
        running = asyncio.create_task(each())
        debugger = await Debugger.attach(session.port, LOCAL, session.folder, [1])
        frame = await debugger.stopped()
        assert frame["name"] == "<module>"
        await debugger.go_on(frame)
        assert (await running).payload == b"1"
        assert (await each()).payload == b"1"  # the same environment: nothing to wait for
        await debugger.leave()
        await each.host.retire(each.spec.arn, revised.spec.revision)
    await first.host.stop_debugging(first.spec.arn)


async def test_when_nobody_attaches_the_invocation_says_so(
    own_host: OwnHost, define: Define
) -> None:
    clock = VirtualClock()
    async with own_host(clock=clock) as opened:
        function = define(opened, ADD)
        session = await function.host.debug(function.spec, 0, 60.0)
        running = asyncio.create_task(function({"n": 1}))
        await until(lambda: clock.next_due() is not None)
        await clock.advance(60.0)
        error = json.loads((await running).payload)
        assert error["errorType"] == "Lambent.NoDebugger"
        message = f"No debugger attached to 127.0.0.1:{session.port} for 60 seconds"
        assert error["errorMessage"].endswith(message)


async def test_the_end_of_the_session_ends_what_runs_in_it_and_gives_the_port_back(
    function: Define,
) -> None:
    debugged = function(ADD)
    session = await debugged.host.debug(debugged.spec, 0, 60.0)
    running = asyncio.create_task(debugged({"n": 1}))
    debugger = await Debugger.attach(session.port, LOCAL, session.folder, [5])
    await debugger.stopped()
    assert await debugged.host.stop_debugging(debugged.spec.arn)
    assert (await running).error == "Unhandled"
    await debugger.leave()
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", session.port)
    assert json.loads((await debugged({"n": 1})).payload)["n"] == 2
    assert environments(debugged.host)[debugged.spec.arn] == (0, 1)
    assert not await debugged.host.stop_debugging(debugged.spec.arn)


async def test_a_taken_port_and_a_runtime_without_debugger_are_told(
    function: Callable[..., Function],
) -> None:
    one, other = function(ADD), function(ADD)
    session = await one.host.debug(one.spec, 0, 60.0)
    with pytest.raises(NotDebuggable, match=f"Port {session.port} cannot be had: "):
        await other.host.debug(other.spec, session.port, 60.0)
    await one.host.stop_debugging(one.spec.arn)
    bare = function("", runtime="provided.al2023")
    with pytest.raises(NotDebuggable, match=r"^Functions of provided.al2023 cannot be debugged"):
        await bare.host.debug(bare.spec, 0, 60.0)


async def test_the_inspector_of_nodejs_stops_where_it_is_told(
    own_host: OwnHost, define: Define, tmp_path: Path
) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js here")
    sandbox = await open_sandbox("auto", tmp_path / "sandbox")
    async with own_host(sandbox=sandbox) as opened:
        function = define(opened, "", runtime="nodejs20.x", handler="index.handler", timeout=30.0)
        (function.spec.code / "index.js").write_text(
            "exports.handler = async ({ n }) => {\n  debugger;\n  return n + 1;\n};\n"
        )
        session = await function.host.debug(function.spec, 0, 60.0)
        assert session.debugger == "inspector"
        running = asyncio.create_task(function({"n": 41}))
        stop = f"break in {session.folder}/index.js:2"
        await _inspect(node, session.port, [(stop, "exec n"), ("41", "cont")])
        assert (await running).payload == b"42"


async def _inspect(node: str, port: int, dialogue: list[tuple[str, str]]) -> None:
    """Run Node.js's own debugger: once it has said the one, tell it the other."""
    process = await asyncio.create_subprocess_exec(
        *(node, "inspect", f"127.0.0.1:{port}"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdin is not None and process.stdout is not None
    for said, answer in dialogue:
        await process.stdout.readuntil(said.encode())
        process.stdin.write(f"{answer}\n".encode())
    process.stdin.close()
    await process.wait()
