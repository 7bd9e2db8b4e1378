"""Functions' own zygotes: what their environments share, what each has for itself, and how
they end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.host.conftest import OWN_RUNTIME, Function, _opened, alive, open_gate, until

from lambent.core.errors import StartupError
from lambent.host.contract import InvocationResult
from lambent.host.sandboxes.local import open_sandbox

Define = Callable[..., Function]
ROOT = Path(__file__).parents[2]

ONCE = """
    import os, random, uuid
    MADE = str(uuid.uuid4())
    open("/tmp/made", "w").write(MADE)
    calls = 0
    def handler(event, context):
        global calls
        calls += 1
        if event:
            with open(event) as gate: gate.read()
        with open("/tmp/own", "a") as own: own.write("x")
        return {
            "made": MADE, "calls": calls, "random": random.random(),
            "tmp": [open("/tmp/made").read(), open("/tmp/own").read()],
            "stream": context.log_stream_name, "pid": os.getpid(), "uid": os.getuid(),
            "others": [name for name in os.listdir("/proc") if name.isdigit()],
        }
    """


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["isolated", "off"])
async def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Any]:
    folder = tmp_path_factory.mktemp("tiers")
    try:
        mode = "require" if request.param == "isolated" else "off"
        sandbox = await open_sandbox(mode, folder)
    except StartupError as error:
        pytest.skip(str(error))
    async with _opened(folder / "cache", sandbox=sandbox) as opened:
        yield opened


def _shown(result: InvocationResult) -> Any:
    assert result.error is None, result.payload
    return json.loads(result.payload)


async def _warm(run: Function) -> None:
    assert await run.host.prime(run.spec) is None
    assert run.host.activity()[run.spec.arn].zygotes == 1


async def _crowd(run: Function, count: int) -> list[InvocationResult]:
    """Invocations in as many environments, which all wait for each other."""
    gates = [run.spec.code / f"gate-{number}" for number in range(count)]
    for gate in gates:
        os.mkfifo(gate, 0o666)
        gate.chmod(0o666)
    task = run.host._tools.sandbox.task(run.spec.code)
    calls = [asyncio.create_task(run(f"{task}/{gate.name}")) for gate in gates]
    await until(lambda: run.host.activity()[run.spec.arn].busy == count)
    for gate in gates:
        await open_gate(gate)
    return await asyncio.gather(*calls)


async def test_code_runs_once_for_all_environments_of_a_warm_function(
    opened: Any, define: Define
) -> None:
    run = define(opened, ONCE, tier="warm")
    await _warm(run)
    results = await _crowd(run, 3)
    shown = [_shown(result) for result in results]
    assert {result.tier for result in results} == {"warm"}
    assert len({each["made"] for each in shown}) == 1
    assert [each["calls"] for each in shown] == [1, 1, 1]
    assert len({each["random"] for each in shown}) == 3
    assert len({each["stream"] for each in shown}) == 3
    assert [each["tmp"] for each in shown] == [[shown[0]["made"], "x"]] * 3
    assert (await run()).tier == "hot"


async def test_forks_are_isolated_from_each_other(opened: Any, define: Define) -> None:
    if not opened[0]._tools.sandbox.isolating:
        pytest.skip("nothing is isolated here")
    run = define(opened, ONCE, tier="warm")
    await _warm(run)
    for shown in map(_shown, await _crowd(run, 2)):
        assert shown["uid"] == 993
        assert len(shown["others"]) == 2  # itself, and its namespace's first process


async def test_functions_that_leave_threads_or_connections_start_cold(
    opened: Any, define: Define
) -> None:
    threads = (
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
    )
    for source, why in (
        (threads, "its code starts threads"),
        ("import socket\nends = socket.socketpair()", "its code opens connections"),
        ("import select\npoll = select.epoll()", "its code opens an event loop or the like"),
    ):
        run = define(opened, f"{source}\ndef handler(event, context): return 1", tier="warm")
        assert await run.host.prime(run.spec) is None
        result = await run()
        assert (result.error, result.tier) == (None, "cold")
        assert any(f"cannot be forked, since {why}:" in line for line in run.log)


async def test_a_crashed_zygote_is_replaced(opened: Any, define: Define) -> None:
    run = define(opened, ONCE, tier="warm")
    await _warm(run)
    first = _shown(await run())
    origin = run.host._pool._origins[run.spec.arn, run.spec.revision]
    os.kill(origin._zygote.process.pid, signal.SIGKILL)
    await until(lambda: run.host.activity()[run.spec.arn].zygotes == 0)
    await until(lambda: not run.host._pool._fleets[run.spec.arn, run.spec.revision].idle[0].usable)
    assert _shown(await run())["made"] != first["made"]
    await _warm(run)


async def test_a_new_revision_ends_the_old_zygote_after_its_last_environment(
    opened: Any, define: Define
) -> None:
    run = define(opened, ONCE, tier="warm")
    await _warm(run)
    zygote = run.host._pool._origins[run.spec.arn, run.spec.revision]._zygote.process.pid
    gate = run.spec.code / "gate"
    os.mkfifo(gate, 0o666)
    gate.chmod(0o666)
    task = run.host._tools.sandbox.task(run.spec.code)
    call = asyncio.create_task(run(f"{task}/gate"))
    await until(lambda: run.host.activity()[run.spec.arn].busy == 1)
    await run.host.retire(run.spec.arn, "2")
    assert alive(zygote)
    await open_gate(gate)
    assert (await call).tier == "warm"
    await until(lambda: not alive(zygote))


async def test_a_zygote_that_is_not_wanted_any_more_does_not_finish(
    opened: Any, define: Define
) -> None:
    source = """
        import threading
        print("begun")
        threading.Event().wait(60)
        def handler(event, context): return 1
        """
    run = define(opened, source, snap_start=True, version="1")
    priming = asyncio.create_task(run.host.prime(run.spec))
    await until(lambda: any("begun" in line for line in run.log))
    await run.host.retire(run.spec.arn)
    assert await priming is not None
    await until(lambda: not run.host._pool._endings)


async def test_what_a_fork_leaves_ends_with_it(opened: Any, define: Define) -> None:
    source = """
        import os, subprocess
        def handler(event, context):
            subprocess.Popen(["sleep", "1000"], start_new_session=True)
            if event: os._exit(event)
            return 1
        """
    run = define(opened, source, tier="warm")
    await _warm(run)
    result = await run(3)
    assert b"exit status 3" in result.payload
    assert _shown(await run()) == 1
    if run.host._tools.sandbox.isolating:
        await run.host.retire(run.spec.arn)
        await until(lambda: not run.host._pool._endings)


async def test_variables_that_the_code_sets_itself_are_kept(opened: Any, define: Define) -> None:
    source = """
        import os
        os.environ["OWN"] = "set"
        os.environ["GIVEN"] = "changed"
        def handler(event, context):
            return [os.environ["OWN"], os.environ["GIVEN"]]
        """
    run = define(opened, source, tier="warm", environment={"GIVEN": "given"})
    await _warm(run)
    assert _shown(await run()) == ["set", "changed"]


async def test_failing_code_fails_as_it_does_cold(opened: Any, define: Define) -> None:
    run = define(opened, "import nothing_of_the_kind", tier="warm")
    assert await run.host.prime(run.spec) == (
        "Runtime.ImportModuleError",
        "Unable to import module 'app': No module named 'nothing_of_the_kind'",
    )
    result = await run()
    assert (result.error, result.tier) == ("Unhandled", "cold")
    assert b"Runtime.ImportModuleError" in result.payload


async def test_hooks_run_around_the_snapshot(opened: Any, define: Define) -> None:
    source = """
        import os
        from snapshot_restore_py import register_after_restore, register_before_snapshot
        said = []
        register_before_snapshot(said.append, "before 1")
        register_before_snapshot(said.append, "before 2")
        register_after_restore(said.append, "after 1")
        register_after_restore(said.append, "after 2")
        def handler(event, context):
            return [os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], *said]
        """
    run = define(opened, source, snap_start=True, version="1")
    await _warm(run)
    result = await run()
    said = ["before 2", "before 1", "after 1", "after 2"]
    assert _shown(result) == ["snap-start", *said]
    assert result.tier == "snap-start"
    lines = [line for line in run.log if not line.startswith(("START", "END"))]
    assert [line.split(" ")[0] for line in lines] == [
        *("INIT_START", "INIT_REPORT", "RESTORE_START", "RESTORE_REPORT", "REPORT")
    ]
    assert "Restore Duration: " in lines[-1]
    assert "Init Duration" not in lines[-1]


async def test_a_hook_that_fails_after_the_restore_fails_the_invocation(
    opened: Any, define: Define
) -> None:
    source = """
        from snapshot_restore_py import register_after_restore
        register_after_restore(int, "no number")
        def handler(event, context): return 1
        """
    run = define(opened, source, snap_start=True, version="1")
    await _warm(run)
    result = await run()
    assert result.error == "Unhandled"
    assert json.loads(result.payload)["errorType"] == "ValueError", (result, run.log)


async def test_a_snapshot_without_a_fork_has_its_hooks_all_the_same(
    opened: Any, define: Define
) -> None:
    source = """
        import threading
        from snapshot_restore_py import register_after_restore, register_before_snapshot
        said = []
        register_before_snapshot(said.append, "before")
        register_after_restore(said.append, "after")
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        def handler(event, context): return said
        """
    run = define(opened, source, snap_start=True, version="1")
    assert await run.host.prime(run.spec) is None
    result = await run()
    assert _shown(result) == ["before", "after"]
    assert result.tier == "hot"  # publishing initialised it


NODE = """
import asyncio, json, sys, types
from pathlib import Path
from tests.host.conftest import _opened, until
from lambent.core.ids import SystemIds
from lambent.host.contract import FunctionSpec, Invocation
from lambent.host.sandboxes.local import open_sandbox

async def main():
    folder = Path(sys.argv[1])
    sandbox = await open_sandbox(sys.argv[2], folder)
    async with _opened(folder / "cache", sandbox=sandbox) as (host, logs):
        spec = FunctionSpec(
            "arn:aws:lambda:eu-west-1:123456789012:function:f", "f", "123456789012", "eu-west-1",
            "$LATEST", "1", sys.argv[3], "app.handler", folder / "code", 30.0, 128, tier="warm",
        )
        await host.prime(spec)
        result = await host.invoke(spec, Invocation(SystemIds().uuid(), b"{}"))
        assert result.tier == "warm", result
        (environment,) = host._pool._fleets[spec.arn, spec.revision].idle
        await until(lambda: environment._frozen)
        zygote = host._pool._origins[spec.arn, spec.revision]._zygote.process.pid
        print(json.dumps([environment._attempt._process.pid, zygote]), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def _with_code(folder: Path) -> Path:
    folder.chmod(0o755)
    (folder / "code").mkdir()
    (folder / "code" / "app.py").write_text("def handler(event, context): return 1")
    return folder


@pytest.mark.parametrize("mode", ["require", "off"])
async def test_frozen_forks_do_not_outlive_a_killed_node(tmp_path: Path, mode: str) -> None:
    arguments = [str(_with_code(tmp_path)), mode, OWN_RUNTIME]
    node = subprocess.Popen(  # noqa: ASYNC220 - the test kills it by its id
        [sys.executable, "-c", NODE, *arguments], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert node.stdout is not None
    line = await asyncio.to_thread(node.stdout.readline)
    if not line and mode == "require":
        pytest.skip("no sandbox is possible here")
    pids = json.loads(line)
    assert all(alive(pid) for pid in pids)
    node.kill()
    node.wait()
    node.stdout.close()
    await until(lambda: not any(alive(pid) for pid in pids))
