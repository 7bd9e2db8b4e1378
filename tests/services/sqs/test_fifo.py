"""FIFO queues: order within groups, deduplication."""

import concurrent.futures
import json

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def sqs(client):
    return client("sqs")


@pytest.fixture
def queue(sqs):
    return sqs.create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]


def send(sqs, queue, body, group="g", **more):
    more.setdefault("MessageDeduplicationId", body)
    return sqs.send_message(QueueUrl=queue, MessageBody=body, MessageGroupId=group, **more)


def receive(sqs, queue, count=10, **more):
    return sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=count, AttributeNames=["All"], **more
    ).get("Messages", [])


def bodies(messages):
    return [message["Body"] for message in messages]


def test_a_group_is_given_in_order_and_blocks_while_in_flight(sqs, queue):
    for body in "abc":
        send(sqs, queue, body)
    send(sqs, queue, "x", group="other")
    first = receive(sqs, queue, 2)
    assert bodies(first) == ["a", "b"]
    assert bodies(receive(sqs, queue)) == ["x"]
    for message in first:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert bodies(receive(sqs, queue)) == ["c"]


def test_making_later_messages_visible_does_not_overtake_an_earlier_invisible_one(sqs, queue):
    for body in "abc":
        send(sqs, queue, body)
    _, second, third = receive(sqs, queue)
    for message in (second, third):
        sqs.change_message_visibility(
            QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
    assert receive(sqs, queue) == []


def test_sequence_numbers_grow(sqs, queue):
    numbers = [int(send(sqs, queue, body)["SequenceNumber"]) for body in "abc"]
    assert numbers == sorted(set(numbers))
    assert all(len(str(number)) == 20 for number in numbers)
    (first, *_) = receive(sqs, queue)
    assert first["Attributes"]["SequenceNumber"] == str(numbers[0])
    assert first["Attributes"]["MessageGroupId"] == "g"
    assert first["Attributes"]["MessageDeduplicationId"] == "a"


def test_a_repeated_deduplication_id_is_accepted_and_not_delivered(sqs, queue):
    first = send(sqs, queue, "a", MessageDeduplicationId="same")
    again = send(sqs, queue, "b", MessageDeduplicationId="same")
    assert again["MessageId"] == first["MessageId"]
    assert again["SequenceNumber"] == first["SequenceNumber"]
    (got,) = receive(sqs, queue)
    assert got["Body"] == "a"
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=got["ReceiptHandle"])
    send(sqs, queue, "c", MessageDeduplicationId="same")
    assert receive(sqs, queue) == []


def test_content_based_deduplication_looks_at_the_body_alone(sqs):
    url = sqs.create_queue(
        QueueName="c.fifo",
        Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"},
    )["QueueUrl"]
    for value in ("1", "2"):
        sqs.send_message(
            QueueUrl=url,
            MessageBody="same",
            MessageGroupId="g",
            MessageAttributes={"a": {"DataType": "String", "StringValue": value}},
        )
    assert len(receive(sqs, url)) == 1


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ({"MessageDeduplicationId": "d"}, "MissingParameter", "MessageGroupId"),
        ({"MessageGroupId": "g"}, "InvalidParameterValue", "ContentBasedDeduplication enabled"),
        (
            {"MessageGroupId": "g", "MessageDeduplicationId": "d", "DelaySeconds": 1},
            "InvalidParameterValue",
            "DelaySeconds",
        ),
        ({"MessageGroupId": "g g", "MessageDeduplicationId": "d"}, "InvalidParameterValue", "g g"),
    ],
)
def test_wrong_parameters_are_refused(sqs, queue, params, code, text):
    with pytest.raises(ClientError) as caught:
        sqs.send_message(QueueUrl=queue, MessageBody="x", **params)
    assert caught.value.response["Error"]["Code"] == code
    assert text in caught.value.response["Error"]["Message"]


def test_deleting_with_an_expired_handle_is_refused(sqs, queue):
    send(sqs, queue, "a")
    (got,) = receive(sqs, queue, VisibilityTimeout=0)
    with pytest.raises(ClientError) as caught:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=got["ReceiptHandle"])
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"
    assert str(caught.value).endswith("Reason: The receipt handle has expired.")
    entry = {"Id": "1", "ReceiptHandle": got["ReceiptHandle"]}
    (failed,) = sqs.delete_message_batch(QueueUrl=queue, Entries=[entry])["Failed"]
    assert failed == {
        "Id": "1",
        "SenderFault": True,
        "Code": "ReceiptHandleIsInvalid",
        "Message": "The receipt handle has expired",
    }


def test_visibility_cannot_change_by_an_expired_handle(sqs, queue):
    send(sqs, queue, "a")
    (got,) = receive(sqs, queue, VisibilityTimeout=0)
    handle = {"ReceiptHandle": got["ReceiptHandle"], "VisibilityTimeout": 5}
    with pytest.raises(ClientError) as caught:
        sqs.change_message_visibility(QueueUrl=queue, **handle)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"
    assert str(caught.value).endswith("Reason: The receipt handle has expired.")
    answer = sqs.change_message_visibility_batch(QueueUrl=queue, Entries=[{"Id": "1", **handle}])
    assert [each["Code"] for each in answer["Failed"]] == ["ReceiptHandleIsInvalid"]


def test_an_exhausted_message_frees_its_group(sqs, queue, account):
    sqs.create_queue(QueueName="dead.fifo", Attributes={"FifoQueue": "true"})
    policy = {
        "deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{account}:dead.fifo",
        "maxReceiveCount": 1,
    }
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": json.dumps(policy)})
    send(sqs, queue, "poison")
    send(sqs, queue, "good")
    assert bodies(receive(sqs, queue, 1, VisibilityTimeout=0)) == ["poison"]
    assert bodies(receive(sqs, queue)) == ["good"]
    dead = sqs.get_queue_url(QueueName="dead.fifo")["QueueUrl"]
    (moved,) = receive(sqs, dead)
    assert moved["Body"] == "poison"
    assert moved["Attributes"]["MessageGroupId"] == "g"


def test_a_long_poll_behind_a_blocked_group_lets_others_work(sqs, queue):
    for body in "ab":
        send(sqs, queue, body)
    (first,) = receive(sqs, queue, 1)
    with concurrent.futures.ThreadPoolExecutor() as threads:
        polling = threads.submit(receive, sqs, queue, WaitTimeSeconds=5)
        with pytest.raises(TimeoutError):
            polling.result(timeout=0.2)
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"])
        assert bodies(polling.result(timeout=2)) == ["b"]
