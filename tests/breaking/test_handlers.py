"""Handlers that misbehave: an error like AWS's, and the node goes on."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import ClientFactory

Called = Callable[..., tuple[str | None, str]]


def archive(files: dict[str, str | bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, text in files.items():
            writer.writestr(name, text)
    return made.getvalue()


def link() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as writer:
        outside = zipfile.ZipInfo("link")
        outside.create_system, outside.external_attr = 3, 0o120777 << 16
        writer.writestr(outside, "/tmp")
        writer.writestr("link/evil.py", "")
    return made.getvalue()


@pytest.fixture
def create(client: ClientFactory, account: str) -> Callable[..., Any]:
    def make(code: bytes, **settings: Any) -> Any:
        made = client("lambda")
        made.create_function(
            FunctionName="f",
            Runtime="python3.11",
            Role=f"arn:aws:iam::{account}:role/r",
            Handler="index.handler",
            Code={"ZipFile": code},
            **settings,
        )
        return made

    return make


@pytest.fixture
def call(create: Callable[..., Any]) -> Called:
    def run(text: str, **settings: Any) -> tuple[str | None, str]:
        answer = create(archive({"index.py": text}), **settings).invoke(FunctionName="f")
        return answer.get("FunctionError"), answer["Payload"].read().decode()

    return run


def lines(*body: str) -> str:
    return "\n    ".join(["import os, sys, time\ndef handler(event, context):", *body])


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (lines("raise ValueError('no')"), '"errorType": "ValueError"'),
        (lines("raise ValueError('x' * 8_000_000)"), "Function.ResponseSizeTooLarge"),
        (lines("return 'x' * 7_000_000"), "Function.ResponseSizeTooLarge"),
        (lines("sys.exit(3)"), "Runtime exited with error: exit status 3"),
        (lines("os._exit(0)"), "Runtime exited without providing a reason"),
        (lines("os.kill(os.getpid(), 9)"), "signal: killed"),
        (lines("return {1}"), "Runtime.MarshalError"),
        (lines("a = []", "a.append(a)", "return a"), "Runtime.MarshalError"),
        ("raise RuntimeError('at import')", "at import"),
        ("def (", "Runtime.UserCodeSyntaxError"),
        ("x = 1", "Runtime.HandlerNotFound"),
    ],
)
def test_what_goes_wrong_is_told_as_aws_tells_it(call: Called, code: str, said: str) -> None:
    error, payload = call(code)
    assert error == "Unhandled"
    assert said in payload


def test_a_handler_that_ignores_signals_still_ends_at_its_timeout(call: Called) -> None:
    text = lines("import signal", "signal.signal(15, signal.SIG_IGN)", "while True: time.sleep(1)")
    error, payload = call(text, Timeout=1)
    assert (error, "Task timed out after 1.00 seconds" in payload) == ("Unhandled", True)


@pytest.mark.parametrize(
    "body",
    [
        ("os.close(1)", "os.close(2)", "return 1"),
        ("for i in range(1000): sys.stdout.write('x' * 50_000)", "return 1"),
        ("os.write(1, bytes(range(256)) * 100)", "return 1"),
        ("if os.fork() == 0:", "    time.sleep(300)", "    os._exit(0)", "return 1"),
    ],
)
def test_output_and_children_do_not_hold_an_answer_up(call: Called, body: tuple[str, ...]) -> None:
    assert call(lines(*body), Timeout=20) == (None, "1")


@pytest.mark.parametrize(
    "code",
    [
        b"hello",
        archive({}),
        archive({"../../evil.py": "", "index.py": ""}),
        archive({"/tmp/evil.py": "", "index.py": ""}),
        link(),
        archive({"zeros": bytes(270_000_000)}),
    ],
    ids=["no zip", "empty", "dot dot", "absolute", "symlink", "bomb"],
)
def test_an_archive_that_is_harmful_is_refused(create: Callable[..., Any], code: bytes) -> None:
    with pytest.raises(ClientError) as raised:
        create(code)
    assert raised.value.response["Error"]["Code"] == "InvalidParameterValueException"
