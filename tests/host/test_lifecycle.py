"""How environments begin, wait, drain and end; and what a crash leaves."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.host.conftest import Function, alive, environments, open_gate, parent, until

from lambent.core.clock import VirtualClock
from lambent.host import scaling
from lambent.host.contract import Throttled
from lambent.host.environment import MOST_AGE

Define = Callable[..., Function]
OPEN_FILES = Path("/proc/self/fd")

GATED = """
    import os
    def handler(event, context):
        if event:
            with open(event) as gate: gate.read()
        return os.getpid()
    """


class Gate:
    """A named pipe: a function that reads it goes on when the test opens it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gate"
        os.mkfifo(self.path)

    async def open(self) -> None:
        await open_gate(self.path)


async def test_retire_lets_work_finish_and_ends_the_idle(own_host: Any, define: Define) -> None:
    async with own_host() as opened:
        host, _ = opened
        run = define(opened, GATED)
        gate = Gate(run.spec.code)
        busy = asyncio.create_task(run(str(gate.path)))
        await until(lambda: environments(host).get(run.spec.arn) == (1, 0))
        idle = json.loads((await run()).payload)
        newer = run.revised()
        await newer()
        await host.retire(run.spec.arn, newer.spec.revision)
        await until(lambda: environments(host) == {run.spec.arn: (1, 1)})
        await until(lambda: not alive(idle))
        await gate.open()
        pid = json.loads((await busy).payload)
        await until(lambda: not alive(pid))
        await until(lambda: environments(host) == {run.spec.arn: (0, 1)})


async def test_close_waits_for_what_runs(own_host: Any, define: Define) -> None:
    async with own_host() as opened:
        host, _ = opened
        run = define(opened, GATED)
        gate = Gate(run.spec.code)
        busy = asyncio.create_task(run(str(gate.path)))
        await until(lambda: environments(host).get(run.spec.arn) == (1, 0))
        closing = asyncio.create_task(host.close())
        await until(lambda: host._closing)
        with pytest.raises(Throttled):
            await run()
        await gate.open()
        result = await busy
        assert result.error is None
        await closing
        assert not alive(json.loads(result.payload))


async def test_client_that_goes_away_does_not_stop_the_function(
    own_host: Any, define: Define
) -> None:
    async with own_host() as opened:
        host, _ = opened
        run = define(opened, GATED)
        gate = Gate(run.spec.code)
        call = asyncio.create_task(run(str(gate.path)))
        await until(lambda: environments(host).get(run.spec.arn) == (1, 0))
        call.cancel()
        await gate.open()
        await until(lambda: environments(host) == {run.spec.arn: (0, 1)})
        assert any(line.startswith("REPORT") for line in run.log)


async def test_full_machine_makes_invocations_wait_in_line(own_host: Any, define: Define) -> None:
    async with own_host(most=2) as opened:
        host, _ = opened
        run = define(opened, "import os\ndef handler(e, c): return os.getpid()")
        results = await asyncio.gather(*(run() for _ in range(12)))
        assert all(result.error is None for result in results)
        assert len({result.payload for result in results}) <= 2
        assert environments(host) == {run.spec.arn: (0, 2)}


async def test_idle_environment_makes_place_for_another_function(
    own_host: Any, define: Define
) -> None:
    async with own_host(most=1) as opened:
        host, _ = opened
        first = define(opened, "def handler(e, c): return 1")
        second = define(opened, "def handler(e, c): return 2")
        assert (await first()).payload == b"1"
        assert (await second()).payload == b"2"
        assert environments(host) == {second.spec.arn: (0, 1)}


async def test_account_over_its_concurrency_is_throttled(
    own_host: Any, define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling.admits, "__defaults__", (1,))
    async with own_host() as opened:
        host, _ = opened
        run = define(opened, GATED)
        gate = Gate(run.spec.code)
        busy = asyncio.create_task(run(str(gate.path)))
        await until(lambda: environments(host).get(run.spec.arn) == (1, 0))
        with pytest.raises(Throttled):
            await run()
        assert (await run.revised(account="210987654321")()).error is None
        await gate.open()
        await busy
        assert (await run()).error is None


async def test_idle_environments_go_after_the_keep_alive(own_host: Any, define: Define) -> None:
    clock = VirtualClock()
    async with own_host(clock=clock, keep_alive=600) as opened:
        host, _ = opened
        run = define(opened, "import os\ndef handler(e, c): return os.getpid()")
        pid = json.loads((await run()).payload)
        await clock.advance(599)
        assert environments(host) == {run.spec.arn: (0, 1)}
        await clock.advance(10)
        assert environments(host) == {}
        await until(lambda: not alive(pid))


async def test_ended_environments_leave_nothing(
    own_host: Any, define: Define, tmp_path: Path
) -> None:
    async with own_host() as opened:
        host, _ = opened
        run = define(opened, "open('/tmp/x', 'w').close()\ndef handler(e, c): return e")
        await run()
        await host.retire(run.spec.arn)
        await until(lambda: not host._pool._endings)
        files = len(os.listdir(OPEN_FILES))
        for _ in range(3):
            await run()
            await host.retire(run.spec.arn)
            await until(lambda: not host._pool._endings)
        assert len(os.listdir(OPEN_FILES)) == files
        assert list((tmp_path / "cache" / "environments").iterdir()) == []


async def test_dead_zygote_fails_what_ran_and_is_replaced(own_host: Any, define: Define) -> None:
    async with own_host() as opened:
        host, _ = opened
        run = define(opened, GATED)
        gate = Gate(run.spec.code)
        idle = json.loads((await run()).payload)
        busy = asyncio.create_task(run(str(gate.path)))
        await until(lambda: environments(host).get(run.spec.arn) == (1, 0))
        zygote = parent(idle)
        os.kill(zygote, signal.SIGKILL)
        error = json.loads((await busy).payload)
        assert error["errorType"] == "Runtime.ExitError"
        assert error["errorMessage"].endswith("Runtime exited with error: signal: killed")
        results = await asyncio.gather(*(run() for _ in range(3)))
        assert all(result.error is None for result in results)


async def test_environment_that_died_idle_is_passed_over(own_host: Any, define: Define) -> None:
    async with own_host() as opened:
        run = define(opened, "import os\ndef handler(e, c): return os.getpid()")
        pid = json.loads((await run()).payload)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not os.path.exists(f"/proc/{pid}"))
        result = await run()
        assert result.error is None and json.loads(result.payload) != pid


NODE = """
import asyncio, sys
from pathlib import Path
from lambent.core.clock import SystemClock
from lambent.core.ids import SystemIds
from lambent.host.contract import FunctionSpec, Invocation
from lambent.host.local import open_host
from tests.host.conftest import Logs

async def main(folder):
    async def credentials(spec):
        return {}
    host = await open_host(clock=SystemClock(), ids=SystemIds(), cache=folder / "cache",
        endpoint=lambda: "", credentials=credentials, logs=Logs())
    spec = FunctionSpec(arn="a", name="n", account="1", region="r", version="1", revision="1",
        runtime="python3.11", handler="app.handler", code=folder, timeout=60, memory=128)
    print((await host.invoke(spec, Invocation("r", b"{}"))).payload.decode(), flush=True)
    await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.crash
async def test_nothing_outlives_a_killed_node(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import os, subprocess\n"
        "child = subprocess.Popen(['sleep', '1000']).pid\n"
        "def handler(e, c): return [os.getpid(), os.getppid(), child]\n"
    )
    root = Path(__file__).parents[2]
    node = subprocess.Popen(  # noqa: ASYNC220 - the test kills it by its id
        [sys.executable, "-c", NODE, str(tmp_path)], stdout=subprocess.PIPE, cwd=root
    )
    assert node.stdout is not None
    pids = json.loads(await asyncio.to_thread(node.stdout.readline))
    assert all(alive(pid) for pid in pids)
    node.kill()
    node.wait()
    node.stdout.close()
    await until(lambda: not any(alive(pid) for pid in pids))


async def test_an_old_environment_makes_room_for_a_new_one(own_host: Any, define: Define) -> None:
    clock = VirtualClock()
    async with own_host(clock=clock, keep_alive=10 * MOST_AGE) as opened:
        source = "import os\ndef handler(event, context): return os.getpid()\n"
        run = define(opened, source, timeout=900.0)
        first = (await run()).payload
        await clock.advance(MOST_AGE)
        assert (await run()).payload == first
        await clock.advance(1.0)
        assert (await run()).payload != first


async def test_a_runtime_that_never_asks_runs_into_both_limits(
    own_host: Any, define: Callable[..., Function]
) -> None:
    clock = VirtualClock()
    async with own_host(clock=clock) as opened:
        mute = define(opened, "", runtime="provided.al2023", timeout=3.0)
        bootstrap = mute.spec.code / "bootstrap"
        bootstrap.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
        bootstrap.chmod(0o755)
        invoked = asyncio.ensure_future(mute(1))
        for limit in (10.0, 3.0):
            await until(lambda: clock.next_due() is not None)
            await clock.advance(limit)
        result = await invoked
        assert result.error == "Unhandled" and b"Sandbox.Timedout" in result.payload
        assert b"Task timed out after 3.00 seconds" in result.payload
        log = "".join(mute.log)
        assert "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout\n" in log
        assert "Status: timeout" in log.rpartition("REPORT RequestId")[2]
        polite = define(opened, "def handler(event, context): return event")
        assert (await polite("fine")).payload == b'"fine"'
