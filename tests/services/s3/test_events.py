"""Event notifications: to a queue of the same node, and to targets that misbehave."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from tests.services.s3.conftest import refused


@pytest.fixture
def queue(client, account):
    """A queue that S3 may send to; gives its ARN and a function that takes its messages."""
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{account}:events"
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
        ],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})

    def take():
        found = []
        while True:
            page = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            if not page.get("Messages"):
                return found
            for message in page["Messages"]:
                found.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    return arn, take


def configure(s3, bucket, arn, *events, **rules):
    entry = {"QueueArn": arn, "Events": list(events) or ["s3:ObjectCreated:*"]}
    if rules:
        entry["Filter"] = {
            "Key": {"FilterRules": [{"Name": name, "Value": v} for name, v in rules.items()]}
        }
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [entry]}
    )


def records(messages):
    return sorted(
        (record for message in messages for record in message.get("Records", ())),
        key=lambda record: record["s3"]["object"].get("sequencer", ""),
    )


def test_a_configured_queue_hears_of_it(s3, bucket, queue):
    arn, take = queue
    configure(s3, bucket, arn)
    (test,) = take()
    assert (test["Service"], test["Event"], test["Bucket"]) == (
        "Amazon S3",
        "s3:TestEvent",
        bucket,
    )


def test_each_kind_of_write_is_reported_by_its_name(s3, bucket, queue):
    arn, take = queue
    configure(s3, bucket, arn, "s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*")
    take()
    s3.put_object(Bucket=bucket, Key="a b.txt", Body=b"hello")
    s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/a b.txt")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")
    target = {"Bucket": bucket, "Key": "m", "UploadId": upload["UploadId"]}
    part = s3.upload_part(**target, PartNumber=1, Body=b"x")
    s3.complete_multipart_upload(
        **target, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    )
    s3.delete_object(Bucket=bucket, Key="c")
    s3.delete_object(Bucket=bucket, Key="never there")
    found = records(take())
    assert [record["eventName"] for record in found] == [
        "ObjectCreated:Put",
        "ObjectCreated:Copy",
        "ObjectCreated:CompleteMultipartUpload",
        "ObjectRemoved:Delete",
    ]
    put = found[0]["s3"]
    assert put["bucket"]["name"] == bucket
    assert put["object"]["key"] == "a+b.txt"
    assert put["object"]["size"] == 5
    assert put["object"]["eTag"] == "5d41402abc4b2a76b9719d911017c592"
    assert "size" not in found[3]["s3"]["object"]
    s3.put_object_tagging(Bucket=bucket, Key="m", Tagging={"TagSet": []})
    (tagged,) = records(take())
    assert tagged["eventName"] == "ObjectTagging:Put"


def test_versions_are_named(s3, bucket, queue):
    arn, take = queue
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    configure(s3, bucket, arn, "s3:ObjectCreated:*", "s3:ObjectRemoved:*")
    take()
    made = s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    marker = s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_object(Bucket=bucket, Key="k", VersionId=made["VersionId"])
    found = records(take())
    assert [(r["eventName"], r["s3"]["object"]["versionId"]) for r in found] == [
        ("ObjectCreated:Put", made["VersionId"]),
        ("ObjectRemoved:DeleteMarkerCreated", marker["VersionId"]),
        ("ObjectRemoved:Delete", made["VersionId"]),
    ]


def test_filters_choose_keys(s3, bucket, queue):
    arn, take = queue
    configure(s3, bucket, arn, prefix="in/", suffix=".jpg")
    take()
    for key in ("in/a.jpg", "in/a.png", "out/a.jpg"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert [r["s3"]["object"]["key"] for r in records(take())] == ["in/a.jpg"]


def test_the_configuration_is_shown_and_replaced(s3, bucket, queue):
    arn, _ = queue
    configure(s3, bucket, arn, prefix="in/")
    found = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    assert found[0]["QueueArn"] == arn
    assert found[0]["Events"] == ["s3:ObjectCreated:*"]
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    found = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert "QueueConfigurations" not in found
    assert found["EventBridgeConfiguration"] == {}


def test_a_destination_must_be_there(s3, bucket, account):
    refusal = refused(
        configure, s3=s3, bucket=bucket, arn=f"arn:aws:sqs:us-east-1:{account}:nowhere"
    )
    assert (refusal.code, refusal.status) == ("InvalidArgument", 400)
    assert refusal.message == ("Unable to validate the following destination configurations")
    assert (
        s3.get_bucket_notification_configuration(Bucket=bucket).get("QueueConfigurations") is None
    )


def test_a_function_must_permit(s3, client, bucket, account):
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return None")
    functions = client("lambda")
    arn = functions.create_function(
        FunctionName="listener",
        Runtime="python3.11",
        Handler="app.handler",
        Role=f"arn:aws:iam::{account}:role/r",
        Code={"ZipFile": code.getvalue()},
    )["FunctionArn"]
    wanted = {
        "Bucket": bucket,
        "NotificationConfiguration": {
            "LambdaFunctionConfigurations": [
                {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    }
    refusal = refused(s3.put_bucket_notification_configuration, **wanted)
    assert refusal.message == "Unable to validate the following destination configurations"
    functions.add_permission(
        FunctionName="listener",
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{bucket}",
    )
    s3.put_bucket_notification_configuration(**wanted)
    found = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert found["LambdaFunctionConfigurations"][0]["LambdaFunctionArn"] == arn


def test_an_upload_succeeds_though_its_destination_is_gone(s3, client, bucket, queue, account):
    arn, _ = queue
    configure(s3, bucket, arn)
    sqs = client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="events")["QueueUrl"])
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 1
