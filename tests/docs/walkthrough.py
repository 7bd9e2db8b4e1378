"""Carries out a guide: its files are written, its commands typed, its output compared.

What a guide may hold:
- ```` ```yaml template.yaml ````: a block whose first line names a file is written there;
- ```` ```python ````: a block without a name is run as a script;
- ```` ```console ````: lines that begin with `$ ` are typed into one shell, and what follows
  each (until the next) is what must come of it. Here `…` stands for any text, and alone on a
  line for any number of lines. In a command, `…` stands for what the same line showed before;
- `$ lambent up …` runs on in the background until `$ ^C` or the end;
- blocks in other languages (`text`, `sh`, `ini`) are for reading only.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

BIN = Path(sys.executable).parent
DOCUMENTED = "http://127.0.0.1:4566"
_INDEX = ("PIP_", "UV_", "SSL_")
_FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class NothingToInstall(Exception):
    """The machine reaches no package index, and the guide needs one."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a guide and the line that it begins on."""

    language: str
    name: str
    text: str
    line: int


@dataclass
class Step:
    """A command and what a guide shows of its output."""

    command: str
    expected: list[str] = field(default_factory=list)


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a Markdown text."""
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(match[1], match[2] or "", match[3], line)


def steps(block: Block) -> list[Step]:
    """The commands of a console block."""
    found: list[Step] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(Step(line[2:]))
        elif line.startswith("> ") and found and not found[-1].expected:
            found[-1].command += "\n" + line[2:]
        elif line.strip():
            found[-1].expected.append(line.rstrip())
    return found


def shows(expected: list[str], actual: str) -> bool:
    """Whether the output is what a guide shows, blank lines and runs of blanks aside."""
    if not expected:
        return True
    pattern = ""
    for line in expected:
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += _loose(line) + "\n"
    text = "".join(f"{_even(line)}\n" for line in actual.splitlines() if line.strip())
    return re.fullmatch(pattern, text) is not None


def _even(line: str) -> str:
    return " ".join(line.split())


def _loose(line: str) -> str:
    return ".*".join(re.escape(part) for part in _even(line).split("…"))


class Walkthrough:
    """One reader with one shell in one folder, following one guide."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._folder = folder
        self._endpoint = f"http://127.0.0.1:{port}"
        self._environment = {
            "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONUTF8": "1",
            "SHELL": "/bin/bash",
            "AWS_PAGER": "",
            "LAMBENT_UP_PORT": str(port),
            "LAMBENT_ENDPOINT": self._endpoint,
            "XDG_CACHE_HOME": str(folder / ".cache"),
            # How this machine reaches a package index.
            **{name: os.environ[name] for name in os.environ if name.startswith(_INDEX)},
        }
        self._shown: list[str] = []
        self._up: subprocess.Popen[str] | None = None
        self._shell = self._start(["bash", "--norc"], stdin=subprocess.PIPE)

    def follow(self, text: str, name: str) -> None:
        """Carry out every block; AssertionError where the guide is wrong."""
        for block in blocks(text):
            where = f"{name}:{block.line}"
            if block.name:
                path = self._folder / block.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, "utf-8")
            elif block.language == "python":
                path = self._folder / ".script.py"
                path.write_text(block.text, "utf-8")
                said, status = self._type(f"python {path.name}")
                assert status == 0, f"{where}: the script fails:\n{said}"
            elif block.language == "console":
                for step in steps(block):
                    said = self._do(step, where)
                    assert shows(step.expected, said), (
                        f"{where}: `{step.command}` shows\n{said}\nand not\n"
                        + "\n".join(step.expected)
                    )

    def close(self) -> None:
        """End the shell and the node, however they are."""
        if self._up is not None:
            self._up.kill()
            self._up.wait(30)
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        self._shell.wait(30)

    def _do(self, step: Step, where: str) -> str:
        command = self._remembered(step.command)
        if command == "^C":
            return self._stop()
        if command.startswith("lambent up"):
            return self._begin(command)
        said, status = self._type(command)
        assert status == 0, f"{where}: `{command}` fails ({status}):\n{said}"
        return said

    def _remembered(self, command: str) -> str:
        if "…" not in command:
            return command
        pattern = r"\S*".join(re.escape(part) for part in command.split("…"))
        for text in reversed(self._shown):
            if match := re.search(pattern, text):
                return match[0]
        raise AssertionError(f"nothing shown before is like `{command}`")

    def _type(self, command: str) -> tuple[str, int]:
        assert self._shell.stdin is not None and self._shell.stdout is not None
        self._shell.stdin.write(f"{command}\nstatus=$?; echo; echo '--done--' $status\n")
        self._shell.stdin.flush()
        lines: list[str] = []
        for line in self._shell.stdout:
            if line.startswith("--done-- "):
                return self._heard("".join(lines)), int(line.split()[1])
            lines.append(line)
        raise AssertionError(f"the shell ended at `{command}`")

    def _begin(self, command: str) -> str:
        arguments = shlex.split(command)
        deploys = any(word.endswith((".yaml", ".json")) for word in arguments)
        self._up = self._start(arguments)
        assert self._up.stdout is not None
        lines: list[str] = []
        for line in self._up.stdout:
            lines.append(line)
            if "could not be installed" in line:
                raise NothingToInstall(line)
            if ("is deployed." if deploys else "stop ") in line:
                break
        else:
            raise AssertionError(f"`{command}` ended:\n{''.join(lines)}")
        # The rest is read, so that a node that says more is never held up.
        threading.Thread(target=self._up.stdout.read, daemon=True).start()
        return self._heard("".join(lines))

    def _stop(self) -> str:
        if self._up is None:
            return ""
        node, self._up = self._up, None
        node.send_signal(signal.SIGINT)
        assert node.wait(30) == 0, "the node does not stop as it should"
        return ""

    def _start(self, command: list[str], stdin: int | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self._folder,
            env=self._environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            executable=str(BIN / "lambent") if command[0] == "lambent" else None,
        )

    def _heard(self, text: str) -> str:
        self._shown.append(text)
        return text.replace(self._endpoint, DOCUMENTED).replace(str(self._folder), "~")
