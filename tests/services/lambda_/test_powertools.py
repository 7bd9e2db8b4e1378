"""A handler written with Powertools for AWS Lambda runs unchanged."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.services.lambda_.conftest import Make, payload, until

from lambent.host.build import BuildFailed, build

HANDLER = """
import os
import time

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


def opened(name):
    try:
        return parameters.get_parameter(name, max_age=0)
    except parameters.exceptions.GetParameterError:
        return False


def paying(**more):
    config = IdempotencyConfig(event_key_jmespath="id", **more)

    @idempotent(config=config, persistence_store=DynamoDBPersistenceLayer("idempotency"))
    def handler(event, context):
        global runs
        runs += 1
        if event.get("die"):
            os._exit(1)
        if event.get("fail"):
            raise ValueError("declined")
        while event.get("gate") and not opened(event["gate"]):
            time.sleep(0.02)
        return {"run": context.aws_request_id, "amount": event.get("amount"), "runs": runs}

    return handler


pay = paying(payload_validation_jmespath="amount")
slowly = paying()
briefly = paying(expires_after_seconds=1)
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
    _make_table(client)
    client("ssm").put_parameter(Name="/shop/greeting", Value="hello", Type="String")
    make("f", Code={"ZipFile": package}, Handler="index.once", Timeout=30, MemorySize=512)
    for expected in (1, 1):
        answer = payload(functions.invoke(FunctionName="f", Payload=b'{"id": "a"}'))
        assert answer == {"runs": expected, "greeting": "hello"}
    assert payload(functions.invoke(FunctionName="f", Payload=b'{"id": "b"}'))["runs"] == 2


@pytest.fixture
def pay(
    functions: Any, make: Make, package: bytes, client: Callable[..., Any]
) -> Callable[..., Any]:
    """`pay(handler, event)`: what that handler says to the event, called at once."""
    _make_table(client)
    made: set[str] = set()

    def call(handler: str, **event: Any) -> Any:
        if handler not in made:
            made.add(handler)
            code = {"ZipFile": package}
            seconds = 30 if handler == "slowly" else 4
            make(handler, Code=code, Handler=f"index.{handler}", Timeout=seconds, MemorySize=512)
        data = json.dumps(event).encode()
        return payload(functions.invoke(FunctionName=handler, Payload=data))

    return call


def test_the_first_answer_is_given_again_unless_the_payload_is_another(
    pay: Callable[..., Any],
) -> None:
    first = pay("pay", id="a", amount=5)
    assert pay("pay", id="a", amount=5) == first
    assert pay("pay", id="a", amount=6)["errorType"] == "IdempotencyValidationError"
    assert pay("pay", id="b", amount=6)["run"] != first["run"]


def test_of_two_callers_at_once_one_is_told_that_the_other_is_at_it(
    pay: Callable[..., Any], client: Callable[..., Any]
) -> None:
    pay("slowly", id="warm")
    with ThreadPoolExecutor() as threads:
        first = threads.submit(pay, "slowly", id="a", gate="/open")
        try:
            begun = client("dynamodb")
            until(lambda: begun.scan(TableName="idempotency")["Count"] == 2)
            assert pay("slowly", id="a")["errorType"] == "IdempotencyAlreadyInProgressError"
        finally:
            client("ssm").put_parameter(Name="/open", Value="yes", Type="String")
        assert pay("slowly", id="b")["run"] != first.result()["run"]
    assert pay("slowly", id="a") == first.result()


def test_what_failed_is_run_again(pay: Callable[..., Any]) -> None:
    assert pay("pay", id="a", fail=True)["errorType"] == "ValueError"
    assert "run" in pay("pay", id="a")


def test_what_crashed_is_taken_over_once_its_time_is_over(pay: Callable[..., Any]) -> None:
    assert pay("pay", id="a", die=True)["errorType"] == "Runtime.ExitError"
    assert pay("pay", id="a")["errorType"] == "IdempotencyAlreadyInProgressError"
    # The invocation could have lasted as long as the function's timeout.
    assert until(lambda: pay("pay", id="a").get("run"))


def test_an_outcome_is_forgotten_when_it_expires(pay: Callable[..., Any]) -> None:
    first = pay("briefly", id="a")
    assert until(lambda: pay("briefly", id="a") != first)


def _make_table(client: Callable[..., Any]) -> None:
    client("dynamodb").create_table(
        TableName="idempotency",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


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
