"""A handler written with Powertools for AWS Lambda runs unchanged."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.services.lambda_.conftest import Make, payload, until

from lambent.host.build import BuildFailed, build

HANDLER = """
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor, EventType, process_partial_response)
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer, IdempotencyConfig, idempotent)

logger = Logger(service="shop")
metrics = Metrics(namespace="Shop", service="shop")
processor = BatchProcessor(event_type=EventType.SQS)
store = DynamoDBPersistenceLayer(table_name="idempotency")
runs = 0


def record_handler(record):
    if record.body == "bad":
        raise ValueError("bad")


@logger.inject_lambda_context
@metrics.log_metrics
def batch(event, context):
    metrics.add_metric(name="Batches", unit=MetricUnit.Count, value=1)
    logger.info("batch", extra={"size": len(event["Records"])})
    return process_partial_response(
        event=event, record_handler=record_handler, processor=processor, context=context)


@idempotent(config=IdempotencyConfig(event_key_jmespath="id"), persistence_store=store)
def once(event, context):
    global runs
    runs += 1
    return {"runs": runs, "greeting": parameters.get_parameter("/shop/greeting")}
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The archive of the handler with Powertools installed beside it."""
    source = tmp_path_factory.mktemp("powertools")
    Path(source, "requirements.txt").write_text("aws-lambda-powertools\n")
    Path(source, "index.py").write_text(HANDLER)
    try:
        built = asyncio.run(build(source, "python3.11", tmp_path_factory.mktemp("builds")))
    except BuildFailed as error:
        pytest.skip(f"Powertools cannot be installed here: {error}")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in built.rglob("*"):
            if path.is_file():
                archive.write(path, path.relative_to(built))
    return buffer.getvalue()


def test_batches_are_answered_in_part_and_logs_and_metrics_are_written(
    functions: Any, make: Make, package: bytes, client: Callable[..., Any]
) -> None:
    make("f", Code={"ZipFile": package}, Handler="index.batch", Timeout=30, MemorySize=512)
    records = [_record("1", "good"), _record("2", "bad")]
    event = json.dumps({"Records": records}).encode()
    answer = payload(functions.invoke(FunctionName="f", Payload=event))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    logs = client("logs")

    def lines() -> Any:
        found = logs.filter_log_events(logGroupName="/aws/lambda/f")["events"]
        documents = [json.loads(e["message"]) for e in found if e["message"].startswith("{")]
        return documents if len(documents) >= 2 else None

    documents = until(lines)
    line = next(one for one in documents if one.get("message") == "batch")
    assert (line["service"], line["size"], line["function_name"]) == ("shop", 2, "f")
    metric = next(one for one in documents if "_aws" in one)
    assert metric["Batches"] == [1.0]


def test_an_event_that_comes_twice_is_handled_once(
    functions: Any, make: Make, package: bytes, client: Callable[..., Any]
) -> None:
    client("dynamodb").create_table(
        TableName="idempotency",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client("ssm").put_parameter(Name="/shop/greeting", Value="hello", Type="String")
    make("f", Code={"ZipFile": package}, Handler="index.once", Timeout=30, MemorySize=512)
    for expected in (1, 1):
        answer = payload(functions.invoke(FunctionName="f", Payload=b'{"id": "a"}'))
        assert answer == {"runs": expected, "greeting": "hello"}
    assert payload(functions.invoke(FunctionName="f", Payload=b'{"id": "b"}'))["runs"] == 2


def _record(id: str, body: str) -> dict[str, Any]:
    return {
        "messageId": id,
        "receiptHandle": id,
        "body": body,
        "attributes": {},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:q",
        "awsRegion": "us-east-1",
    }
