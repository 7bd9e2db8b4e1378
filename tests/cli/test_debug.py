"""`lambent invoke --debug` and `lambent debug`, with a debugger that attaches as they say."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Command
from tests.support.debuggers import Debugger


@pytest.mark.usefixtures("hello")
class TestDebug:
    def test_invoke_waits_for_the_debugger_and_shows_what_the_function_returns(
        self, tmp_path: Path
    ) -> None:
        running = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "lambent",
                    "invoke",
                    "hello",
                    "--payload",
                    '{"name": "Ada"}',
                ),
                *("--debug", "--debug-port", "0", "--source", str(tmp_path)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        asyncio.run(_step_through(_shown_configuration(running), tmp_path))
        out, err = running.communicate(timeout=60)
        assert (running.returncode, out, err.strip()) == (0, '{"hello": "Ada"}\n', "")

    def test_ctrl_c_ends_the_invocation_and_its_session(self, command: Command) -> None:
        running = subprocess.Popen(
            [sys.executable, "-m", "lambent", "invoke", "hello", "--debug", "--debug-port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        _shown_configuration(running)
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=60)
        assert (running.returncode, out) == (130, "")
        assert command("debug", "hello", "--stop").err == (
            "lambent: hello is not being debugged.\n"
        )

    def test_a_session_lasts_until_it_is_stopped(self, command: Command) -> None:
        begun = command("debug", "hello", "--port", "0", "--json").json
        configuration = begun["configuration"]
        assert configuration["connect"]["port"] == begun["port"]
        assert configuration["pathMappings"] == [
            {"localRoot": "${workspaceFolder}", "remoteRoot": begun["folder"]}
        ]
        assert command("debug", "hello", "--stop").status == 0
        again = command("debug", "hello", "--stop")
        assert (again.status, again.err) == (1, "lambent: hello is not being debugged.\n")
        assert command("invoke", "hello").status == 0

    def test_what_cannot_be_is_told(self, command: Command) -> None:
        asynchronous = command("invoke", "hello", "--debug", "--async")
        assert asynchronous.status == 2
        missing = command("debug", "nobody")
        assert missing.status == 1
        assert "Function not found" in missing.err


def _shown_configuration(running: subprocess.Popen[str]) -> dict[str, Any]:
    """The JSON among what the command says, once it is complete."""
    assert running.stderr is not None
    text = ""
    for line in running.stderr:
        text += line
        if line == "}\n":
            return dict(json.loads(text[text.index("{") :]))
    raise AssertionError(text)


async def _step_through(configuration: dict[str, Any], source: Path) -> None:
    (mapping,) = configuration["pathMappings"]
    assert mapping["localRoot"] == str(source)
    debugger = await Debugger.attach(
        configuration["connect"]["port"], mapping["localRoot"], mapping["remoteRoot"], [2], "index"
    )
    frame = await debugger.stopped()
    assert await debugger.value(frame, "event['name']") == "'Ada'"
    await debugger.go_on(frame)
    await debugger.leave()
