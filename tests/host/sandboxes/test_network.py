"""A function whose network is `none` reaches the node, and nothing else."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from tests.host.sandboxes.conftest import Run
from tests.host.sandboxes.test_escapes import tried
from tests.support.functions import packed
from tests.support.nodes import ThreadNode

from lambent.core.errors import StartupError
from lambent.host.wire import Server

ROLE = "arn:aws:iam::123456789012:role/lambda"


@pytest.fixture
def listener() -> Iterator[int]:
    """A port of this machine where someone answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_greet, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def _greet(server: socket.socket) -> None:
    try:
        while True:
            connection, _ = server.accept()
            connection.sendall(b"hello")
            connection.close()
    except OSError:
        return


REACH = """
def reach(family, *address):
    with socket.socket(family) as s:
        s.settimeout(2)
        s.connect(address)
        return s.recv(5)
return {{
    "port": attempt(lambda: reach(socket.AF_INET, "127.0.0.1", {port})),
    "elsewhere": attempt(lambda: reach(socket.AF_INET, "192.0.2.1", 80)),
    "metadata": attempt(lambda: reach(socket.AF_INET, "169.254.169.254", 80)),
    "six": attempt(lambda: reach(socket.AF_INET6, "::1", {port})),
    "vsock": attempt(lambda: socket.socket(40, socket.SOCK_STREAM)),
    "raw": attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
    "interfaces": [name for _, name in socket.if_nameindex()],
    "address": os.environ["AWS_LAMBDA_RUNTIME_API"],
    "open": sorted(os.listdir("/proc/self/fd")),
}}
"""


def test_neither_the_machine_nor_any_other_can_be_reached(run: Run, listener: int) -> None:
    found = tried(run, REACH.format(port=listener), network="none")
    assert "ConnectionRefusedError" in found["port"]
    for name in ("elsewhere", "metadata"):
        assert "Network is unreachable" in found[name]
    assert "done" not in found["six"]
    assert "PermissionError" in found["vsock"]
    assert "PermissionError" in found["raw"]
    assert "lo" in found["interfaces"] and not {"eth0", "docker0"} & set(found["interfaces"])
    assert found["address"] == "127.0.0.1:9001"


def test_the_machines_network_is_there_unless_it_is_taken_away(run: Run, listener: int) -> None:
    body = """
return {{"port": attempt(lambda: socket.create_connection(("127.0.0.1", {port})).recv(5)),
         "vsock": attempt(lambda: socket.socket(40, socket.SOCK_STREAM))}}
"""
    found = tried(run, body.format(port=listener))
    assert found["port"] == "done: b'hello'"
    assert "PermissionError" in found["vsock"]


HANDLER = """
import socket
import boto3

def handler(event, context):
    made = boto3.client("sqs").create_queue(QueueName=event["queue"])["QueueUrl"]
    boto3.client("sqs").send_message(QueueUrl=made, MessageBody="from inside")
    with socket.socket() as outside:
        return outside.connect_ex(("127.0.0.1", event["port"]))
"""


@pytest.fixture
def alone(fresh_node: Callable[..., ThreadNode]) -> ThreadNode:
    """A node whose functions reach nothing else."""
    try:
        return fresh_node(network="none")
    except StartupError as error:
        pytest.skip(str(error))


def test_boto3_reaches_the_node_and_only_that(alone: ThreadNode, listener: int) -> None:
    functions = _client(alone, "lambda")
    functions.create_function(
        FunctionName="alone",
        Runtime="python3.11",
        Handler="app.handler",
        Role=ROLE,
        Timeout=20,
        MemorySize=256,
        Code={"ZipFile": packed({"app.py": HANDLER})},
    )
    for queue in ("one", "two"):
        event = json.dumps({"queue": queue, "port": listener})
        answer = functions.invoke(FunctionName="alone", Payload=event)
        assert answer["Payload"].read() == b"111"  # connection refused
        sqs = _client(alone, "sqs")
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
        assert message["Body"] == "from inside"


def test_a_template_chooses_for_one_function_and_may_change_its_mind(
    alone: ThreadNode, listener: int
) -> None:
    stacks, functions = _client(alone, "cloudformation"), _client(alone, "lambda")
    for metadata, status in (
        ({"Network": "host"}, b"0"),
        ({"Network": "none"}, b"111"),
        ({"Network": "host"}, b"0"),
        ({}, b"111"),
    ):
        body = json.dumps({"Resources": {"Function": _function(metadata)}})
        exists = bool(stacks.list_stacks()["StackSummaries"])
        call = stacks.update_stack if exists else stacks.create_stack
        call(StackName="s", TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
        stacks.get_waiter(f"stack_{'update' if exists else 'create'}_complete").wait(
            StackName="s", WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
        )
        event = json.dumps({"port": listener})
        assert functions.invoke(FunctionName="f", Payload=event)["Payload"].read() == status
    assert "Lambent" not in functions.get_function_configuration(FunctionName="f")


def _function(metadata: dict[str, Any]) -> dict[str, Any]:
    source = (
        "import socket\n"
        "def handler(event, context):\n"
        "    with socket.socket() as outside:\n"
        "        return outside.connect_ex(('127.0.0.1', event['port']))\n"
    )
    return {
        "Type": "AWS::Lambda::Function",
        "Metadata": {"Lambent": metadata},
        "Properties": {
            "FunctionName": "f",
            "Runtime": "python3.11",
            "Handler": "index.handler",
            "Role": ROLE,
            "Timeout": 20,
            "Code": {"ZipFile": source},
        },
    }


def test_without_a_sandbox_it_is_refused(fresh_node: Callable[..., ThreadNode]) -> None:
    with pytest.raises(StartupError, match=r"^--network none takes a sandbox"):
        fresh_node(network="none", sandbox="off")


def _client(node: ThreadNode, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=node.endpoint,
        region_name="us-east-1",
        aws_access_key_id="123456789012",
        aws_secret_access_key="local",
    )


async def test_who_is_connected_before_the_process_is_known_stays_so() -> None:
    # The check of whose process it is looks into the machine's network, where it is nobody.
    server = Server({}, guarded=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        await server.serve(listener)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        for path in (b"/early", b"/late"):
            writer.write(b"GET %s HTTP/1.1\r\n\r\n" % path)
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 404 " in head
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
            server.admit(lambda theirs, ours: False)
        writer.close()
        server.close()
