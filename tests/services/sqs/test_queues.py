"""Queues: definitions, attributes, tags, permissions, in both protocols."""

import json

import pytest
from botocore.exceptions import ClientError

from lambent.core.clock import VirtualClock


@pytest.fixture
def sqs(client):
    return client("sqs")


def code(caught):
    return caught.value.response["Error"]["Code"]


def test_a_queue_is_found_by_its_name(sqs, account):
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    assert url.endswith(f"/{account}/orders")
    assert sqs.get_queue_url(QueueName="orders")["QueueUrl"] == url
    assert sqs.list_queues()["QueueUrls"] == [url]
    sqs.delete_queue(QueueUrl=url)
    assert "QueueUrls" not in sqs.list_queues()


def test_queues_of_another_account_or_region_are_not_seen(sqs, client):
    sqs.create_queue(QueueName="mine")
    other = client("sqs", region="eu-west-1")
    assert "QueueUrls" not in other.list_queues()
    with pytest.raises(ClientError) as caught:
        other.get_queue_url(QueueName="mine")
    assert code(caught) == "AWS.SimpleQueueService.NonExistentQueue"


def test_the_error_of_a_missing_queue_is_the_modelled_exception(sqs):
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as caught:
        sqs.get_queue_url(QueueName="nowhere")
    assert caught.value.response["Error"]["Message"] == "The specified queue does not exist."
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_new_queue_has_the_documented_defaults(sqs, account):
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    created, modified = got.pop("CreatedTimestamp"), got.pop("LastModifiedTimestamp")
    assert created == modified
    assert got == {
        "QueueArn": f"arn:aws:sqs:us-east-1:{account}:orders",
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "VisibilityTimeout": "30",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "DelaySeconds": "0",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
    }


def test_creating_again_returns_the_queue_unless_attributes_differ(sqs):
    attributes = {"VisibilityTimeout": "5"}
    url = sqs.create_queue(QueueName="orders", Attributes=attributes)["QueueUrl"]
    assert sqs.create_queue(QueueName="orders", Attributes=attributes)["QueueUrl"] == url
    assert sqs.create_queue(QueueName="orders")["QueueUrl"] == url
    with pytest.raises(sqs.exceptions.QueueNameExists) as caught:
        sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "6"})
    assert "different value for attribute VisibilityTimeout" in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "x" * 81, "ümlaut", "plain.fifo"])
def test_a_wrong_name_is_refused(sqs, name):
    with pytest.raises(ClientError) as caught:
        sqs.create_queue(QueueName=name)
    assert code(caught) in ("InvalidParameterValue", "MissingParameter")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"VisibilityTimeout": "43201"}, "InvalidAttributeValue"),
        ({"VisibilityTimeout": "soon"}, "InvalidAttributeValue"),
        ({"MaximumMessageSize": "1023"}, "InvalidAttributeValue"),
        ({"Nonsense": "1"}, "InvalidAttributeName"),
        ({"FifoQueue": "false"}, "InvalidAttributeName"),
        ({"ContentBasedDeduplication": "true"}, "InvalidAttributeName"),
        ({"RedrivePolicy": "{}"}, "InvalidParameterValue"),
        ({"RedrivePolicy": "no json"}, "InvalidParameterValue"),
        (
            {
                "RedrivePolicy": json.dumps(
                    {
                        "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:nowhere",
                        "maxReceiveCount": 3,
                    }
                )
            },
            "InvalidParameterValue",
        ),
    ],
)
def test_wrong_attributes_are_refused(sqs, attributes, expected):
    with pytest.raises(ClientError) as caught:
        sqs.create_queue(QueueName="orders", Attributes=attributes)
    assert code(caught) == expected


def test_a_redrive_policy_is_checked_against_its_target(sqs, account):
    sqs.create_queue(
        QueueName="closed", Attributes={"RedriveAllowPolicy": '{"redrivePermission":"denyAll"}'}
    )
    sqs.create_queue(QueueName="dead.fifo", Attributes={"FifoQueue": "true"})
    for target, reason in (("closed", "redrive allow policy"), ("dead.fifo", "same type")):
        policy = {
            "deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{account}:{target}",
            "maxReceiveCount": "3",
        }
        with pytest.raises(ClientError) as caught:
            sqs.create_queue(QueueName="orders", Attributes={"RedrivePolicy": json.dumps(policy)})
        assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("target", "count", "reason"),
    [
        ("sqs:us-west-2", 3, "Dead letter target does not exist."),
        ("s3:us-east-1", 3, "Invalid value for deadLetterTargetArn."),
        ("sqs:us-east-1", 2.5, "Invalid value for maxReceiveCount"),
        ("sqs:us-east-1", True, "Invalid value for maxReceiveCount"),
        ("sqs:us-east-1", "1e2", "Invalid value for maxReceiveCount"),
    ],
)
def test_a_dead_letter_queue_lies_in_the_queues_region_and_counts_are_whole(
    sqs, client, account, target, count, reason
):
    sqs.create_queue(QueueName="dead")
    client("sqs", region="us-west-2").create_queue(QueueName="dead")
    policy = {
        "deadLetterTargetArn": f"arn:aws:{target}:{account}:dead",
        "maxReceiveCount": count,
    }
    with pytest.raises(ClientError, match=reason) as caught:
        sqs.create_queue(QueueName="orders", Attributes={"RedrivePolicy": json.dumps(policy)})
    assert code(caught) == "InvalidParameterValue"


def test_attributes_change_and_are_removed_by_an_empty_value(sqs):
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy, "DelaySeconds": "7"})
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy", "DelaySeconds"])
    assert got["Attributes"] == {"Policy": policy, "DelaySeconds": "7"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])


def test_a_queue_that_is_made_again_starts_empty(sqs):
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="old")
    sqs.delete_queue(QueueUrl=url)
    sqs.create_queue(QueueName="orders")
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_lists_come_in_pages(sqs):
    urls = [sqs.create_queue(QueueName=f"q{i}")["QueueUrl"] for i in range(5)]
    sqs.create_queue(QueueName="other")
    first = sqs.list_queues(QueueNamePrefix="q", MaxResults=2)
    assert first["QueueUrls"] == urls[:2]
    pages = sqs.get_paginator("list_queues").paginate(
        QueueNamePrefix="q", PaginationConfig={"PageSize": 2}
    )
    assert [url for page in pages for url in page["QueueUrls"]] == urls


def test_tags_are_kept(sqs):
    url = sqs.create_queue(QueueName="orders", tags={"a": "1"})["QueueUrl"]
    sqs.tag_queue(QueueUrl=url, Tags={"b": "2"})
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"a": "1", "b": "2"}
    sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"b": "2"}


def test_permissions_become_statements_of_the_policy(sqs):
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    sqs.add_permission(
        QueueUrl=url, Label="in", AWSAccountIds=["123456789012"], Actions=["SendMessage"]
    )
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    (statement,) = json.loads(got["Policy"])["Statement"]
    assert statement["Sid"] == "in"
    assert statement["Action"] == "SQS:SendMessage"
    assert statement["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    with pytest.raises(ClientError):
        sqs.add_permission(
            QueueUrl=url, Label="in", AWSAccountIds=["123456789012"], Actions=["SendMessage"]
        )
    sqs.remove_permission(QueueUrl=url, Label="in")
    with pytest.raises(ClientError):
        sqs.remove_permission(QueueUrl=url, Label="in")


def test_the_older_query_protocol_is_spoken_too(raw, account):
    def ask(path, body):
        answer = raw(
            "POST",
            path,
            body.encode(),
            {"content-type": "application/x-www-form-urlencoded"},
            sign="sqs",
        )
        return answer.status, answer.body.decode()

    status, text = ask(
        "/",
        "Action=CreateQueue&Version=2012-11-05&QueueName=old&Attribute.1.Name=VisibilityTimeout"
        "&Attribute.1.Value=7",
    )
    assert status == 200
    assert f"/{account}/old</QueueUrl>" in text
    path = f"/{account}/old"
    status, text = ask(path, "Action=SendMessage&Version=2012-11-05&MessageBody=hello")
    assert status == 200
    assert "<MD5OfMessageBody>5d41402abc4b2a76b9719d911017c592</MD5OfMessageBody>" in text
    status, text = ask(path, "Action=ReceiveMessage&Version=2012-11-05&AttributeName.1=All")
    assert "<Body>hello</Body>" in text
    assert "<Name>ApproximateReceiveCount</Name><Value>1</Value>" in text
    status, text = ask("/", "Action=GetQueueUrl&Version=2012-11-05&QueueName=nowhere")
    assert status == 400
    assert "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>" in text


def test_the_name_of_a_deleted_queue_can_be_held_for_a_minute(fresh_node, connect):
    clock = VirtualClock()
    node = fresh_node(clock=clock, data_dir=None, hold_queue_names=True)
    sqs = connect(node.endpoint, "sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.delete_queue(QueueUrl=url)
    node.run(clock.advance(59))
    with pytest.raises(sqs.exceptions.QueueDeletedRecently) as caught:
        sqs.create_queue(QueueName="q")
    assert caught.value.response["Error"]["Message"] == (
        "You must wait 60 seconds after deleting a queue before you can create another with the "
        "same name."
    )
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    sqs.create_queue(QueueName="other")
    node.run(clock.advance(1))
    sqs.create_queue(QueueName="q")
