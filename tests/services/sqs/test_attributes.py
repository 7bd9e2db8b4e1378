"""Queue attributes that depend on each other."""

import json

import pytest


@pytest.fixture
def sqs(client):
    return client("sqs")


def encryption(sqs, url):
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return {name: got[name] for name in got if name.startswith(("Kms", "SqsManaged"))}


def test_of_two_encryptions_the_last_that_was_named_is_the_queues(sqs):
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    managed = {"SqsManagedSseEnabled": "true"}
    assert encryption(sqs, url) == managed
    kms = {"KmsMasterKeyId": "alias/aws/sqs"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=managed)
    sqs.set_queue_attributes(QueueUrl=url, Attributes=kms)
    by_kms = {**kms, "KmsDataKeyReusePeriodSeconds": "300", "SqsManagedSseEnabled": "false"}
    assert encryption(sqs, url) == by_kms
    sqs.set_queue_attributes(QueueUrl=url, Attributes=managed)
    assert encryption(sqs, url) == managed
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"SqsManagedSseEnabled": "false"})
    assert encryption(sqs, url) == {"SqsManagedSseEnabled": "false"}


def test_creating_again_with_the_same_document_returns_the_queue(sqs, account):
    sqs.create_queue(QueueName="dead")
    redrive = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{account}:dead", "maxReceiveCount": 3}
    spaced, dense = json.dumps(redrive, indent=2), json.dumps(redrive, separators=(",", ":"))
    url = sqs.create_queue(QueueName="q", Attributes={"RedrivePolicy": spaced})["QueueUrl"]
    assert sqs.create_queue(QueueName="q", Attributes={"RedrivePolicy": dense})["QueueUrl"] == url
    other = json.dumps({**redrive, "maxReceiveCount": 4})
    with pytest.raises(sqs.exceptions.QueueNameExists):
        sqs.create_queue(QueueName="q", Attributes={"RedrivePolicy": other})


def test_creating_again_with_the_same_tags_returns_the_queue(sqs):
    tags = {"a": "1", "b": "2"}
    url = sqs.create_queue(QueueName="q", tags=tags)["QueueUrl"]
    assert sqs.create_queue(QueueName="q", tags=tags)["QueueUrl"] == url
    assert sqs.create_queue(QueueName="q")["QueueUrl"] == url
    with pytest.raises(sqs.exceptions.QueueNameExists):
        sqs.create_queue(QueueName="q", tags={"a": "1"})
