"""What a queue shows to Prometheus of messages that clients work through."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from typing import Any

from tests.support.nodes import ThreadNode

from lambent.core.clock import VirtualClock


def shown(node: ThreadNode) -> dict[str, float]:
    """What Prometheus sees, by name and labels."""
    with urllib.request.urlopen(node.endpoint + "/_lambent/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if "{" in line}


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
    labels = f'account="{account}",region="us-east-1",queue="q"'
    found = shown(node)
    # A receipt that is used again deletes nothing, and is counted as AWS does.
    assert found[f"lambent_queue_deleted_total{{{labels}}}"] == 3
    assert found[f"lambent_queue_latency_seconds_count{{{labels}}}"] == 2
    assert found[f"lambent_queue_latency_seconds_sum{{{labels}}}"] == 14
    assert found[f"lambent_queue_oldest_seconds{{{labels}}}"] == 7
    sqs.delete_queue(QueueUrl=url)
    assert not [name for name in shown(node) if 'queue="q"' in name]


def test_the_age_of_a_dead_letter_counts_from_when_it_came_there(
    virtual: Callable[..., Any],
) -> None:
    desk = virtual()
    desk.send(desk.source, ["x"])
    desk.advance(600)
    desk.receive(desk.source, VisibilityTimeout=0)
    desk.receive(desk.source)
    desk.advance(7)
    labels = f'account="{desk.account}",region="us-east-1",queue="dead"'
    assert shown(desk.node)[f"lambent_queue_oldest_seconds{{{labels}}}"] == 7
    (message,) = desk.receive(desk.dead)
    assert int(message["Attributes"]["SentTimestamp"]) == 1000 * (desk.clock.now() - 607)


def test_what_was_sent_before_is_counted_as_that(virtual: Callable[..., Any]) -> None:
    desk = virtual(fifo=True)
    entry = {"MessageBody": "a", "MessageGroupId": "g", "MessageDeduplicationId": "1"}
    desk.sqs.send_message(QueueUrl=desk.source, **entry)
    desk.sqs.send_message(QueueUrl=desk.source, **entry)
    entries = [{**entry, "Id": id, "MessageDeduplicationId": id} for id in ("1", "2", "3")]
    desk.sqs.send_message_batch(QueueUrl=desk.source, Entries=entries)
    labels = f'account="{desk.account}",region="us-east-1",queue="source.fifo"'
    found = shown(desk.node)
    assert found[f"lambent_queue_sent_total{{{labels}}}"] == 3
    assert found[f"lambent_queue_deduplicated_total{{{labels}}}"] == 2
