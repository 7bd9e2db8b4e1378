"""What a queue shows to Prometheus of messages that clients work through."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from typing import Any

from tests.support.nodes import ThreadNode

from lambent.core.clock import VirtualClock


def test_clients_are_measured_from_sending_to_deleting(
    fresh_node: Callable[..., ThreadNode], connect: Callable[..., Any], account: str
) -> None:
    clock = VirtualClock()
    node = fresh_node(clock=clock)
    sqs = connect(node.endpoint, "sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    for body in ("one", "two", "three"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    node.run(clock.advance(7))
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=2)["Messages"]
    handles = [message["ReceiptHandle"] for message in received]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=handles[0])
    sqs.delete_message_batch(
        QueueUrl=url, Entries=[{"Id": str(n), "ReceiptHandle": h} for n, h in enumerate(handles)]
    )
    with urllib.request.urlopen(node.endpoint + "/_lambent/metrics") as answer:
        lines = answer.read().decode().splitlines()
    labels = f'account="{account}",region="us-east-1",queue="q"'
    shown = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if "{" in line}
    # A receipt that is used again deletes nothing, and is counted as AWS does.
    assert shown[f"lambent_queue_deleted_total{{{labels}}}"] == 3
    assert shown[f"lambent_queue_latency_seconds_count{{{labels}}}"] == 2
    assert shown[f"lambent_queue_latency_seconds_sum{{{labels}}}"] == 14
    assert shown[f"lambent_queue_oldest_seconds{{{labels}}}"] == 7
    sqs.delete_queue(QueueUrl=url)
    with urllib.request.urlopen(node.endpoint + "/_lambent/metrics") as answer:
        assert 'queue="q"' not in answer.read().decode()
