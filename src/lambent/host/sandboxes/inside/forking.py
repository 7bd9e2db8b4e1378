"""The loop of a zygote: it forks a process per environment, puts it in its sandbox, reaps it.

A zygote is a single-threaded process of its own under `python -I -S`. Its program loads this
package by file, enters the sandbox with `enter`, loads what environments share, and calls
`Zygote.serve`, which returns only in forked children: with what they are to run.

Messages on the control socket (SOCK_SEQPACKET, JSON):

    node → zygote  {"start": n, "number", "environment", "code", "layers", "scratch", "keep",
                    "limits", "tasks", ...} + output fd; with "extensions": + their output fd,
                    their control fd (see `extensions`)
                   with "zygote", a function zygote: + its control fd
                   {"shell": n, "code", "layers", "limits"} + two sockets (see `shells`), for
                    what the function zygote n forks
                   {"terminate": n}, {"kill": n}, {"stop": n}, {"continue": n}
    zygote → node  {"ready": true}, {"started": n} + pidfd, {"exited": n, "status": s},
                   {"gone": n}, {"failed": reason} and the end, where the sandbox is not possible
                   {"listening": n} + the sockets of an environment with its own network

An environment's process that ends takes all others with it, except where it has extensions:
they go on until the environment is killed, and only then it is gone.

An isolated environment has a pid namespace of its own, whose first process does nothing but
end when it should, and take all others with it. It belongs to the zygote by a pipe: so the
end of the node is the end of the zygote, and that the end of everything.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import select
import signal
import socket
import sys
from dataclasses import dataclass, field
from typing import Any

from . import (
    extensions,
    firsts,
    forks,
    kernel,
    limits,
    mounts,
    network,
    private_tmp,
    rooted,
    rootless,
    seccomp,
)

TELEMETRY_FD = 3
_HERE = os.path.dirname(os.path.abspath(__file__))
_PYTHON = os.path.realpath(sys.executable)
MESSAGE_BYTES = 1 << 20
_MANY = 1024
_KINDS: dict[str, Any] = {"rooted": rooted, "rootless": rootless}


def enter(control: socket.socket, options: dict[str, Any]) -> None:
    """Enter the zygote's own sandbox, before anything is loaded; ends the process where
    that is not possible."""
    if options["kind"] == "off":
        return
    try:
        _KINDS[options["kind"]].enter()
        mounts.build(options["base"], options["show"], options["runtime"], options["hide"])
    except (OSError, KeyError) as error:
        with contextlib.suppress(OSError):
            control.send(json.dumps({"failed": str(error)}).encode())
        os._exit(1)


@dataclass(slots=True)
class _Environment:
    """One environment's processes: its own, and its namespace's first."""

    number: int
    main: int
    first: int | None
    tasks: list[str]
    lingers: bool = False
    status: int | None = None
    namespace: int | None = None
    """Of a function zygote: its pid namespace and, below, its process, as descriptors."""
    process: int | None = None
    shells: list[str] = field(default_factory=list)
    """Of a function zygote: the files of the groups that its forks are in."""


class Zygote:
    """The loop that forks and reaps."""

    def __init__(
        self, control: socket.socket, options: dict[str, Any], *, large: bool = False
    ) -> None:
        self._control = control
        self._options = options
        self._kind = _KINDS.get(options["kind"])
        self._environments: dict[int, _Environment] = {}
        self._by_pid: dict[int, _Environment] = {}
        self._pid = os.getpid()
        self._maker: socket.socket | None = None
        self._life, self._alive = os.pipe2(os.O_CLOEXEC)
        if self._kind is not None:
            self._own = os.open(f"{mounts.HOST}/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
            self._filter = seccomp.program(platform.machine())
            # Forks of a function zygote enter shells, which only we can make.
            self._zygote_filter = seccomp.program(platform.machine(), allowed=("setns",))
            self._large = large
            if large:
                kernel.adopt_orphans()
                self._maker = self._start_maker()
                self._ask_for_first()

    def serve(self) -> dict[str, Any]:
        """Serve until the node ends. Returns only in a forked child: what it is to run."""
        wake, wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(wake, select.POLLIN)
        self._send({"ready": True})
        while True:
            for fd, _ in poll.poll():
                if fd == wake:
                    os.read(wake, 4096)
                    self._reap()
                    continue
                data, fds, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, 4)
                if not data:
                    self._end()
                message = json.loads(data)
                if "kill" in message:
                    self._kill(message["kill"])
                elif "stop" in message:
                    self._signal_group(message["stop"], signal.SIGSTOP)
                elif "continue" in message:
                    self._signal_group(message["continue"], signal.SIGCONT)
                elif "terminate" in message:
                    self._terminate(message["terminate"])
                elif "shell" in message:
                    self._make_shell(message, fds)
                elif self._start(message, fds):
                    signal.set_wakeup_fd(-1)
                    self._become(message, fds)
                    return message  # type: ignore[no-any-return]

    def layers(self, launch: dict[str, Any]) -> list[str]:
        """Where a child finds its layers."""
        if self._kind is None:
            return list(launch["layers"])
        return [mounts.LAYERS] if launch["layers"] else []

    # The zygote ----------------------------------------------------------------------------

    def _start(self, message: dict[str, Any], fds: list[int]) -> bool:
        """Fork; True in the child."""
        first = namespace = None
        if self._kind is not None:
            if message["zygote"] and self._maker is None:
                self._maker = self._start_maker()
            first, namespace = self._enter_new_namespace()
        main = os.fork()
        if main == 0:
            return True
        if namespace is not None:
            kernel.setns(self._own, kernel.CLONE_NEWPID)
            self._ask_for_first()
            if not message["zygote"]:
                os.close(namespace)
                namespace = None
        environment = _Environment(
            message["start"], main, first, message["tasks"], "extensions" in message
        )
        self._environments[environment.number] = environment
        for pid in (main, first):
            if pid is not None:
                self._by_pid[pid] = environment
        pidfd = os.pidfd_open(main)
        self._send({"started": environment.number}, pidfd)
        if namespace is None:
            os.close(pidfd)
        else:
            environment.namespace, environment.process = namespace, pidfd
        for fd in fds:
            os.close(fd)
        return False

    def _make_shell(self, message: dict[str, Any], fds: list[int]) -> None:
        """Pass it on to the maker."""
        zygote = self._environments.get(message["shell"])
        if zygote is not None and zygote.namespace is not None and zygote.process is not None:
            assert self._maker is not None
            if len(zygote.shells) > _MANY:
                kept = [path for path in zygote.shells if os.path.exists(mounts.HOST + path)]
                zygote.shells = kept
            zygote.shells += message["tasks"]
            given = [zygote.namespace, zygote.process, *fds]
            with contextlib.suppress(OSError):  # it is gone: who waits sees the sockets close
                socket.send_fds(self._maker, [json.dumps(message).encode()], given)
        for fd in fds:
            os.close(fd)

    def _start_maker(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            signal.set_wakeup_fd(-1)
            fd = os.dup2(theirs.fileno(), 3)
            os.closerange(4, 1 << 16)
            script = f"{mounts.HOST}{_HERE}/maker.py"
            options = json.dumps(self._options)
            os.execv(  # noqa: S606
                _PYTHON, [_PYTHON, "-I", "-S", "-X", "utf8", script, str(fd), options]
            )
        theirs.close()
        return ours

    def _enter_new_namespace(self) -> tuple[int, int]:
        """Have the next child be in a pid namespace of its own; its first process, and it."""
        if not self._large or self._maker is None:
            return firsts.make(self._life)
        first, namespace = firsts.take(self._maker)
        kernel.setns(namespace, kernel.CLONE_NEWPID)
        return first, namespace

    def _ask_for_first(self) -> None:
        """Have the next namespace made ahead."""
        if self._large and self._maker is not None:
            self._maker.send(json.dumps({"first": True}).encode())

    def _send(self, message: dict[str, Any], fd: int | None = None) -> None:
        try:
            socket.send_fds(
                self._control, [json.dumps(message).encode()], [] if fd is None else [fd]
            )
        except OSError:
            self._end()

    def _terminate(self, number: int) -> None:
        environment = self._environments.get(number)
        if environment is not None and environment.status is None:
            _signal(environment.main, signal.SIGTERM)

    def _kill(self, number: int) -> None:
        environment = self._environments.get(number)
        if environment is None:
            return
        lingered, environment.lingers = environment.lingers, False
        if environment.first is not None:
            _signal(environment.first)
        else:
            if environment.status is None or lingered:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(environment.main, signal.SIGKILL)
            if environment.status is None:
                _signal(environment.main)  # it may not have made its own group yet
            else:
                self._forget(environment)
        limits.thaw(mounts.HOST + path for path in (*environment.tasks, *environment.shells))

    def _signal_group(self, number: int, what: signal.Signals) -> None:
        environment = self._environments.get(number)
        if environment is not None and environment.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(environment.main, what)

    def _reap(self) -> None:
        while self._by_pid:
            try:
                info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if info is None:
                return
            environment = self._by_pid.get(info.si_pid)
            if environment is not None and environment.first is None and not environment.lingers:
                # Its children go first, while its id still cannot be another's.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(info.si_pid, signal.SIGKILL)
            pid, status = os.waitpid(info.si_pid, 0)
            if environment is not None:
                del self._by_pid[pid]
                self._ended(environment, pid, status)

    def _ended(self, environment: _Environment, pid: int, status: int) -> None:
        if pid == environment.main:
            environment.status = status
        else:
            environment.first = None
        if environment.status is None:
            return
        if pid == environment.main and environment.lingers:
            self._send({"exited": environment.number, "status": status})
        elif environment.first is not None:
            _signal(environment.first)  # with it, all that is left of the environment
        elif not environment.lingers:
            self._forget(environment)

    def _forget(self, environment: _Environment) -> None:
        """Nothing is left of it."""
        for fd in (environment.namespace, environment.process):
            if fd is not None:
                os.close(fd)
        del self._environments[environment.number]
        self._send({"exited": environment.number, "status": environment.status})
        self._send({"gone": environment.number})

    def _end(self) -> None:
        if self._maker is not None:
            self._maker.close()  # it ends with this
        for number in tuple(self._environments):
            self._kill(number)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)
        os._exit(0)

    # The environment -----------------------------------------------------------------------

    def _become(self, launch: dict[str, Any], fds: list[int]) -> None:
        """Turn this fresh child into the environment's process."""
        output = fds[0]
        own = socket.socket(fileno=fcntl.fcntl(self._control, fcntl.F_DUPFD_CLOEXEC, 64))
        self._control.close()
        os.close(self._alive)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        kept = TELEMETRY_FD
        if launch["zygote"]:
            # Far up, so that nothing below is in its way, but within the 1,024 of most machines.
            high = fcntl.fcntl(fds[1], fcntl.F_DUPFD_CLOEXEC, 1 << 9)
            output = fcntl.fcntl(output, fcntl.F_DUPFD_CLOEXEC, 1 << 9)
            kept = os.dup2(high, forks.CONTROL_FD, inheritable=False)
        output = os.dup(output) if output <= TELEMETRY_FD else output
        for fd in (1, 2):
            os.dup2(output, fd)
        os.dup2(output, TELEMETRY_FD, inheritable=False)
        os.setsid()
        os.environ.clear()
        os.environ.update(launch["environment"])
        if self._kind is None:
            kernel.die_with_parent(signal.SIGKILL)
            if os.getppid() != self._pid:
                os._exit(1)
            if not private_tmp.enter(launch["scratch"], launch["keep"]):
                os.environ["TMPDIR"] = launch["scratch"]
            os.chdir(launch["code"])
        else:
            try:
                self._isolate(launch, own)
            except OSError as error:
                os.write(2, f"The sandbox could not be entered: {error}\n".encode())
                os._exit(1)
        own.close()
        if "extensions" in launch:
            extensions.start(launch["extensions"], *fds[1:])
        os.closerange(kept + 1, 1 << 16)

    def _isolate(self, launch: dict[str, Any], control: socket.socket) -> None:
        limits.join(mounts.HOST + path for path in launch["tasks"])
        kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS)
        kernel.sethostname("localhost")
        if launch["ports"]:
            made = network.enter(launch["ports"], launch["ways"])
            message = json.dumps({"listening": launch["start"]}).encode()
            socket.send_fds(control, [message], [each.fileno() for each in made])
        mounts.furnish(
            launch["code"],
            launch["layers"],
            launch["limits"]["ephemeral"],
            self._options["show"],
            launch["address"],
        )
        limits.apply(launch["limits"]["processes"])
        assert self._kind is not None
        self._kind.identify(self._options["zygote"], launch["start"])
        kernel.drop_capabilities()
        kernel.no_new_privileges()
        kernel.install_filter(self._zygote_filter if launch.get("zygote") else self._filter)
        os.umask(0o022)
        os.chdir(mounts.TASK)


def _signal(pid: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
