"""What fails, and what does not: nodes killed and frozen, the database restarted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from tests.conftest import ClientFactory
from tests.crash.crowd import Crowd, during
from tests.crash.killing import until
from tests.nodes.conftest import LEASE, Trio, queue_arn
from tests.support import postgres
from tests.support.functions import function
from tests.support.nodes import ProcessNode

from lambent.core.clock import SystemClock

pytestmark = pytest.mark.crash

At = Callable[..., Any]
_pause = threading.Event()


@contextmanager
def _killed(node: ProcessNode, moment: float) -> Iterator[None]:
    """Kill it for good, and let the others find out."""
    _pause.wait(moment)
    node.kill()
    _pause.wait(LEASE * 2)
    yield


@contextmanager
def _frozen(node: ProcessNode, moment: float) -> Iterator[None]:
    """Freeze it for longer than its lease, then let it go on."""
    _pause.wait(moment)
    node.freeze()
    _pause.wait(LEASE * 2)
    node.thaw()
    _pause.wait(LEASE)
    yield


@contextmanager
def _database_restarted(node: ProcessNode, moment: float) -> Iterator[None]:
    """End the database as a crash does, twice."""
    for _ in range(2):
        _pause.wait(moment)
        postgres.cluster().stop("immediate")
        _pause.wait(moment)
        postgres.cluster().start()
    _pause.wait(moment)
    yield


@contextmanager
def _connections_cut(node: ProcessNode, moment: float) -> Iterator[None]:
    """End all connections to the database, again and again."""
    for _ in range(8):
        _pause.wait(moment / 3)
        postgres.cluster().sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name = 'lambent'"
        )
    yield


@pytest.mark.parametrize("trouble", [_killed, _frozen, _database_restarted, _connections_cut])
def test_nothing_is_lost_and_order_is_kept(
    trio: Trio, connect: ClientFactory, trouble: Any
) -> None:
    crowds = [Crowd(connect, trio.nodes, fifo=fifo) for fifo in (True, False)]
    during(trouble(trio.nodes[0], 0.5), *crowds)


def test_clocks_that_differ_by_minutes_change_nothing(
    out_of_step: Trio, at: At, connect: ClientFactory, raw_at: Callable[..., Any]
) -> None:
    one, ahead, behind = out_of_step.nodes
    sqs = {node: at(node, "sqs") for node in out_of_step.nodes}
    url = sqs[one].create_queue(QueueName="q", Attributes={"VisibilityTimeout": "2"})["QueueUrl"]

    def receive(node: ProcessNode) -> Any:
        return sqs[node].receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages")

    # Sent late by one clock, early by the other: it is due for all at the same moment.
    clock = SystemClock()
    for sender, receiver in ((ahead, behind), (behind, ahead)):
        began = clock.monotonic()
        sqs[sender].send_message(QueueUrl=url, MessageBody="later", DelaySeconds=1)
        (message,) = until(partial(receive, receiver), bool)
        assert 0.9 <= clock.monotonic() - began < 10
        # Hidden from the others for as long as it says, and no longer.
        (again,) = until(partial(receive, sender), bool)
        assert 2.9 <= clock.monotonic() - began < 15
        assert again["MessageId"] == message["MessageId"]
        sqs[one].delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    during(_killed(ahead, 0.3), Crowd(connect, out_of_step.nodes, fifo=True))
    found = until(lambda: raw_at(one)["nodes"], lambda nodes: len(nodes) == 2)
    assert {node["endpoint"] for node in found} == {one.endpoint, behind.endpoint}
    for node in (one, behind):
        assert max(each["seen"] for each in raw_at(node)["nodes"]) < 60


HANGS_THERE = """
import os, threading, urllib.request, boto3
sqs = boto3.client("sqs")
def handler(event, context):
    url = sqs.get_queue_url(QueueName="seen")["QueueUrl"]
    (record,) = event["Records"]
    sqs.send_message(QueueUrl=url, MessageBody=os.environ["AWS_ENDPOINT_URL"])
    if record["attributes"]["ApproximateReceiveCount"] == "1":
        threading.Event().wait()
"""


@pytest.mark.parametrize("fate", ["killed", "frozen"])
def test_what_a_lost_node_had_in_hand_another_takes_up_within_its_lease(
    trio: Trio, at: At, raw_at: Callable[..., Any], fate: str
) -> None:
    one = trio.nodes[0]
    sqs = at(one, "sqs")
    long = {"VisibilityTimeout": "43200"}
    url = sqs.create_queue(QueueName="work", Attributes=long)["QueueUrl"]
    seen = sqs.create_queue(QueueName="seen")["QueueUrl"]
    function(partial(at, one), "hangs", HANGS_THERE, Timeout=900)
    at(one, "lambda").create_event_source_mapping(
        EventSourceArn=queue_arn(sqs, url), FunctionName="hangs", BatchSize=1
    )
    sqs.send_message(QueueUrl=url, MessageBody="work")

    def next_seen(node: ProcessNode) -> str:
        receive = partial(at(node, "sqs").receive_message, QueueUrl=seen, WaitTimeSeconds=1)
        (message,) = until(lambda: receive().get("Messages"), bool)
        at(node, "sqs").delete_message(QueueUrl=seen, ReceiptHandle=message["ReceiptHandle"])
        return str(message["Body"])

    holder = next_seen(one)
    (lost,) = [node for node in trio.nodes if node.endpoint == holder]
    others = [node for node in trio.nodes if node is not lost]
    if fate == "killed":
        lost.kill()
    else:
        lost.freeze()
    assert next_seen(others[0]) != holder

    def depths() -> set[str]:
        answer = at(others[0], "sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return {v for k, v in answer["Attributes"].items() if k.startswith("ApproximateN")}

    until(depths, lambda found: found == {"0"})
    if fate == "frozen":
        lost.thaw()
        back = until(lambda: raw_at(lost)["nodes"], lambda found: len(found) == 3)
        assert {node["endpoint"] for node in back} == {node.endpoint for node in trio.nodes}
        assert depths() == {"0"}


def test_a_move_task_goes_on_at_another_node_and_moves_each_message_once(
    trio: Trio, at: At
) -> None:
    one, two, _ = trio.nodes
    sqs = at(one, "sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    target = sqs.create_queue(QueueName="target")["QueueUrl"]
    redrive = f'{{"deadLetterTargetArn": "{queue_arn(sqs, dead)}", "maxReceiveCount": 1}}'
    sqs.create_queue(QueueName="source", Attributes={"RedrivePolicy": redrive})
    for first in range(0, 60, 10):
        entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(first, first + 10)]
        sqs.send_message_batch(QueueUrl=dead, Entries=entries)
    sqs.start_message_move_task(
        SourceArn=queue_arn(sqs, dead),
        DestinationArn=queue_arn(sqs, target),
        MaxNumberOfMessagesPerSecond=20,
    )
    one.kill()
    other = at(two, "sqs")
    found: list[int] = []

    def receive() -> list[int]:
        answer = other.receive_message(QueueUrl=target, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        found.extend(int(message["Body"]) for message in answer.get("Messages", ()))
        return found

    until(receive, lambda seen: len(seen) >= 60)
    assert sorted(found) == list(range(60))
    tasks = other.list_message_move_tasks(SourceArn=queue_arn(other, dead))["Results"]
    assert [task["Status"] for task in tasks] == ["COMPLETED"]
