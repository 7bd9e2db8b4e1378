"""Limits that time and depth set: retention, total visibility, messages in flight, look-ahead."""

import concurrent.futures
import re

import pytest
from botocore.exceptions import ClientError
from tests.support.http import Raw

from lambent.services.sqs import fifo, flight
from lambent.services.sqs.model import Queue
from lambent.store.contract import WorkCounts

FIFO = {"FifoQueue": "true"}


def error(caught):
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def depth(sqs, url):
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return tuple(
        int(counts["ApproximateNumberOfMessages" + name]) for name in ("", "NotVisible", "Delayed")
    )


@pytest.mark.parametrize("attributes", [{}, FIFO])
def test_old_messages_are_dropped_each_hour(timed, attributes):
    name = "q.fifo" if attributes else "q"
    url = timed.sqs.create_queue(
        QueueName=name, Attributes={"MessageRetentionPeriod": "60", **attributes}
    )["QueueUrl"]
    more = {"MessageGroupId": "g"} if attributes else {}
    for body in map(str, range(450)):
        dedup = {"MessageDeduplicationId": body} if attributes else {}
        timed.sqs.send_message(QueueUrl=url, MessageBody=body, **more, **dedup)
    timed.sqs.receive_message(QueueUrl=url, VisibilityTimeout=43_200)

    def kept():
        # Whoever asks SQS has some of them dropped.
        text = Raw(timed.node.endpoint, "x")("GET", "/_lambent/metrics", sign="lambent").text
        found = re.findall(r"^lambent_queue_messages\{.*\} (\d+)", text, re.MULTILINE)
        return sum(map(int, found))

    timed.advance(3590)
    assert kept() == 450
    timed.advance(20)
    assert kept() == 0


def test_what_is_too_old_is_not_counted(timed):
    url = timed.sqs.create_queue(QueueName="q", Attributes={"MessageRetentionPeriod": "60"})[
        "QueueUrl"
    ]
    for _ in range(2):
        timed.sqs.send_message(QueueUrl=url, MessageBody="x")
    timed.sqs.receive_message(QueueUrl=url)
    timed.advance(61)
    assert depth(timed.sqs, url) == (0, 0, 0)


def test_a_receive_drops_some_old_messages_besides(timed):
    url = timed.sqs.create_queue(QueueName="q", Attributes={"MessageRetentionPeriod": "60"})[
        "QueueUrl"
    ]
    for body in map(str, range(250)):
        timed.sqs.send_message(QueueUrl=url, MessageBody=body)
    timed.advance(61)
    timed.sqs.send_message(QueueUrl=url, MessageBody="young")
    (got,) = timed.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert got["Body"] == "young"
    assert depth(timed.sqs, url) == (0, 1, 0)


def test_a_longer_retention_saves_what_was_not_dropped_yet(timed):
    url = timed.sqs.create_queue(QueueName="q", Attributes={"MessageRetentionPeriod": "60"})[
        "QueueUrl"
    ]
    timed.sqs.send_message(QueueUrl=url, MessageBody="x")
    timed.advance(61)
    timed.sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "3600"})
    assert timed.sqs.receive_message(QueueUrl=url)["Messages"]


def test_visibility_ends_twelve_hours_after_the_receive(timed):
    url = timed.sqs.create_queue(QueueName="q")["QueueUrl"]
    timed.sqs.send_message(QueueUrl=url, MessageBody="x")
    (got,) = timed.sqs.receive_message(QueueUrl=url, VisibilityTimeout=7200)["Messages"]
    change = {"QueueUrl": url, "ReceiptHandle": got["ReceiptHandle"]}
    timed.advance(3600)
    with pytest.raises(ClientError) as caught:
        timed.sqs.change_message_visibility(VisibilityTimeout=39_601, **change)
    assert error(caught) == (
        "InvalidParameterValue",
        "Value 39601 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout "
        "for the message is beyond the limit [43200 seconds]",
    )
    entry = {"Id": "1", "ReceiptHandle": got["ReceiptHandle"], "VisibilityTimeout": 39_601}
    batch = timed.sqs.change_message_visibility_batch(QueueUrl=url, Entries=[entry])
    assert batch["Failed"][0]["Code"] == "InvalidParameterValue"
    timed.sqs.change_message_visibility(VisibilityTimeout=39_600, **change)


@pytest.fixture
def full(timed, monkeypatch):
    """A queue with as many messages in flight as may be, and one more that waits."""
    monkeypatch.setattr(flight, "MAX_IN_FLIGHT", 3)

    def make(**attributes):
        name = "q.fifo" if attributes else "q"
        url = timed.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        for body in "abcd":
            more = {"MessageGroupId": body, "MessageDeduplicationId": body} if attributes else {}
            timed.sqs.send_message(QueueUrl=url, MessageBody=body, **more)
        return url, timed.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]

    return make


async def test_several_nodes_together_keep_to_the_messages_in_flight(monkeypatch):
    monkeypatch.setattr(flight, "MAX_IN_FLIGHT", 1_000)
    in_flight = 0

    class Depth:
        async def work_counts(self, work):
            return WorkCounts(0, in_flight, 0, None)

    queue = Queue("q", "1", "r", "uid", 0.0, 0.0, {}, {})
    nodes = [flight.Flight() for _ in range(3)]
    for number in range(600):
        node = nodes[number % 3]
        count = min(10, await node.room(Depth(), queue))
        node.claimed(queue, count)
        in_flight += count
    assert 1_000 <= in_flight <= 1_000 + 10 * len(nodes)


def test_a_short_poll_is_refused_while_too_many_are_in_flight(timed, full):
    url, taken = full()
    assert len(taken) == 3
    with pytest.raises(timed.sqs.exceptions.OverLimit) as caught:
        timed.sqs.receive_message(QueueUrl=url)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    timed.sqs.delete_message(QueueUrl=url, ReceiptHandle=taken[0]["ReceiptHandle"])
    assert len(timed.sqs.receive_message(QueueUrl=url)["Messages"]) == 1


def test_a_long_poll_waits_until_there_is_room(timed, full):
    url, taken = full()
    with concurrent.futures.ThreadPoolExecutor() as threads:
        polling = threads.submit(timed.sqs.receive_message, QueueUrl=url, WaitTimeSeconds=20)
        with pytest.raises(TimeoutError):
            polling.result(timeout=0.1)
        timed.sqs.delete_message(QueueUrl=url, ReceiptHandle=taken[0]["ReceiptHandle"])
        timed.advance(1)
        assert len(polling.result(timeout=5)["Messages"]) == 1


def test_a_fifo_queue_gives_nothing_while_too_many_are_in_flight(timed, full):
    url, _ = full(FifoQueue="true")
    assert "Messages" not in timed.sqs.receive_message(QueueUrl=url)


def test_a_fifo_queue_looks_at_its_first_messages_alone(timed, monkeypatch):
    monkeypatch.setattr(fifo, "LOOK_AHEAD", 3)
    url = timed.sqs.create_queue(QueueName="q.fifo", Attributes=FIFO)["QueueUrl"]
    for body in ("a1", "a2", "a3", "b1"):
        timed.sqs.send_message(
            QueueUrl=url, MessageBody=body, MessageGroupId=body[0], MessageDeduplicationId=body
        )
    (first,) = timed.sqs.receive_message(QueueUrl=url)["Messages"]
    assert "Messages" not in timed.sqs.receive_message(QueueUrl=url)
    timed.sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    got = timed.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in got] == ["a2", "a3", "b1"]


def test_per_group_throughput_needs_per_group_deduplication(timed):
    sqs = timed.sqs
    high = {"FifoThroughputLimit": "perMessageGroupId"}
    with pytest.raises(ClientError) as caught:
        sqs.create_queue(QueueName="q.fifo", Attributes={**FIFO, **high})
    assert error(caught)[0] == "InvalidAttributeValue"
    assert "allowed only when the value for DeduplicationScope is messageGroup" in error(caught)[1]
    scope = {"DeduplicationScope": "messageGroup"}
    url = sqs.create_queue(QueueName="q.fifo", Attributes={**FIFO, **high, **scope})["QueueUrl"]
    with pytest.raises(ClientError):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"DeduplicationScope": "queue"})
    both = {"DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=both)


def test_group_scope_deduplicates_within_the_group(timed):
    attributes = {**FIFO, "DeduplicationScope": "messageGroup"}
    url = timed.sqs.create_queue(QueueName="q.fifo", Attributes=attributes)["QueueUrl"]
    for group in ("a", "b", "a"):
        timed.sqs.send_message(
            QueueUrl=url, MessageBody=group, MessageGroupId=group, MessageDeduplicationId="same"
        )
    assert depth(timed.sqs, url) == (2, 0, 0)


def test_deduplication_ends_after_five_minutes(timed):
    url = timed.sqs.create_queue(QueueName="q.fifo", Attributes=FIFO)["QueueUrl"]

    def send():
        timed.sqs.send_message(
            QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="same"
        )
        return depth(timed.sqs, url)[0]

    assert send() == 1
    timed.advance(299)
    assert send() == 1
    timed.advance(1)
    assert send() == 2
