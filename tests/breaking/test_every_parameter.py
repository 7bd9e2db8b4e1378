"""No request, however wrong one member of it is, makes a node fail.

Every operation of every service, each member present, missing, and set to what it must not
be: the answer is never a 5xx but 501 for what is not built, it always comes, and the node's
log tells of no defect.
"""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.model import ServiceModel
from tests.breaking.sweeping import answers
from tests.breaking.wire_requests import Maker, Wire
from tests.conftest import ClientFactory

ACCOUNT = "123456789012"
TEMPLATE = json.dumps({"Resources": {"Topic": {"Type": "AWS::SQS::Queue"}}})
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
TRUST = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}


def _zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return event\n")
    return made.getvalue()


KNOWN: dict[str, dict[str, Any]] = {
    "sqs": {
        "QueueUrl": f"http://localhost/{ACCOUNT}/queue",
        "QueueName": "queue",
        "WaitTimeSeconds": 0,
        "SourceArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:queue",
        "ReceiptHandle": "AQEB",
    },
    "dynamodb": {
        "TableName": "table",
        "IndexName": "index",
        "Key": {"p": {"S": "a"}},
        "Item": {"p": {"S": "a"}, "n": {"N": "1"}, "l": {"L": [{"S": "x"}]}},
        "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
        "KeyConditionExpression": "p = :v",
        "FilterExpression": "n = :v",
        "ConditionExpression": "n = :v",
        "UpdateExpression": "SET n = :v",
        "ProjectionExpression": "p",
        "ExpressionAttributeValues": {":v": {"S": "a"}},
        "Statement": "SELECT * FROM \"table\" WHERE p = 'a'",
        "RequestItems": {"table": [{"PutRequest": {"Item": {"p": {"S": "a"}}}}]},
        "ResourceArn": f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/table",
        "KeyConditions": {
            "p": {"AttributeValueList": [{"S": "a"}], "ComparisonOperator": "EQ"},
        },
        "ExclusiveStartKey": {"p": {"S": "a"}},
    },
    "s3": {"Bucket": "bucket", "Key": "key", "CopySource": "bucket/key", "Body": b"x"},
    "lambda": {
        "FunctionName": "function",
        "Role": ROLE,
        "Handler": "index.handler",
        "Runtime": "python3.11",
        "ZipFile": _zip(),
        "EventSourceArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:queue",
        "InvocationType": "DryRun",
        "Resource": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:function",
    },
    "logs": {
        "logGroupName": "group",
        "logStreamName": "stream",
        "logEvents": [{"timestamp": 1_700_000_000_000, "message": "m"}],
        "filterPattern": "{ $.a = 1 }",
    },
    "iam": {
        "RoleName": "r",
        "UserName": "u",
        "GroupName": "g",
        "PolicyName": "p",
        "PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/p",
        "AssumeRolePolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": TRUST}),
        "PolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": []}),
    },
    "sts": {"RoleArn": ROLE, "RoleSessionName": "session", "DurationSeconds": 900},
    "ssm": {"Name": "/parameter", "Value": "v", "Type": "String", "Path": "/"},
    "secretsmanager": {"SecretId": "secret", "Name": "secret", "SecretString": "s"},
    "cloudformation": {
        "StackName": "stack",
        "ChangeSetName": "changes",
        "TemplateBody": TEMPLATE,
    },
}
"""Values by member name for the resources that are there, and for what has a form."""

REPLACED = {
    "BatchGetItem": {"RequestItems": {"table": {"Keys": [{"p": {"S": "a"}}]}}},
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A node as a user starts it, and what it says on standard error."""
    folder = tmp_path_factory.mktemp("swept")
    command = [sys.executable, "-m", "lambent", "up", "--port", "0", "--json"]
    command += ["--data-dir", str(folder / "data")]
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["endpoint"], folder / "stderr"
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def _prepare(connect: ClientFactory, endpoint: str, service: str) -> None:
    """What the operations of a service find, so that they do not stop at its absence."""

    def client(name: str) -> Any:
        return connect(endpoint, name, access_key=ACCOUNT)

    known = KNOWN[service]
    if service in ("sqs", "lambda"):
        client("sqs").create_queue(QueueName="queue")
    if service == "dynamodb":
        client(service).create_table(
            TableName="table",
            AttributeDefinitions=known["AttributeDefinitions"],
            KeySchema=known["KeySchema"],
            BillingMode="PAY_PER_REQUEST",
        )
    if service == "s3":
        client(service).create_bucket(Bucket="bucket")
        client(service).put_object(Bucket="bucket", Key="key", Body=b"x")
    if service == "lambda":
        client(service).create_function(
            FunctionName="function",
            Role=ROLE,
            Handler="index.handler",
            Runtime="python3.11",
            Code={"ZipFile": known["ZipFile"]},
        )
    if service == "logs":
        client(service).create_log_group(logGroupName="group")
        client(service).create_log_stream(logGroupName="group", logStreamName="stream")


def _built(endpoint: str, service: str, model: ServiceModel) -> list[str]:
    """The operations that the node has: those that are not answered with 501."""
    rights = [next(_wrong(model, service, name)) for name in _ordered(model.operation_names)]
    found = asyncio.run(answers(endpoint, service, ACCOUNT, rights))
    return _ordered(wire.operation for status, wire, _ in found if status != 501)


def _requests(model: ServiceModel, service: str, operations: list[str]) -> Iterator[Wire]:
    for name in operations:
        yield from _wrong(model, service, name)


def _wrong(model: ServiceModel, service: str, operation: str) -> Iterator[Wire]:
    maker = Maker(model, {**KNOWN[service], **REPLACED.get(operation, {})})
    return maker.requests(model.operation_model(operation))


def _ordered(operations: Iterable[str]) -> list[str]:
    """What takes away what the others need comes last."""
    return sorted(operations, key=lambda name: (name.startswith("Delete"), name))


@pytest.mark.parametrize("service", sorted(KNOWN))
def test_no_wrong_parameter_makes_the_node_fail(
    service: str, running: tuple[str, Path], connect: ClientFactory, sdk: Any
) -> None:
    endpoint, log = running
    said = log.stat().st_size
    model = sdk.get_service_model(service)
    operations = _built(endpoint, service, model)
    _prepare(connect, endpoint, service)
    requests = _requests(model, service, operations)
    found = asyncio.run(answers(endpoint, service, ACCOUNT, requests))
    bad = [
        f"{wire.operation} ({wire.changed}): {status} {body[:200]!r}"
        for status, wire, body in found
        if status == 0 or (status >= 500 and status != 501)
    ]
    assert not bad, "\n".join(bad[:50])
    assert len(found) > 100
    assert "Traceback" not in log.read_bytes()[said:].decode("utf-8", "replace")
