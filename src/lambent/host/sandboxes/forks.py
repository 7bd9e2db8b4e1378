"""The node's end of a function zygote (its own end is `inside.forks`).

The zygote is an environment's process that has run the function's code. What it says of its
forks is used to know them sooner and better; how they are limited and ended does not depend
on it: each has a shell, whose first process the base zygote made and the node can end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lambent.host.runtimes.contract import Launch, LaunchFailed
from lambent.host.sandboxes.cgroups import Group
from lambent.host.sandboxes.contract import Limits
from lambent.host.sandboxes.zygote import Child, Forker, ZygoteGone

MakeShell = Callable[[Launch, list[str], int, int], str]
"""Have a shell made for a launch, in these groups: its maker gets the two sockets. Gives the
shell's own address of the loopback, "" where it has none."""
_MESSAGE_BYTES = 1 << 20
_SPARE_AFTER = 0.02
"""Seconds after a fork in which it has the machine to itself, before the next is made ahead."""


class Fork(Child):
    """An environment's process in its shell: ended, and known to be gone, by that."""

    def __init__(self, child: Child, shell: int, address: str) -> None:
        super().__init__(child.zygote, child.number, child.pid)
        self.isolated = True
        self.address = address
        self.lingers = False
        """Whether what is beside its own process goes on after that."""
        self._shell: int | None = shell
        self._loop = asyncio.get_running_loop()
        child.exited.add_done_callback(self._said)
        self._loop.add_reader(shell, self._ended)

    def terminate(self) -> None:
        if self.lingers:
            super().terminate()
        else:
            self.kill()  # nothing else has a say at its end

    def kill(self) -> None:
        if self.group is not None:
            self.group.freeze(False)  # in version 1, the frozen do not even die
        if self._shell is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._shell, signal.SIGKILL)

    def _said(self, reported: asyncio.Future[int]) -> None:
        """Its own process ended, says the zygote; with it goes what else is in the shell."""
        if not self.exited.done():
            self.exited.set_result(reported.result())
        if not self.lingers:
            self.kill()

    def _ended(self) -> None:
        """All that was in the shell is gone."""
        if self._shell is not None:
            self._loop.remove_reader(self._shell)
            os.close(self._shell)
            self._shell = None
        if not self.exited.done():
            self.exited.set_result(signal.SIGKILL)
        if not self.gone.done():
            self.gone.set_result(None)


@dataclass(slots=True)
class _Spare:
    """A process that waits in its sandbox to be told what it is: its control group, the socket
    to tell it, and what becomes of its start; `made` gives its shell's first process, or none
    and why; `address` is the shell's own."""

    group: Group | None
    launch: socket.socket
    started: asyncio.Task[Child]
    made: asyncio.Task[tuple[int | None, str]] | None
    address: str

    @property
    def broken(self) -> bool:
        """Whether it is no use."""
        if self.started.done():
            if self.started.cancelled() or self.started.exception() is not None:
                return True
            return self.started.result().exited.done()
        return False


class FunctionZygote(Forker):
    """A function zygote (see `runtimes.contract`), for launches like `launch`.

    `make_shell` is None where processes are not isolated, and `keep` what they then keep
    seeing in /tmp; `limit` sets what a process may use.
    """

    def __init__(
        self,
        launch: Launch,
        keep: Sequence[str],
        make_shell: MakeShell | None,
        make_group: Callable[[Limits], Group | None],
        limit: Callable[[Child, Limits, Group | None], None],
    ) -> None:
        super().__init__()
        self._launch = launch
        self._keep = keep
        self._make_shell = make_shell
        self._make_group = make_group
        self._limit = limit
        self._process: Child | None = None
        self._spare: _Spare | None = None

    @property
    def process(self) -> Child:
        """Its own process."""
        assert self._process is not None
        return self._process

    def began(self, process: Child) -> None:
        """It is started, and has its end of the connection."""
        self._process = process
        self.their_end.close()
        process.exited.add_done_callback(lambda _: self._hang_up())
        if self.ready.done():
            self._make_spare()

    def _hang_up(self) -> None:
        if self.alive:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    async def fork(self, launch: Launch) -> Child:
        """Start an environment's process. `LaunchFailed` when that is not possible."""
        message: dict[str, object] = {
            "environment": dict(launch.environment),
            "scratch": str(launch.scratch),
            "keep": [*self._keep, str(launch.code), *map(str, launch.layers)],
        }
        given = [launch.output]
        if (beside := launch.beside) is not None:
            given += [beside.output, beside.control]
            message["extensions"] = {
                "programs": dict(beside.programs),
                "environment": dict(beside.environment),
            }
        spare, self._spare = self._spare, None
        if spare is None or spare.broken:
            if spare is not None:
                self._dispose(spare)
            spare = self._prepare()
        try:
            child = await self._entered(spare)
            if isinstance(child, Fork):
                child.lingers = beside is not None
            socket.send_fds(spare.launch, [json.dumps(message).encode()], given)
        except OSError as error:
            self._dispose(spare)
            raise LaunchFailed(f"The fork is gone: {error}.") from error
        except BaseException:
            self._dispose(spare)
            raise
        spare.launch.close()
        if self._make_shell is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError, ValueError):
                most = launch.limits.processes
                resource.prlimit(child.pid, resource.RLIMIT_NPROC, (most, most))
            self._limit(child, launch.limits, spare.group)
        asyncio.get_running_loop().call_later(_SPARE_AFTER, self._make_spare)
        return child

    async def _entered(self, spare: _Spare) -> Child:
        """The process, once it is in its sandbox."""
        try:
            child = await asyncio.shield(spare.started)
        except ZygoteGone as error:
            raise LaunchFailed("The function's zygote is gone.") from error
        except LaunchFailed as error:
            if spare.made is None:
                raise
            _, why = await spare.made
            raise LaunchFailed(f"No sandbox could be made: {why}.") from error
        if spare.made is None:
            return child
        first, why = await asyncio.shield(spare.made)
        if first is None:
            raise LaunchFailed(f"No sandbox could be made: {why}.")
        spare.made = None
        return Fork(child, first, spare.address)

    def _prepare(self) -> _Spare:
        """Have a process forked that waits to be told what it is."""
        group: Group | None = None
        made: asyncio.Task[tuple[int | None, str]] | None = None
        address = ""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MESSAGE_BYTES)
        given = [theirs]
        if self._make_shell is not None:
            group = self._make_group(self._launch.limits)
            to_node, from_maker = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            to_fork, maker_to_fork = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            given.append(to_fork)
            tasks = group.tasks if group else []
            address = self._make_shell(
                self._launch, tasks, from_maker.detach(), maker_to_fork.detach()
            )
            made = asyncio.create_task(_received(to_node))
        message = {"processes": self._launch.limits.processes}
        started = asyncio.create_task(self.start(message, *(end.fileno() for end in given)))

        def settled(_: asyncio.Task[Child]) -> None:
            for end in given:
                end.close()

        started.add_done_callback(settled)
        return _Spare(group, ours, started, made, address)

    def _make_spare(self) -> None:
        if self.alive and self._spare is None and self._process is not None:
            with contextlib.suppress(LaunchFailed):
                self._spare = self._prepare()

    def _dispose(self, spare: _Spare) -> None:
        """End a process that was never told what it is."""
        spare.launch.close()

        def end(made: asyncio.Task[tuple[int | None, str]]) -> None:
            first = None if made.cancelled() or made.exception() else made.result()[0]
            if first is not None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(first, signal.SIGKILL)
                os.close(first)
            if spare.group is not None:
                spare.group.remove()

        if spare.made is not None:
            spare.made.add_done_callback(end)
        spare.started.add_done_callback(_retrieved)

    def _take(self, message: dict[str, int | str], fds: list[int]) -> None:
        if "unfit" in message:
            self._reason = str(message["unfit"])[:100]
            self._hang_up()
        elif "exited" in message and int(message["exited"]) in self._starts:
            starting = self._starts.pop(int(message["exited"]))
            starting.set_exception(LaunchFailed("The process could not enter its sandbox."))
        else:
            super()._take(message, fds)
            if "ready" in message:
                self._make_spare()

    def _lost(self) -> None:
        if not self.ready.done():
            unfit = LaunchFailed(self._reason, "Lambent.Unfit")
            self.ready.set_exception(unfit if self._reason else LaunchFailed("it ended"))
            self.ready.exception()  # nobody may be waiting
        if self._spare is not None:
            self._dispose(self._spare)
            self._spare = None
        if self._process is not None:
            self._process.kill()


def _retrieved(started: asyncio.Task[Child]) -> None:
    if not started.cancelled():
        started.exception()  # nobody waits for it any more


async def _received(end: socket.socket) -> tuple[int | None, str]:
    """The descriptor that comes by this socket; None, and why, when it ends without one."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    end.setblocking(False)
    loop.add_reader(end.fileno(), readable.set)
    try:
        await readable.wait()
        text, fds, _, _ = socket.recv_fds(end, 4096, 1)
    except ConnectionResetError:
        return None, "it ended"
    finally:
        loop.remove_reader(end.fileno())
        end.close()
    return (fds[0], "") if fds else (None, text.decode("utf-8", "replace"))
