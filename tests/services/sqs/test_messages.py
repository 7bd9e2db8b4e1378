"""Messages of standard queues, through boto3."""

import concurrent.futures
import hashlib

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def sqs(client):
    return client("sqs")


@pytest.fixture
def queue(sqs):
    return sqs.create_queue(QueueName="orders")["QueueUrl"]


def code(caught):
    return caught.value.response["Error"]["Code"]


def message(caught):
    return caught.value.response["Error"]["Message"]


def test_a_message_comes_back_as_it_was_sent(sqs, queue):
    sent = sqs.send_message(
        QueueUrl=queue,
        MessageBody="hällo ✓",
        MessageAttributes={
            "n": {"DataType": "Number.int", "StringValue": "1"},
            "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    assert sent["MD5OfMessageBody"] == hashlib.md5("hällo ✓".encode()).hexdigest()
    (got,) = sqs.receive_message(
        QueueUrl=queue, AttributeNames=["All"], MessageAttributeNames=["All"]
    )["Messages"]
    assert got["Body"] == "hällo ✓"
    assert got["MessageId"] == sent["MessageId"]
    assert got["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert got["MessageAttributes"]["b"] == {"DataType": "Binary", "BinaryValue": b"\x00\xff"}
    assert got["Attributes"]["ApproximateReceiveCount"] == "1"
    assert set(got["Attributes"]) == {
        "SenderId",
        "SentTimestamp",
        "ApproximateReceiveCount",
        "ApproximateFirstReceiveTimestamp",
    }


def test_attributes_are_given_only_to_who_asks(sqs, queue):
    sqs.send_message(
        QueueUrl=queue,
        MessageBody="x",
        MessageAttributes={
            "a.one": {"DataType": "String", "StringValue": "1"},
            "b": {"DataType": "String", "StringValue": "2"},
        },
    )
    (bare,) = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)["Messages"]
    assert "Attributes" not in bare
    assert "MessageAttributes" not in bare
    (some,) = sqs.receive_message(
        QueueUrl=queue, MessageAttributeNames=["a.*"], MessageSystemAttributeNames=["SenderId"]
    )["Messages"]
    assert set(some["MessageAttributes"]) == {"a.one"}
    assert set(some["Attributes"]) == {"SenderId"}


def test_a_received_message_is_hidden_until_its_visibility_ends(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    (got,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    sqs.change_message_visibility(
        QueueUrl=queue, ReceiptHandle=got["ReceiptHandle"], VisibilityTimeout=0
    )
    (again,) = sqs.receive_message(QueueUrl=queue, AttributeNames=["All"])["Messages"]
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    assert again["ReceiptHandle"] != got["ReceiptHandle"]


def test_a_deleted_message_does_not_come_back(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    (got,) = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)["Messages"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=got["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=got["ReceiptHandle"])


def test_an_overtaken_handle_answers_success_and_keeps_the_message(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    (first,) = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)["Messages"]
    (second,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"])
    sqs.change_message_visibility(
        QueueUrl=queue, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=0
    )
    assert len(sqs.receive_message(QueueUrl=queue)["Messages"]) == 1


def test_a_long_poll_wakes_when_a_message_is_sent(sqs, queue, client):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(client("sqs").receive_message, QueueUrl=queue, WaitTimeSeconds=20)
        sqs.send_message(QueueUrl=queue, MessageBody="wake")
        (got,) = waiting.result(timeout=10)["Messages"]
    assert got["Body"] == "wake"


def test_a_long_poll_wakes_when_a_delay_ends(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=1)
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesDelayed"] == "1"
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    (got,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    assert got["Body"] == "later"


def test_batches_report_each_entry(sqs, queue):
    result = sqs.send_message_batch(
        QueueUrl=queue,
        Entries=[
            {"Id": "good", "MessageBody": "1"},
            {"Id": "bad", "MessageBody": "\x01"},
            {"Id": "late", "MessageBody": "2", "DelaySeconds": 901},
        ],
    )
    assert [entry["Id"] for entry in result["Successful"]] == ["good"]
    failed = {entry["Id"]: entry for entry in result["Failed"]}
    assert failed["bad"]["Code"] == "InvalidMessageContents"
    assert failed["late"]["Code"] == "InvalidParameterValue"
    assert failed["late"]["SenderFault"] is True
    (got,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    deleted = sqs.delete_message_batch(
        QueueUrl=queue,
        Entries=[
            {"Id": "a", "ReceiptHandle": got["ReceiptHandle"]},
            {"Id": "b", "ReceiptHandle": "nonsense"},
        ],
    )
    assert [entry["Id"] for entry in deleted["Successful"]] == ["a"]
    assert [entry["Code"] for entry in deleted["Failed"]] == ["ReceiptHandleIsInvalid"]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], "AWS.SimpleQueueService.EmptyBatchRequest"),
        (
            [{"Id": str(i), "MessageBody": "x"} for i in range(11)],
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        ),
        (
            [{"Id": "a", "MessageBody": "x"}] * 2,
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        ),
        ([{"Id": "a b", "MessageBody": "x"}], "AWS.SimpleQueueService.InvalidBatchEntryId"),
        (
            [{"Id": str(i), "MessageBody": "x" * 600_000} for i in range(2)],
            "AWS.SimpleQueueService.BatchRequestTooLong",
        ),
    ],
)
def test_a_wrong_batch_is_refused_whole(sqs, queue, entries, expected):
    with pytest.raises(ClientError) as caught:
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert code(caught) == expected


@pytest.mark.parametrize(
    ("params", "expected", "text"),
    [
        ({"MessageBody": ""}, "MissingParameter", "must contain the parameter MessageBody"),
        ({"MessageBody": "\x00"}, "InvalidMessageContents", "#x0"),
        ({"MessageBody": "x", "DelaySeconds": 901}, "InvalidParameterValue", "DelaySeconds"),
        (
            {"MessageBody": "x" * 1_048_577},
            "InvalidParameterValue",
            "Message must be shorter than 1048576 bytes.",
        ),
        (
            {"MessageBody": "x", "MessageDeduplicationId": "d"},
            "InvalidParameterValue",
            "MessageDeduplicationId",
        ),
        (
            {
                "MessageBody": "x",
                "MessageAttributes": {"a": {"DataType": "Thing", "StringValue": "1"}},
            },
            "InvalidParameterValue",
            "set of supported type prefixes is Binary, Number, and String",
        ),
        (
            {
                "MessageBody": "x",
                "MessageAttributes": {"AWS.a": {"DataType": "String", "StringValue": "1"}},
            },
            "InvalidParameterValue",
            "name 'AWS.a' is invalid",
        ),
        (
            {
                "MessageBody": "x",
                "MessageAttributes": {"a": {"DataType": "Number", "StringValue": "one"}},
            },
            "InvalidParameterValue",
            "Can't cast the value of message attribute 'a' to a number.",
        ),
    ],
)
def test_a_wrong_message_is_refused_with_sqs_words(sqs, queue, params, expected, text):
    with pytest.raises(ClientError) as caught:
        sqs.send_message(QueueUrl=queue, **params)
    assert code(caught) == expected
    assert text in message(caught)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"MaxNumberOfMessages": 11}, "Must be between 1 and 10, if provided."),
        ({"WaitTimeSeconds": 21}, "Must be >= 0 and <= 20, if provided."),
        ({"VisibilityTimeout": 43_201}, "VisibilityTimeout"),
    ],
)
def test_a_receive_outside_its_limits_is_refused(sqs, queue, params, text):
    with pytest.raises(ClientError) as caught:
        sqs.receive_message(QueueUrl=queue, **params)
    assert code(caught) == "InvalidParameterValue"
    assert text in message(caught)


def test_handles_that_were_never_given_are_invalid(sqs, queue):
    for call in (sqs.delete_message, sqs.change_message_visibility):
        more = {"VisibilityTimeout": 1} if call == sqs.change_message_visibility else {}
        with pytest.raises(ClientError) as caught:
            call(QueueUrl=queue, ReceiptHandle="abc", **more)
        assert code(caught) == "ReceiptHandleIsInvalid"


def test_visibility_of_a_deleted_message_cannot_change(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    (got,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=got["ReceiptHandle"])
    with pytest.raises(ClientError) as caught:
        sqs.change_message_visibility(
            QueueUrl=queue, ReceiptHandle=got["ReceiptHandle"], VisibilityTimeout=9
        )
    assert code(caught) == "InvalidParameterValue"
    assert "not available for visibility timeout change" in message(caught)


def test_a_purged_queue_is_empty_and_is_not_purged_twice_a_minute(sqs, queue):
    for _ in range(3):
        sqs.send_message(QueueUrl=queue, MessageBody="x")
    sqs.receive_message(QueueUrl=queue)
    sqs.purge_queue(QueueUrl=queue)
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "0"
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "0"
    with pytest.raises(ClientError) as caught:
        sqs.purge_queue(QueueUrl=queue)
    assert code(caught) == "AWS.SimpleQueueService.PurgeQueueInProgress"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_message_that_was_received_too_often_moves_to_the_dead_letter_queue(sqs, queue):
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    policy = f'{{"deadLetterTargetArn": "{arn["Attributes"]["QueueArn"]}", "maxReceiveCount": 2}}'
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": policy})
    sent = sqs.send_message(QueueUrl=queue, MessageBody="poison")
    for _ in range(2):
        got = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0, MaxNumberOfMessages=1)
        assert got["Messages"][0]["Body"] == "poison"
    sqs.send_message(QueueUrl=queue, MessageBody="good")
    left = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert [item["Body"] for item in left] == ["good"]
    (moved,) = sqs.receive_message(QueueUrl=dead, AttributeNames=["All"])["Messages"]
    assert moved["MessageId"] == sent["MessageId"]
    # It counts across queues: twice there, once here.
    assert moved["Attributes"]["ApproximateReceiveCount"] == "3"
    assert moved["Attributes"]["DeadLetterQueueSourceArn"].endswith(":orders")
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [queue]


def test_the_trace_header_travels_with_the_message(sqs, queue):
    sqs.send_message(
        QueueUrl=queue,
        MessageBody="x",
        MessageSystemAttributes={
            "AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1"}
        },
    )
    (got,) = sqs.receive_message(QueueUrl=queue, AttributeNames=["AWSTraceHeader"])["Messages"]
    assert got["Attributes"] == {"AWSTraceHeader": "Root=1-5759e988-bd862e3fe1"}


def test_a_hundred_receivers_share_a_thousand_messages_without_doubles(sqs, queue, client):
    for start in range(0, 1000, 10):
        sqs.send_message_batch(
            QueueUrl=queue,
            Entries=[{"Id": str(i), "MessageBody": str(i)} for i in range(start, start + 10)],
        )
    one = client("sqs", max_pool_connections=20)

    def drain(_: int) -> list[str]:
        got: list[str] = []
        while batch := one.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            got.extend(item["Body"] for item in batch)
        return got

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        bodies = [body for part in pool.map(drain, range(20)) for body in part]
    assert sorted(map(int, bodies)) == list(range(1000))
