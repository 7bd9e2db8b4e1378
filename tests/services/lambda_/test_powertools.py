"""A handler written with Powertools for AWS Lambda runs unchanged."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import socket
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

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor, EventType, process_partial_response)
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer, IdempotencyConfig, idempotent)

logger = Logger(service="shop")
metrics = Metrics(namespace="Shop", service="shop")
tracer = Tracer(service="shop")
processor = BatchProcessor(event_type=EventType.SQS)
store = DynamoDBPersistenceLayer(table_name="idempotency")
runs = 0


def record_handler(record):
    if record.body == "bad":
        raise ValueError("bad")


@logger.inject_lambda_context(correlation_id_path="Records[0].messageId")
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


@tracer.capture_method
def price(item):
    tracer.put_annotation(key="item", value=item)
    return 3


@tracer.capture_lambda_handler
@logger.inject_lambda_context
def traced(event, context):
    logger.append_keys(order=event["order"])
    logger.info("priced")
    return price(event["item"])


def read(event, context):
    return {
        "all": parameters.get_parameters("/shop", max_age=0),
        "json": parameters.get_parameter("/shop/settings", transform="json", max_age=0),
        "hidden": parameters.get_parameter("/shop/hidden", decrypt=True, max_age=0),
        "secret": parameters.get_secret("shop", transform="json", max_age=0),
        "row": parameters.DynamoDBProvider(table_name="settings").get("colour"),
    }


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
    Path(source, "requirements.txt").write_text("aws-lambda-powertools[tracer]\n")
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
    assert (line["cold_start"], line["correlation_id"]) == (True, "1")
    assert line["level"] == "INFO" and line["function_request_id"] and line["xray_trace_id"]
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


def test_a_traced_handler_sends_its_subsegments_of_the_invocations_trace(
    functions: Any, make: Make, package: bytes
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(20)
        address = f"127.0.0.1:{daemon.getsockname()[1]}"
        make(
            "f",
            Code={"ZipFile": package},
            Handler="index.traced",
            Timeout=30,
            MemorySize=512,
            TracingConfig={"Mode": "Active"},
            Environment={"Variables": {"AWS_XRAY_DAEMON_ADDRESS": address}},
        )
        event = json.dumps({"order": 7, "item": "pear"}).encode()
        answer = functions.invoke(FunctionName="f", Payload=event, LogType="Tail")
        assert payload(answer) == 3
        log = base64.b64decode(answer["LogResult"]).decode()
        line = json.loads(next(each for each in log.splitlines() if '"priced"' in each))
        # The inner one ends first, and is sent for itself.
        method, handler = (json.loads(daemon.recv(1 << 16).partition(b"\n")[2]) for _ in range(2))
    assert (method["name"], handler["name"]) == ("## index.price", "## traced")
    assert method["annotations"] == {"item": "pear"} and method["parent_id"] == handler["id"]
    assert line["order"] == 7
    assert line["xray_trace_id"] == method["trace_id"] == handler["trace_id"]


def test_parameters_are_read_from_where_aws_keeps_them(
    functions: Any, make: Make, package: bytes, client: Callable[..., Any]
) -> None:
    for name, value in {"/shop/a": "1", "/shop/settings": '{"b": 2}'}.items():
        client("ssm").put_parameter(Name=name, Value=value, Type="String")
    client("ssm").put_parameter(Name="/shop/hidden", Value="shh", Type="SecureString")
    client("secretsmanager").create_secret(Name="shop", SecretString='{"key": "k"}')
    client("dynamodb").create_table(
        TableName="settings",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client("dynamodb").put_item(
        TableName="settings", Item={"id": {"S": "colour"}, "value": {"S": "green"}}
    )
    make("f", Code={"ZipFile": package}, Handler="index.read", Timeout=30, MemorySize=512)
    found = payload(functions.invoke(FunctionName="f"))
    assert found["all"].keys() == {"a", "settings", "hidden"} and found["all"]["a"] == "1"
    assert found["json"] == {"b": 2} and found["hidden"] == "shh"
    assert found["secret"] == {"key": "k"} and found["row"] == "green"


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
