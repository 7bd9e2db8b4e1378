"""Functions to test with."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

ROLE = "arn:aws:iam::123456789012:role/lambda"
ECHO = "def handler(event, context):\n    return event\n"
RAISES = "def handler(event, context):\n    raise ValueError('broken')\n"

Make = Callable[..., dict[str, Any]]
_pause = threading.Event()


def archive(source: str, name: str = "index.py") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, source)
    return buffer.getvalue()


def payload(response: dict[str, Any]) -> Any:
    return json.loads(response["Payload"].read())


def open_url(functions: Any, name: str, auth: str = "NONE", **more: Any) -> None:
    """Let everyone call a function's URL, as SAM and the console do: by two statements."""
    for sid, arguments in {
        "FunctionURLAllowPublicAccess": {
            "Action": "lambda:InvokeFunctionUrl",
            "FunctionUrlAuthType": auth,
        },
        "FunctionURLInvokeAllowPublicAccess": {
            "Action": "lambda:InvokeFunction",
            "InvokedViaFunctionUrl": True,
        },
    }.items():
        functions.add_permission(
            FunctionName=name, StatementId=sid, Principal="*", **arguments, **more
        )


def until(probe: Callable[[], Any], seconds: float = 15.0) -> Any:
    """The first true answer of `probe`: for what a live node does on its own time."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if found := probe():
            return found
        _pause.wait(0.02)
    raise AssertionError("it did not happen in time")


@pytest.fixture
def functions(client: Callable[..., Any]) -> Any:
    return client("lambda")


@pytest.fixture
def make(functions: Any) -> Make:
    """`make("name", source, Timeout=3, ...)`: a Python function."""

    def create(name: str, source: str = ECHO, **more: Any) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "FunctionName": name,
            "Runtime": "python3.11",
            "Role": ROLE,
            "Handler": "index.handler",
            "Code": {"ZipFile": archive(source)},
            **more,
        }
        made: dict[str, Any] = functions.create_function(**arguments)
        return made

    return create


class Queue:
    """A queue of the test's."""

    def __init__(self, sqs: Any, name: str, **attributes: str) -> None:
        self.sqs = sqs
        self.url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self.arn = self.attribute("QueueArn")

    def attribute(self, name: str) -> str:
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])
        value: str = found["Attributes"][name]
        return value

    def send(self, *bodies: str) -> list[str]:
        return [
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body)["MessageId"]
            for body in bodies
        ]

    def left(self) -> tuple[int, int]:
        """How many messages wait, and how many are in flight."""
        return (
            int(self.attribute("ApproximateNumberOfMessages")),
            int(self.attribute("ApproximateNumberOfMessagesNotVisible")),
        )

    def receive(self, seconds: int = 10) -> dict[str, Any]:
        found = self.sqs.receive_message(
            QueueUrl=self.url,
            WaitTimeSeconds=seconds,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        message: dict[str, Any] = found["Messages"][0]
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return message


@pytest.fixture
def queue(client: Callable[..., Any]) -> Callable[..., Queue]:
    sqs = client("sqs")
    return lambda name="q", **attributes: Queue(sqs, name, **attributes)


class Gate:
    """Where a function waits until the test lets it go on: a server that answers then."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._server.getsockname()
        return host, port

    def open(self) -> None:
        self._opened.set()

    def close(self) -> None:
        self._opened.set()
        with contextlib.suppress(OSError):
            socket.create_connection(self.address).close()
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        waiting, _ = self._server.accept()
        with waiting:
            waiting.recv(65536)
            self._opened.wait()
            with contextlib.suppress(OSError):
                waiting.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.close()
