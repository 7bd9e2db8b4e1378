"""Mappings that suppress duplicates: the function sees each key once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import ROLE, Make, Queue, archive, until
from tests.support.http import Raw

TELLS = """
import boto3, json, os, time
sqs = boto3.client("sqs")
def handler(event, context):
    for record in event["Records"]:
        sqs.send_message(QueueUrl=os.environ["OUT"], MessageBody=record["body"])
    time.sleep(float(os.environ.get("LINGER", "0")))
    if any("bad" in record["body"] for record in event["Records"]):
        raise ValueError("bad")
"""
REPORTS = """
import boto3, json, os
sqs = boto3.client("sqs")
def handler(event, context):
    failed = []
    for record in event["Records"]:
        tries = record["attributes"]["ApproximateReceiveCount"]
        id = json.loads(record["body"])["id"]
        sqs.send_message(QueueUrl=os.environ["OUT"], MessageBody=f"{id} {tries}")
        if id == "twice" and tries == "1":
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
"""
ONCE = {"Key": "$.body.id", "Expires": 600}
Api = Callable[..., Any]


def api_of(raw: Raw) -> Api:
    def ask(method: str, path: str, body: Any = None, status: int = 200) -> Any:
        data = json.dumps(body).encode() if body is not None else b""
        answer = raw(method, f"/_lambent/{path}", data, sign="lambent")
        assert answer.status == status, answer.text
        return json.loads(answer.text)

    return ask


@pytest.fixture
def api(raw: Raw) -> Api:
    return api_of(raw)


@pytest.fixture
def out(queue: Callable[..., Queue]) -> Queue:
    return queue("out")


def _map(functions: Any, api: Api, source: Queue, **more: Any) -> str:
    """A mapping with the setting, made so that nothing is delivered without it."""
    made = functions.create_event_source_mapping(
        FunctionName="f", EventSourceArn=source.arn, Enabled=False, **more
    )
    uuid: str = made["UUID"]
    api("PUT", f"duplicates/{uuid}", ONCE)
    functions.update_event_source_mapping(UUID=uuid, Enabled=True)
    return uuid


def test_a_function_sees_each_key_once(
    functions: Any, make: Make, queue: Callable[..., Queue], out: Queue, api: Api
) -> None:
    make("f", TELLS, Environment={"Variables": {"OUT": out.url}})
    source = queue("source")
    source.send('{"id": 1, "n": 1}', '{"id": 1, "n": 2}', '{"id": 2}', "no key")
    uuid = _map(functions, api, source)
    bodies = {out.receive()["Body"] for _ in range(3)}
    assert '{"id": 2}' in bodies and "no key" in bodies
    source.send('{"id": 1, "n": 3}', '{"id": 3}')
    assert out.receive()["Body"] == '{"id": 3}'
    until(lambda: source.left() == (0, 0))
    assert out.left() == (0, 0)
    # It is counted once the commit that settled it has been told of.
    until(lambda: api("GET", f"duplicates/{uuid}")["suppressed"] == 2)
    assert api("GET", f"duplicates/{uuid}")["settings"] == ONCE
    assert [one["mapping"] for one in api("GET", "duplicates")["mappings"]] == [uuid]
    api("PUT", f"duplicates/{uuid}", {"Key": "$["}, status=400)
    api("PUT", "duplicates/nowhere", ONCE, status=404)
    assert api("DELETE", f"duplicates/{uuid}")["settings"] == {}
    source.send('{"id": 1, "n": 4}')
    assert out.receive()["Body"] == '{"id": 1, "n": 4}'


def test_what_failed_is_tried_again_and_reaches_the_dead_letter_queue(
    functions: Any, make: Make, queue: Callable[..., Queue], out: Queue, api: Api
) -> None:
    make("f", TELLS, Environment={"Variables": {"OUT": out.url}}, Timeout=1)
    dead = queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 2})
    source = queue("source", VisibilityTimeout="1", RedrivePolicy=redrive)
    _map(functions, api, source)
    source.send('{"id": "bad"}')
    assert dead.receive(20)["Body"] == '{"id": "bad"}'
    assert [out.receive()["Body"] for _ in range(2)] == ['{"id": "bad"}'] * 2
    assert out.left() == (0, 0)


def test_a_key_that_failed_in_a_batch_is_done_by_its_second_try(
    functions: Any, make: Make, queue: Callable[..., Queue], out: Queue, api: Api
) -> None:
    make("f", REPORTS, Environment={"Variables": {"OUT": out.url}}, Timeout=1)
    source = queue("source", VisibilityTimeout="2")
    source.send('{"id": "twice", "n": 1}', '{"id": "once"}', '{"id": "twice", "n": 2}')
    uuid = _map(functions, api, source, FunctionResponseTypes=["ReportBatchItemFailures"])
    seen = sorted(out.receive(20)["Body"] for _ in range(3))
    assert seen == ["once 1", "twice 1", "twice 2"]
    until(lambda: source.left() == (0, 0))
    # Its duplicate was held back with it both times, or settled unseen after it.
    until(lambda: api("GET", f"duplicates/{uuid}")["suppressed"] >= 1)
    source.send('{"id": "twice", "n": 3}')
    until(lambda: source.left() == (0, 0))
    assert out.left() == (0, 0)


def test_two_queues_of_one_function_share_its_keys(
    functions: Any, make: Make, queue: Callable[..., Queue], out: Queue, api: Api
) -> None:
    make("f", TELLS, Environment={"Variables": {"OUT": out.url, "LINGER": "1"}}, Timeout=5)
    dead = queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 1})
    sources = [queue(name, RedrivePolicy=redrive) for name in ("one", "other")]
    for source in sources:
        _map(functions, api, source)
    for source in sources:
        source.send('{"id": 1}')
    out.receive()
    until(lambda: [source.left() for source in sources] == [(0, 0)] * 2)
    assert out.left() == (0, 0) and dead.left() == (0, 0)


def test_a_template_says_what_makes_a_duplicate(
    client: Callable[..., Any], queue: Callable[..., Queue], make: Make, api: Api
) -> None:
    make("f")
    source = queue("source")

    def template(metadata: dict[str, Any]) -> str:
        mapping = {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Metadata": metadata,
            "Properties": {"FunctionName": "f", "EventSourceArn": source.arn},
        }
        return json.dumps({"Resources": {"Mapping": mapping}})

    stacks = client("cloudformation")
    stacks.create_stack(StackName="s", TemplateBody=template({"Lambent": {"Idempotency": ONCE}}))
    stacks.get_waiter("stack_create_complete").wait(
        StackName="s", WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
    )
    (shown,) = api("GET", "duplicates")["mappings"]
    assert shown["settings"] == ONCE
    other = {"Key": "body.id", "Expires": 7}
    stacks.update_stack(StackName="s", TemplateBody=template({"Lambent": {"Idempotency": other}}))
    stacks.get_waiter("stack_update_complete").wait(
        StackName="s", WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
    )
    (shown,) = api("GET", "duplicates")["mappings"]
    assert shown["settings"] == other
    wrong = template({"Lambent": {"Idempotency": {"Key": "$["}}})
    stacks.create_stack(StackName="t", TemplateBody=wrong.replace('"f"', '"f:$LATEST"'))
    until(lambda: "ROLLBACK" in stacks.describe_stacks(StackName="t")["Stacks"][0]["StackStatus"])


@pytest.mark.crash
def test_a_killed_node_runs_a_key_again_and_only_it(
    node_process: Callable[..., Any], connect: Callable[..., Any], account: str
) -> None:
    node = node_process()
    functions, sqs = connect(node.endpoint, "lambda"), connect(node.endpoint, "sqs")
    out, source = Queue(sqs, "out"), Queue(sqs, "source", VisibilityTimeout="30")
    functions.create_function(
        FunctionName="f",
        Runtime="python3.11",
        Role=ROLE,
        Handler="index.handler",
        Timeout=10,
        Code={"ZipFile": archive(TELLS)},
        Environment={"Variables": {"OUT": out.url, "LINGER": "1.5"}},
    )
    source.send('{"id": 1}', '{"id": 1}')
    _map(functions, api_of(Raw(node.endpoint, account)), source, BatchSize=1)
    out.receive(20)
    node.kill()
    node.start()
    assert out.receive(20)["Body"] == '{"id": 1}'
    until(lambda: source.left() == (0, 0), 30)
    assert out.left() == (0, 0)
