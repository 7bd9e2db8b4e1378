"""Nodes on one store are one service: what one is told, all know, and limits hold for all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.crash.killing import until
from tests.nodes.conftest import Trio, queue_arn
from tests.support.functions import function, packed
from tests.support.http import Raw
from tests.support.nodes import ProcessNode

At = Callable[..., Any]
ANYONE = "123456789012"

WHERE = """
import os
def handler(event, context):
    return os.environ["AWS_ENDPOINT_URL"]
"""

# Counts itself in, notes how many there are, waits until the test says so (a message in the
# queue "gate"), and counts itself out.
GATED = """
import boto3
sqs, table = boto3.client("sqs"), boto3.resource("dynamodb").Table("running")
def add(n):
    answer = table.update_item(
        Key={"id": "now"}, UpdateExpression="ADD running :n",
        ExpressionAttributeValues={":n": n}, ReturnValues="UPDATED_NEW")
    return answer["Attributes"]["running"]
def handler(event, context):
    table.update_item(Key={"id": "now"}, UpdateExpression="ADD seen :n",
                      ExpressionAttributeValues={":n": {add(1)}})
    url = sqs.get_queue_url(QueueName="gate")["QueueUrl"]
    while not sqs.receive_message(
            QueueUrl=url, WaitTimeSeconds=20, VisibilityTimeout=0).get("Messages"):
        pass
    table.update_item(Key={"id": "now"}, UpdateExpression="ADD done :n",
                      ExpressionAttributeValues={":n": 1})
    add(-1)
"""


@pytest.fixture
def nodes(shared_trio: Trio) -> list[ProcessNode]:
    return shared_trio.nodes


def test_what_one_node_acknowledged_every_node_has(nodes: list[ProcessNode], at: At) -> None:
    one, two, three = nodes
    body = b"large" * 100_000
    at(one, "s3").create_bucket(Bucket="together")
    at(one, "s3").put_object(Bucket="together", Key="k", Body=body)
    assert at(two, "s3").get_object(Bucket="together", Key="k")["Body"].read() == body
    url = at(two, "sqs").create_queue(QueueName="q")["QueueUrl"]
    at(one, "sqs").send_message(QueueUrl=url, MessageBody="hello")
    (message,) = at(three, "sqs").receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert message["Body"] == "hello"
    at(two, "sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    at(three, "s3").delete_object(Bucket="together", Key="k")
    with pytest.raises(ClientError, match="NoSuchKey"):
        at(one, "s3").get_object(Bucket="together", Key="k")


def test_functions_do_not_see_the_folder_of_blobs(shared_trio: Trio, at: At) -> None:
    (one, *_) = shared_trio.nodes
    at(one, "s3").create_bucket(Bucket="unseen")
    at(one, "s3").put_object(Bucket="unseen", Key="k", Body=b"large" * 100_000)
    assert list(shared_trio.blobs.iterdir())
    source = "import os\ndef handler(event, context):\n    return os.listdir(event)\n"
    function(partial(at, one), "looks", source)
    payload = json.dumps(str(shared_trio.blobs))
    answer = at(one, "lambda").invoke(FunctionName="looks", Payload=payload)
    found = json.loads(answer["Payload"].read())
    isolated = json.loads(Raw(one.endpoint, ANYONE)("GET", "/_lambent/health").text)["sandbox"]
    if isolated.startswith("off"):
        pytest.skip("this machine allows no sandbox")
    assert found == [] or found["errorType"] in ("FileNotFoundError", "PermissionError")


def test_a_long_poll_at_one_node_wakes_for_a_message_sent_to_another(
    nodes: list[ProcessNode], at: At
) -> None:
    one, two, _ = nodes
    url = at(one, "sqs").create_queue(QueueName="polled")["QueueUrl"]
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(at(one, "sqs").receive_message, QueueUrl=url, WaitTimeSeconds=20)
        at(two, "sqs").send_message(QueueUrl=url, MessageBody="now")
        assert poll.result(timeout=10)["Messages"][0]["Body"] == "now"


def test_a_function_changed_at_one_node_runs_so_at_all(nodes: list[ProcessNode], at: At) -> None:
    one, two, three = nodes
    function(partial(at, one), "where", WHERE)

    def invoke(node: ProcessNode) -> Any:
        answer = at(node, "lambda").invoke(FunctionName="where")
        assert "FunctionError" not in answer
        return json.loads(answer["Payload"].read())

    assert [invoke(node) for node in nodes] == [node.endpoint for node in nodes]
    changed = packed({"index.py": "def handler(event, context):\n    return 'changed'\n"})
    at(three, "lambda").update_function_code(FunctionName="where", ZipFile=changed)
    assert [invoke(node) for node in nodes] == ["changed"] * 3
    at(two, "lambda").delete_function(FunctionName="where")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        invoke(one)


def test_what_is_sent_to_any_node_is_delivered_once_by_a_mapping_made_at_one(
    nodes: list[ProcessNode], at: At
) -> None:
    sqs = [at(node, "sqs") for node in nodes]
    inbox = sqs[0].create_queue(QueueName="inbox", Attributes={"VisibilityTimeout": "60"})[
        "QueueUrl"
    ]
    outbox = sqs[0].create_queue(QueueName="outbox")["QueueUrl"]
    source = """
import boto3, os
sqs = boto3.client("sqs")
def handler(event, context):
    url = sqs.get_queue_url(QueueName="outbox")["QueueUrl"]
    for record in event["Records"]:
        sqs.send_message(QueueUrl=url, MessageBody=record["body"])
"""
    function(partial(at, nodes[1]), "copy", source)
    at(nodes[2], "lambda").create_event_source_mapping(
        EventSourceArn=queue_arn(sqs[0], inbox), FunctionName="copy", BatchSize=5
    )
    for number in range(60):
        sqs[number % 3].send_message(QueueUrl=inbox, MessageBody=str(number))
    found: list[int] = []

    def receive() -> list[int]:
        answer = sqs[1].receive_message(QueueUrl=outbox, MaxNumberOfMessages=10)
        found.extend(int(message["Body"]) for message in answer.get("Messages", ()))
        return found

    until(receive, lambda seen: len(seen) >= 60)
    assert sorted(found) == list(range(60))


class Gate:
    """What GATED needs, and what it counts."""

    def __init__(self, nodes: list[ProcessNode], at: At) -> None:
        self._table = at(nodes[0], "dynamodb")
        self._table.create_table(
            TableName="running",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        sqs = at(nodes[0], "sqs")
        url = sqs.create_queue(QueueName="gate")["QueueUrl"]
        self.open = partial(sqs.send_message, QueueUrl=url, MessageBody="open")

    def count(self, name: str) -> int:
        return int(self._item().get(name, {}).get("N", 0))

    def most(self) -> int:
        return max(int(number) for number in self._item()["seen"]["NS"])

    def _item(self) -> dict[str, Any]:
        answer = self._table.get_item(TableName="running", Key={"id": {"S": "now"}})
        item: dict[str, Any] = answer.get("Item", {})
        return item


def test_reserved_concurrency_holds_for_all_nodes_together(
    nodes: list[ProcessNode], at: At
) -> None:
    gate = Gate(nodes, at)
    function(partial(at, nodes[0]), "gated", GATED)
    at(nodes[0], "lambda").put_function_concurrency(
        FunctionName="gated", ReservedConcurrentExecutions=2
    )
    for number in range(6):
        at(nodes[number % 3], "lambda").invoke(FunctionName="gated", InvocationType="Event")
    until(lambda: gate.count("running"), lambda count: count == 2)
    for node in nodes:
        with pytest.raises(ClientError, match="TooManyRequestsException"):
            at(node, "lambda").invoke(FunctionName="gated")
    gate.open()
    until(lambda: gate.count("done"), lambda count: count == 6)
    assert gate.most() == 2


def test_a_mappings_maximum_concurrency_holds_for_all_nodes_together(
    nodes: list[ProcessNode], at: At
) -> None:
    gate = Gate(nodes, at)
    sqs = at(nodes[1], "sqs")
    url = sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "120"})["QueueUrl"]
    function(partial(at, nodes[0]), "gated", GATED)
    at(nodes[2], "lambda").create_event_source_mapping(
        EventSourceArn=queue_arn(sqs, url),
        FunctionName="gated",
        BatchSize=1,
        ScalingConfig={"MaximumConcurrency": 2},
    )
    for number in range(8):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    until(lambda: gate.count("running"), lambda count: count == 2)
    gate.open()
    until(lambda: gate.count("done"), lambda count: count == 8)
    assert gate.most() == 2


def test_a_circuit_that_opens_on_one_node_is_open_on_all(
    nodes: list[ProcessNode], at: At, account: str
) -> None:
    def flow(node: ProcessNode, method: str, body: Any = None) -> Any:
        sent = b"" if body is None else json.dumps(body).encode()
        ask = Raw(node.endpoint, account)
        return json.loads(ask(method, f"/_lambent/flow/{uuid}", sent, sign="lambent").text)

    sqs = at(nodes[1], "sqs")
    url = sqs.create_queue(QueueName="failing", Attributes={"VisibilityTimeout": "900"})["QueueUrl"]
    source = "def handler(event, context):\n    raise ValueError\n"
    function(partial(at, nodes[0]), "fails", source)
    made = at(nodes[2], "lambda").create_event_source_mapping(
        EventSourceArn=queue_arn(sqs, url), FunctionName="fails", BatchSize=1
    )
    uuid = made["UUID"]
    flow(nodes[0], "PUT", {"Circuit": {"MinimumCalls": 2, "Open": 600}})
    for node in nodes:
        until(lambda node=node: flow(node, "GET")["settings"], bool)
    # One node at least sees two calls fail, and never all of them.
    for number in range(4):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    for node in nodes:
        until(lambda node=node: flow(node, "GET")["state"], "circuit open".__eq__)


def test_one_node_shows_what_waits_in_the_store(
    nodes: list[ProcessNode], at: At, raw_at: Callable[..., Any], account: str
) -> None:
    sqs = at(nodes[0], "sqs")
    url = sqs.create_queue(QueueName="deep")["QueueUrl"]
    for number in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    for node in nodes:
        until(lambda node=node: raw_at(node)["nodes"], lambda found: len(found) == 3)
    shown = [Raw(node.endpoint, ANYONE)("GET", "/_lambent/metrics").text for node in nodes]
    deep = re.compile(
        rf'^lambent_queue_messages{{account="{account}",.*queue="deep",state="waiting"}} (\d+)',
        re.MULTILINE,
    )
    assert sorted("".join(deep.findall(text)) for text in shown) == ["", "", "3"]


def test_nodes_see_each_other(nodes: list[ProcessNode], raw_at: Callable[..., Any]) -> None:
    for node in nodes:
        seen = until(lambda node=node: raw_at(node)["nodes"], lambda found: len(found) == 3)
        assert {one["endpoint"] for one in seen} == {each.endpoint for each in nodes}
        assert [one["endpoint"] for one in seen if one["this"]] == [node.endpoint]


def test_a_node_that_is_stopped_drains_and_says_so(
    trio: Trio, at: At, raw_at: Callable[..., Any]
) -> None:
    leaving, other, _ = trio.nodes
    gate = Gate(trio.nodes, at)
    function(partial(at, leaving), "gated", GATED)
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(at(leaving, "lambda").invoke, FunctionName="gated")
        until(lambda: gate.count("running"), lambda count: count == 1)
        stopped = pool.submit(leaving.stop)

        def states() -> dict[str, bool]:
            return {one["endpoint"]: one["draining"] for one in raw_at(other)["nodes"]}

        until(states, lambda found: found[leaving.endpoint])
        health = Raw(leaving.endpoint, ANYONE)("GET", "/_lambent/health")
        assert (health.status, json.loads(health.text)["status"]) == (503, "draining")
        gate.open()
        assert "FunctionError" not in running.result()
        assert stopped.result() == 0
    assert leaving.endpoint not in states()
