"""The programs beside a runtime: which there are, what they find, how each ends.

The node's end of `sandboxes.inside.extensions`. What extensions say of themselves is
`extensions_api`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lambent.core.ids import Ids
from lambent.host.report import exit_text
from lambent.host.runtimes.contract import Beside

_FOLDER = "extensions"
_NOT_THEIRS = (
    *("AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
    *("AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS", "LAMBDA_RUNTIME_DIR"),
    *("LAMBDA_TASK_ROOT", "_AWS_XRAY_DAEMON_ADDRESS", "_AWS_XRAY_DAEMON_PORT", "_HANDLER"),
)
_READ_BYTES = 1 << 16


def found(layers: Sequence[Path]) -> dict[str, Path]:
    """The extensions in layers, by file name; those of later layers win."""
    programs: dict[str, Path] = {}
    for layer in layers:
        folder = layer / _FOLDER
        if folder.is_dir():
            programs |= {each.name: each for each in folder.iterdir() if not each.is_dir()}
    return dict(sorted(programs.items()))


def places(
    programs: Mapping[str, Path], layers: Sequence[Path], seen: Sequence[str]
) -> dict[str, str]:
    """Where the environment finds the programs, `seen` being where it finds its layers: all
    in one place, or the last layer first."""
    if len(seen) == 1:
        return {name: f"{seen[0]}/{_FOLDER}/{name}" for name in programs}
    by_layer = dict(zip(map(str, layers), reversed(seen), strict=True))
    return {
        name: f"{by_layer[str(path.parent.parent)]}/{_FOLDER}/{name}"
        for name, path in programs.items()
    }


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """What extensions find of the function's variables."""
    return {name: value for name, value in variables.items() if name not in _NOT_THEIRS}


def address(ids: Ids) -> str:
    """An address of the loopback that most likely nobody else has: 127.64.0.0 to
    127.127.255.255."""
    return numbered(int(ids.hex(6), 16))


def numbered(number: int) -> str:
    """One of these addresses; numbers that follow each other have others."""
    number %= 1 << 22
    return f"127.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


class Programs:
    """The running extensions of one environment. `take` gets what they write, `exited` a name
    and how its process ended."""

    def __init__(self, take: Callable[[bytes], None], exited: Callable[[str, str], None]) -> None:
        self._take = take
        self._exited = exited
        self._control: socket.socket | None = None
        self._output: int | None = None

    def beside(
        self, programs: Mapping[str, str], environment: Mapping[str, str], address: str
    ) -> Beside:
        """What the environment is started with; its descriptors are the caller's to close."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        self._output, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(write, True)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._control.fileno(), self._told)
        loop.add_reader(self._output, self.drain)
        return Beside(programs, environment, write, theirs.detach(), address)

    def begin(self) -> bool:
        """Let the runtime begin; True."""
        if self._control is not None:
            with contextlib.suppress(OSError):  # they are gone: someone else sees that
                self._control.send(json.dumps({"begin": True}).encode())
        return True

    def drain(self) -> bool:
        """Read once what they wrote; whether there may be more."""
        if self._output is None:
            return False
        try:
            data = os.read(self._output, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            asyncio.get_running_loop().remove_reader(self._output)
            return False
        self._take(data)
        return True

    def close(self) -> None:
        """They are gone."""
        loop = asyncio.get_running_loop()
        if self._control is not None:
            loop.remove_reader(self._control.fileno())
            self._control.close()
            self._control = None
        if self._output is not None:
            loop.remove_reader(self._output)
            os.close(self._output)
            self._output = None

    def _told(self) -> None:
        assert self._control is not None
        try:
            data = self._control.recv(_READ_BYTES)
        except (BlockingIOError, ConnectionResetError):
            return
        if not data:
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            return
        # The environment's own processes write here, so anything may come.
        with contextlib.suppress(ValueError, KeyError, TypeError, OverflowError):
            message = json.loads(data)
            how = exit_text(int(message["status"]), "exit code")
            self._exited(str(message["exited"]), how)
