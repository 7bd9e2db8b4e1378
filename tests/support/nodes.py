"""Live nodes for tests: in a thread of this process, or in a process of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from lambent.app import Node
from lambent.core.clock import Clock
from lambent.core.credentials import AccessKey
from lambent.core.settings import Settings

T = TypeVar("T")
_START_SECONDS = 60.0


class ThreadNode:
    """A node on an event loop of its own, in a background thread.

    `run` runs a coroutine on that loop, for what has no public surface. A node may be
    stopped and started again on the same data folder; it keeps its port.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.administrator: AccessKey | None = None
        self.node: Node
        self._clock = clock
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._running = False

    @property
    def endpoint(self) -> str:
        return self.node.endpoint

    @property
    def port(self) -> int:
        return self.node.port

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_START_SECONDS)

    def call(self, function: Callable[[], T]) -> T:
        """Call a plain function on the node's loop."""

        async def work() -> T:
            return function()

        return self.run(work())

    def start(self) -> ThreadNode:
        self.node = Node(self.settings, self._clock)
        self.run(self.node.start())
        self._running = True
        self.administrator = self.node.administrator or self.administrator
        self.settings = replace(self.settings, port=self.node.port)
        return self

    def stop(self) -> None:
        if self._running:
            self._running = False
            self.run(self.node.stop())

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop, and end the thread."""
        try:
            self.stop()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_START_SECONDS)
            self._loop.close()


class ProcessNode:
    """A node in a process of its own, which may be killed and started again. `source` is a
    folder with another version of the program."""

    def __init__(
        self,
        data_dir: Path,
        *,
        auth: bool = False,
        port: int = 0,
        store: str | None = None,
        blobs: Path | None = None,
        lease: float = 10.0,
        clock_ahead: float = 0.0,
        source: Path | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.port = port
        self.endpoint = ""
        self.administrator: AccessKey | None = None
        self._auth = auth
        self._source = source
        self._shared = ["--store", store, "--blobs", str(blobs)] if store else []
        self._shared += ["--lease", str(lease), f"--clock-ahead={clock_ahead}"]
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> ProcessNode:
        """Start the node and wait until it answers; on the same port as before."""
        self.launch()
        return self.ready()

    def launch(self) -> None:
        """Begin to start it."""
        command = [sys.executable, "-m", "tests.support.node_process"]
        command += ["--data-dir", str(self.data_dir), "--port", str(self.port)]
        command += self._shared
        if self._auth:
            command.append("--auth")
        root = Path(__file__).parents[2]
        path = {} if self._source is None else {"PYTHONPATH": str(self._source)}
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=root, env=os.environ | path
        )

    def ready(self) -> ProcessNode:
        """Wait until it answers."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The node ended with status {self._process.wait()}")
        said = json.loads(line)
        self.endpoint, self.port = said["endpoint"], said["port"]
        if said["administrator"] is not None:
            self.administrator = AccessKey(**said["administrator"])
        return self

    def kill(self) -> None:
        """End it as power loss does, and reap it."""
        self._end(signal.SIGKILL)

    def stop(self) -> int | None:
        """Ask it to drain, and wait; its status."""
        return self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Stop it where it is, as a machine that hangs."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, how: signal.Signals) -> int | None:
        if self._process is None:
            return None
        process, self._process = self._process, None
        process.send_signal(how)
        process.wait(_START_SECONDS)
        assert process.stdout is not None
        process.stdout.close()
        return process.returncode
