"""The burst of `benchmarks.flow` in real time: a node of its own, functions in their
environments, and a dependency in this process that they call over HTTP."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from benchmarks.flow_result import FLOW, RECEIVES, Result
from lambent.core.clock import SystemClock

CAPACITY = 8
QUICK, STUCK = 0.1, 0.5
MAXIMUM = 32
LONGEST = 150.0
ACCOUNT = "123456789012"
IDEAL = CAPACITY / QUICK
CLOCK = SystemClock()
HANDLER = """
import json, os, urllib.request
def handler(event, context):
    failed = []
    for record in event["Records"]:
        try:
            urllib.request.urlopen(os.environ["DEPENDENCY"], timeout=5).read()
        except OSError:
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
"""


@dataclass
class Dependency:
    """Answers over HTTP, and breaks down when too many use it at once."""

    done: dict[int, int] = field(default_factory=dict)
    failed: dict[int, int] = field(default_factory=dict)
    began: float = 0.0
    most: int = 0
    port: int = 0
    _running: int = 0

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        """Until it is stopped."""
        self._overload = asyncio.Event()
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await stop.wait()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        well = await self._work()
        counts = self.done if well else self.failed
        second = int(CLOCK.monotonic() - self.began)
        counts[second] = counts.get(second, 0) + 1
        status = b"200 OK" if well else b"503 Service Unavailable"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def _work(self) -> bool:
        self._running += 1
        self.most = max(self.most, self._running)
        try:
            if self._running > CAPACITY:
                self._overload.set()
                self._overload = asyncio.Event()
                await CLOCK.sleep(STUCK)
                return False
            if await CLOCK.wait(self._overload, QUICK):
                await CLOCK.sleep(STUCK)
                return False
            return True
        finally:
            self._running -= 1


@contextmanager
def _dependency() -> Iterator[Dependency]:
    made, ready = Dependency(), threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(made.serve(ready, stop)))
    thread.start()
    ready.wait()
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@contextmanager
def _node() -> Iterator[str]:
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="lambent-flow-")))
        log = ends.enter_context((folder / "log").open("wb"))
        process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("lambent")),
                *("up", "--port", "0", "--data-dir", str(folder / "data"), "--json"),
            ],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        ends.callback(process.wait, 60)
        ends.callback(process.terminate)
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["endpoint"]


def run(messages: int) -> list[Result]:
    """With flow control and without, one after the other, each on a node of its own."""
    results = []
    for flow, name in ((FLOW, "with flow control, real"), ({}, "without, real")):
        print(f"real time, {name} …", file=sys.stderr, flush=True)
        with _dependency() as dependency, _node() as endpoint:
            results.append(_one(endpoint, dependency, messages, flow, name))
    return results


def _one(
    endpoint: str, dependency: Dependency, messages: int, flow: dict[str, Any], name: str
) -> Result:
    session = botocore.session.Session()

    def client(service: str) -> Any:
        return session.create_client(
            service,
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="x",
            config=Config(retries={"total_max_attempts": 1}),
        )

    sqs, functions = client("sqs"), client("lambda")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    redrive = {
        "deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead",
        "maxReceiveCount": RECEIVES,
    }
    queue = sqs.create_queue(
        QueueName="work",
        Attributes={"VisibilityTimeout": "10", "RedrivePolicy": json.dumps(redrive)},
    )["QueueUrl"]
    for begin in range(0, messages, 10):
        entries = [
            {"Id": str(number), "MessageBody": "{}"} for number in range(min(10, messages - begin))
        ]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    functions.create_function(
        FunctionName="consumer",
        Runtime="python3.11",
        Role=f"arn:aws:iam::{ACCOUNT}:role/x",
        Handler="index.handler",
        Code={"ZipFile": _archive()},
        Timeout=9,
        Environment={"Variables": {"DEPENDENCY": f"http://127.0.0.1:{dependency.port}/"}},
    )
    mapping = functions.create_event_source_mapping(
        FunctionName="consumer",
        EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:work",
        BatchSize=10,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        ScalingConfig={"MaximumConcurrency": MAXIMUM},
        Enabled=False,
    )["UUID"]
    _ask(endpoint, "PUT", f"flow/{mapping}", flow)
    dependency.began = CLOCK.monotonic()
    functions.update_event_source_mapping(UUID=mapping, Enabled=True)
    result = Result(name, messages, dependency.done, dependency.failed)
    pause = threading.Event()
    while (elapsed := CLOCK.monotonic() - dependency.began) < LONGEST:
        shown = _ask(endpoint, "GET", f"flow/{mapping}")
        result.limit[int(elapsed)] = min(shown["limit"], max(shown["running"], 1))
        if not any(_depths(sqs, queue)):
            break
        pause.wait(0.5)
    result.seconds = CLOCK.monotonic() - dependency.began
    result.dead = sum(_depths(sqs, dead))
    functions.delete_event_source_mapping(UUID=mapping)
    return result


def _archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", HANDLER)
    return buffer.getvalue()


def _depths(sqs: Any, queue: str) -> list[int]:
    names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return [int(found[name]) for name in names]


def _ask(endpoint: str, method: str, path: str, body: Any = None) -> Any:
    data = b"" if body is None else json.dumps(body).encode()
    request = AWSRequest(method, f"{endpoint}/_lambent/{path}", data=data)
    SigV4Auth(Credentials(ACCOUNT, "x"), "lambent", "us-east-1").add_auth(request)
    return json.loads(URLLib3Session().send(request.prepare()).text)
