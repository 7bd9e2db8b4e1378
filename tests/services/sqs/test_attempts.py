"""ReceiveRequestAttemptId: the same attempt gives the same messages again."""

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def queue(timed):
    return timed.sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]


@pytest.fixture
def receive(timed, queue):
    def ask(attempt="one", **more):
        more.setdefault("MaxNumberOfMessages", 10)
        return timed.sqs.receive_message(
            QueueUrl=queue, ReceiveRequestAttemptId=attempt, AttributeNames=["All"], **more
        ).get("Messages", [])

    return ask


@pytest.fixture(autouse=True)
def messages(timed, queue):
    for body in ("a1", "a2", "b1"):
        timed.sqs.send_message(
            QueueUrl=queue, MessageBody=body, MessageGroupId=body[0], MessageDeduplicationId=body
        )


def handles(messages):
    return [message["ReceiptHandle"] for message in messages]


def test_a_repeated_attempt_gives_the_same_messages_and_handles(receive):
    first = receive(MaxNumberOfMessages=2)
    again = receive(MaxNumberOfMessages=2)
    assert [message["Body"] for message in again] == ["a1", "a2"]
    assert again == first
    assert [message["Body"] for message in receive("two")] == ["b1"]


def test_a_repeated_attempt_begins_the_visibility_anew(timed, receive):
    first = receive(VisibilityTimeout=30)
    timed.advance(20)
    receive(VisibilityTimeout=30)
    timed.advance(20)
    assert receive("two") == []
    assert handles(receive(VisibilityTimeout=30)) == handles(first)


def test_after_the_visibility_the_attempt_is_a_new_one(timed, receive):
    first = receive(VisibilityTimeout=10)
    timed.advance(11)
    again = receive()
    assert len(again) == 3
    assert not set(handles(first)) & set(handles(again))
    assert again[0]["Attributes"]["ApproximateReceiveCount"] == "2"


def test_after_five_minutes_the_attempt_is_a_new_one(timed, receive):
    receive(VisibilityTimeout=3600)
    timed.advance(299)
    assert len(receive(VisibilityTimeout=3600)) == 3
    timed.advance(1)
    assert receive() == []


@pytest.mark.parametrize("change", ["delete", "visibility"])
def test_after_a_message_was_modified_the_attempt_is_a_new_one(timed, queue, receive, change):
    first = receive(MaxNumberOfMessages=2)
    if change == "delete":
        timed.sqs.delete_message(QueueUrl=queue, ReceiptHandle=first[0]["ReceiptHandle"])
    else:
        timed.sqs.change_message_visibility(
            QueueUrl=queue, ReceiptHandle=first[0]["ReceiptHandle"], VisibilityTimeout=60
        )
    assert [message["Body"] for message in receive()] == ["b1"]


def test_the_handles_of_a_repeated_attempt_delete(timed, queue, receive):
    receive()
    for handle in handles(receive()):
        timed.sqs.delete_message(QueueUrl=queue, ReceiptHandle=handle)
    timed.advance(60)
    assert receive("two") == []


def test_an_attempt_survives_a_restart(fresh_node, connect):
    node = fresh_node()
    sqs = connect(node.endpoint, "sqs")
    url = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d")
    asked = {"QueueUrl": url, "ReceiveRequestAttemptId": "one"}
    first = sqs.receive_message(**asked)["Messages"]
    node.restart()
    assert sqs.receive_message(**asked)["Messages"] == first


@pytest.mark.parametrize(
    ("id", "message"),
    [
        ("", "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters."),
        ("a b", "Value a b for parameter ReceiveRequestAttemptId is invalid. Reason: "),
        ("x" * 129, "1 to 128 in length."),
    ],
)
def test_a_wrong_attempt_id_is_refused(receive, id, message):
    with pytest.raises(ClientError) as caught:
        receive(id)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"
    assert message in caught.value.response["Error"]["Message"]


def test_a_standard_queue_has_no_attempts(timed):
    url = timed.sqs.create_queue(QueueName="plain")["QueueUrl"]
    with pytest.raises(ClientError) as caught:
        timed.sqs.receive_message(QueueUrl=url, ReceiveRequestAttemptId="one")
    assert caught.value.response["Error"]["Message"] == (
        "Value one for parameter ReceiveRequestAttemptId is invalid. Reason: "
        "The request include parameter that is not valid for this queue type."
    )
