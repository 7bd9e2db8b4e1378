"""Requests per second that a running system answers: SQS, DynamoDB, S3.

Each function is one scenario: it makes what it needs through boto3, loads the system, and
gives figures by the names in `report.METRICS`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import wire
from benchmarks.load import Job, Load, drive
from benchmarks.systems import Running

BODY = json.dumps({"order": 1, "items": ["x" * 16] * 10})
ITEMS = 2000
PARTITIONS = 100
SMALL = 4 * 1024
LARGE = 8 * 1024 * 1024
BATCH = 10


@dataclass(frozen=True)
class Scale:
    """How long each load runs, and how often the slow things are done."""

    seconds: float
    invocations: int
    colds: int
    uploads: int


Figures = dict[str, float]


def _measure(
    running: Running,
    figures: Figures,
    metric: str,
    requests: Sequence[bytes],
    seconds: float,
    *,
    connections: int = 64,
    limit: int = 0,
    keep: bool = False,
) -> Load:
    """One load: its rate goes to `metric`, the server's CPU time per answer beside it."""
    job = Job(running.port, list(requests), connections, seconds, limit, keep)
    load = drive(job, running.pid)
    figures[metric] = load.rate
    figures[f"{metric}.cpu_us"] = load.cpu * 1e6
    return load


def sqs(running: Running, scale: Scale, figures: Figures) -> None:
    """Send what the time allows, receive all of it one by one, delete it one by one; then the
    same ten at a time, counted in messages."""
    if running.system.warm_up:
        _warm_up(running, running.system.warm_up)
    url = running.client("sqs").create_queue(QueueName="bench")["QueueUrl"]
    send = [wire.sqs("SendMessage", QueueUrl=url, MessageBody=BODY)]
    _measure(running, figures, "sqs.send_1", send, scale.seconds, connections=1)
    sent = _measure(running, figures, "sqs.send", send, scale.seconds).answers
    receive = [wire.sqs("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=1)]
    received = _measure(
        running, figures, "sqs.receive", receive, scale.seconds, limit=sent, keep=True
    )
    handles = [
        message["ReceiptHandle"]
        for body in received.bodies
        for message in json.loads(body)["Messages"]
    ]
    delete = [wire.sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=handle) for handle in handles]
    _measure(running, figures, "sqs.delete", delete, scale.seconds, limit=len(delete))
    _sqs_batches(running, scale, figures)


def _warm_up(running: Running, seconds: float) -> None:
    """Every call that will be measured, over and over."""
    url = running.client("sqs").create_queue(QueueName="warm-up")["QueueUrl"]
    entries = [{"Id": str(number), "MessageBody": BODY} for number in range(BATCH)]
    calls = {
        "send": [
            wire.sqs("SendMessage", QueueUrl=url, MessageBody=BODY),
            wire.sqs("SendMessageBatch", QueueUrl=url, Entries=entries),
        ],
        "receive": [
            wire.sqs("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=count)
            for count in (1, BATCH)
        ],
    }
    answers = {
        name: drive(Job(running.port, requests, 64, seconds / 3, keep=True), running.pid)
        for name, requests in calls.items()
    }
    handles = [
        message["ReceiptHandle"]
        for body in answers["receive"].bodies
        for message in json.loads(body).get("Messages", ())
    ]
    delete = [wire.sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=handle) for handle in handles]
    drive(Job(running.port, delete, 64, seconds / 3, len(delete)), running.pid)


def _sqs_batches(running: Running, scale: Scale, figures: Figures) -> None:
    url = running.client("sqs").create_queue(QueueName="bench-batches")["QueueUrl"]
    entries = [{"Id": str(number), "MessageBody": BODY} for number in range(BATCH)]
    send = [wire.sqs("SendMessageBatch", QueueUrl=url, Entries=entries)]
    receive = [wire.sqs("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=BATCH)]
    calls: Figures = {}
    sent = _measure(running, calls, "sqs.send_10", send, scale.seconds).answers
    received = _measure(
        running, calls, "sqs.receive_10", receive, scale.seconds, limit=sent, keep=True
    )
    batches = [
        [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(json.loads(body)["Messages"])
        ]
        for body in received.bodies
    ]
    delete = [wire.sqs("DeleteMessageBatch", QueueUrl=url, Entries=batch) for batch in batches]
    _measure(running, calls, "sqs.delete_10", delete, scale.seconds, limit=len(delete))
    for metric, value in calls.items():
        figures[metric] = value / BATCH if metric.endswith(".cpu_us") else value * BATCH


def dynamodb(running: Running, scale: Scale, figures: Figures) -> None:
    """Put items, get them, and query ten of a partition."""
    running.client("dynamodb").create_table(
        TableName="bench",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    )
    running.client("dynamodb").get_waiter("table_exists").wait(
        TableName="bench", WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    keys = [
        {"pk": {"S": f"user#{number % PARTITIONS}"}, "sk": {"S": f"order#{number:06}"}}
        for number in range(ITEMS)
    ]
    rest = {"total": {"N": "42.50"}, "state": {"S": "paid"}, "note": {"S": "x" * 100}}
    puts = [wire.dynamodb("PutItem", TableName="bench", Item=key | rest) for key in keys]
    gets = [wire.dynamodb("GetItem", TableName="bench", Key=key) for key in keys]
    queries = [
        wire.dynamodb(
            "Query",
            TableName="bench",
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": f"user#{number}"}},
            Limit=10,
        )
        for number in range(PARTITIONS)
    ]
    _measure(running, figures, "dynamodb.put", puts, scale.seconds)
    _measure(running, figures, "dynamodb.get", gets, scale.seconds)
    _measure(running, figures, "dynamodb.query", queries, scale.seconds)


def s3(running: Running, scale: Scale, figures: Figures) -> None:
    """Put and get objects: small ones on 64 connections, large ones on 4."""
    running.client("s3").create_bucket(Bucket="bench")
    small, large = b"s" * SMALL, b"l" * LARGE
    names = range(500)
    puts = [wire.s3("PUT", f"/bench/small/{name}", small) for name in names]
    _measure(running, figures, "s3.put_4k", puts, scale.seconds)
    # What the time did not suffice for is put before it is asked for.
    _measure(running, {}, "s3.filled", puts, 30.0, limit=len(puts), connections=16)
    gets = [wire.s3("GET", f"/bench/small/{name}") for name in names]
    _measure(running, figures, "s3.get_4k", gets, scale.seconds)
    put = [wire.s3("PUT", f"/bench/large/{name}", large) for name in range(4)]
    _measure(running, {}, "s3.filled", put, 30.0, limit=len(put), connections=1)
    _measure(running, figures, "s3.put_8m", put, scale.seconds, connections=4)
    get = [wire.s3("GET", f"/bench/large/{name}") for name in range(4)]
    _measure(running, figures, "s3.get_8m", get, scale.seconds, connections=4)
