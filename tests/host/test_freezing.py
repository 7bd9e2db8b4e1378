"""Environments rest between invocations: frozen, thawed in time, and ended all the same."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.host.conftest import Function, _opened, alive, environments, until

from lambent.core.errors import StartupError
from lambent.host.sandboxes.local import LocalSandbox, open_sandbox

RESTLESS = """
    import threading, time
    turns = 0
    def work():
        global turns
        while True:
            turns += 1
            time.sleep(0.0005)
    threading.Thread(target=work, daemon=True).start()
    def handler(event, context):
        return turns
    """


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["groups", "signals"])
async def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Any]:
    """A host that freezes by control groups, and one that freezes by signals."""
    folder = tmp_path_factory.mktemp("freezing")
    sandbox: LocalSandbox | None = None
    if request.param == "groups":
        try:
            sandbox = await open_sandbox("require", folder)
        except StartupError as error:
            pytest.skip(str(error))
        if sandbox.cgroups is None or not sandbox.cgroups.freezes:
            sandbox.close()
            pytest.skip("this machine has no control groups that freeze")
    async with _opened(folder / "cache", sandbox=sandbox) as opened:
        yield opened


def _pid(host: Any, run: Function) -> int:
    (environment,) = host._pool._fleets[run.spec.arn, run.spec.revision].idle
    return int(environment._attempt._process.pid)


def _frozen(host: Any, run: Function) -> bool:
    (environment,) = host._pool._fleets[run.spec.arn, run.spec.revision].idle
    return bool(environment._frozen)


def _worked(pid: int) -> tuple[int, int]:
    """How often its threads ran, as the scheduler counts."""
    counts = [0, 0]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"):
                counts[name.startswith("non")] += int(value)
    return counts[0], counts[1]


async def _stands_still(pid: int) -> bool:
    before = _worked(pid)
    until_then = time.monotonic() + 0.02
    await until(lambda: time.monotonic() > until_then)
    return _worked(pid) == before


async def _at_rest(opened: Any, define: Callable[..., Function]) -> tuple[Function, int]:
    run = define(opened, RESTLESS)
    assert (await run()).error is None
    pid = _pid(opened[0], run)
    await until(lambda: _frozen(opened[0], run))
    while not await _stands_still(pid):  # a freeze takes the kernel a moment
        pass
    return run, pid


async def test_threads_stand_still_between_invocations(
    opened: Any, define: Callable[..., Function]
) -> None:
    run, pid = await _at_rest(opened, define)
    first = int((await run()).payload)
    assert not await _stands_still(pid) or _frozen(opened[0], run)
    await until(lambda: _frozen(opened[0], run))
    second = int((await run()).payload)
    assert second > first
    assert environments(opened[0])[run.spec.arn] == (0, 1)


async def test_a_frozen_environment_ends_when_it_is_retired(
    opened: Any, define: Callable[..., Function]
) -> None:
    run, pid = await _at_rest(opened, define)
    await opened[0].retire(run.spec.arn)
    await until(lambda: not alive(pid))
    assert (await run()).error is None


async def test_a_thawed_environment_still_times_out(
    opened: Any, define: Callable[..., Function]
) -> None:
    source = """
        import time
        def handler(event, context):
            while event: time.sleep(0.01)
        """
    run = define(opened, source, timeout=0.3)
    assert (await run()).error is None
    await until(lambda: _frozen(opened[0], run))
    result = await run(1)
    assert b"Task timed out after 0.30 seconds" in result.payload


async def test_the_frozen_end_with_their_zygote(
    opened: Any, define: Callable[..., Function]
) -> None:
    host, _ = opened
    run, pid = await _at_rest(opened, define)
    runtime = host._runtime(run.spec.runtime)
    launcher = await runtime._launcher()
    # What the end of the node is to a zygote: the end of its socket.
    zygote = launcher._zygote
    zygote._socket.shutdown(socket.SHUT_RDWR)
    await until(lambda: not alive(pid) and not zygote.alive)
    assert (await run()).error is None
