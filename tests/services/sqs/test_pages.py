"""Listing in pages, and the edges of sizes, tags and permissions."""

import json

import pytest
from botocore.exceptions import ClientError
from tests.services.sqs.wire import ask


@pytest.fixture
def sqs(client):
    return client("sqs")


def names(urls):
    return [url.rsplit("/", 1)[1] for url in urls]


def test_the_sources_of_a_dead_letter_queue_come_in_pages(sqs, account):
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    policy = json.dumps(
        {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{account}:dead", "maxReceiveCount": 1}
    )
    for number in range(5):
        sqs.create_queue(QueueName=f"s{number}", Attributes={"RedrivePolicy": policy})
        sqs.create_queue(QueueName=f"other{number}")
    first = sqs.list_dead_letter_source_queues(QueueUrl=dead, MaxResults=2)
    assert names(first["queueUrls"]) == ["s0", "s1"]
    pages = sqs.get_paginator("list_dead_letter_source_queues").paginate(
        QueueUrl=dead, PaginationConfig={"PageSize": 2}
    )
    assert [len(page["queueUrls"]) for page in pages] == [2, 2, 1]
    whole = sqs.list_dead_letter_source_queues(QueueUrl=dead)
    assert names(whole["queueUrls"]) == [f"s{number}" for number in range(5)]
    assert "NextToken" not in whole
    assert sqs.list_dead_letter_source_queues(QueueUrl=whole["queueUrls"][0])["queueUrls"] == []


def test_queues_come_in_pages_by_prefix(sqs):
    for name in ("a1", "a2", "a3", "b1"):
        sqs.create_queue(QueueName=name)
    first = sqs.list_queues(QueueNamePrefix="a", MaxResults=2)
    assert names(first["QueueUrls"]) == ["a1", "a2"]
    rest = sqs.list_queues(QueueNamePrefix="a", MaxResults=2, NextToken=first["NextToken"])
    assert names(rest["QueueUrls"]) == ["a3"]
    assert "NextToken" not in rest


def test_one_mebibyte_is_taken_in_one_message_and_in_a_batch(sqs):
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x" * 1_048_576)
    halves = [{"Id": n, "MessageBody": "x" * 524_288} for n in "ab"]
    assert len(sqs.send_message_batch(QueueUrl=url, Entries=halves)["Successful"]) == 2
    attribute = {"a": {"DataType": "String", "StringValue": "b"}}
    with pytest.raises(ClientError) as caught:
        sqs.send_message(QueueUrl=url, MessageBody="x" * 1_048_569, MessageAttributes=attribute)
    assert "Message must be shorter than 1048576 bytes" in str(caught.value)
    sqs.send_message(QueueUrl=url, MessageBody="x" * 1_048_568, MessageAttributes=attribute)


def test_a_form_may_be_as_large_as_a_message(sqs, raw):
    url = sqs.create_queue(QueueName="large")["QueueUrl"]
    params = {"QueueUrl": url, "MessageBody": "x" * 1_048_576}
    assert ask(raw, "query", "SendMessage", params).status == 200
    (got,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert len(got["Body"]) == 1_048_576


def test_fifty_tags_are_taken_and_no_more(sqs):
    url = sqs.create_queue(QueueName="q", tags={str(n): "" for n in range(50)})["QueueUrl"]
    sqs.tag_queue(QueueUrl=url, Tags={"0": "changed"})
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"]["0"] == "changed"
    with pytest.raises(ClientError):
        sqs.tag_queue(QueueUrl=url, Tags={"more": "x"})


def test_permissions_join_a_policy_whose_statement_stands_alone(sqs, account):
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    own = {"Sid": "own", "Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
    sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": own})}
    )
    grant = {"AWSAccountIds": ["111111111111"], "Actions": ["SendMessage"]}
    sqs.add_permission(QueueUrl=url, Label="one", **grant)
    with pytest.raises(ClientError) as caught:
        sqs.add_permission(QueueUrl=url, Label="own", **grant)
    assert "Value own for parameter Label is invalid. Reason: Already exists." in str(caught.value)
    sqs.remove_permission(QueueUrl=url, Label="own")
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    assert [each["Sid"] for each in json.loads(got["Policy"])["Statement"]] == ["one"]
    sqs.remove_permission(QueueUrl=url, Label="one")
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])


def test_a_handle_of_another_queue_is_told(sqs):
    one, other = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("one", "other"))
    sqs.send_message(QueueUrl=one, MessageBody="x")
    (got,) = sqs.receive_message(QueueUrl=one)["Messages"]
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid) as caught:
        sqs.delete_message(QueueUrl=other, ReceiptHandle=got["ReceiptHandle"])
    assert "is not valid for this queue." in str(caught.value)
