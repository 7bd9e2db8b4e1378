"""Event source mappings from queues, through boto3 on a live node."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.services.lambda_.conftest import RAISES, Make, Queue, until
from tests.services.lambda_.test_functions import refused
from tests.support.http import Raw
from tests.support.nodes import ThreadNode

from lambent.services.lambda_ import records
from lambent.store.contract import Transaction

FORWARDS = """
import boto3, json, os
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""


@pytest.fixture
def out(queue: Callable[..., Queue]) -> Queue:
    return queue("out")


@pytest.fixture
def forwards(make: Make, out: Queue) -> dict[str, Any]:
    return make("f", FORWARDS, Timeout=30, Environment={"Variables": {"QUEUE": out.url}})


def test_a_new_mapping_has_lambdas_defaults(
    forwards: dict[str, Any], functions: Any, queue: Any, account: str
) -> None:
    source: Queue = queue()
    made = functions.create_event_source_mapping(FunctionName="f", EventSourceArn=source.arn)
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 202
    uuid = made["UUID"]
    assert made["State"] == "Creating"
    shown = functions.get_event_source_mapping(UUID=uuid)
    del shown["ResponseMetadata"], shown["LastModified"]
    assert shown == {
        "UUID": uuid,
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "EventSourceArn": source.arn,
        "FunctionArn": forwards["FunctionArn"],
        "EventSourceMappingArn": f"arn:aws:lambda:us-east-1:{account}:event-source-mapping:{uuid}",
        "FunctionResponseTypes": [],
        "State": "Enabled",
        "StateTransitionReason": "USER_INITIATED",
    }


def test_messages_reach_the_function_as_lambda_gives_them(
    forwards: dict[str, Any], functions: Any, queue: Any, out: Queue
) -> None:
    source: Queue = queue()
    functions.create_event_source_mapping(FunctionName="f", EventSourceArn=source.arn)
    (sent,) = source.send("hello")
    (record,) = json.loads(out.receive()["Body"])["Records"]
    assert record["messageId"] == sent
    assert record["body"] == "hello"
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == source.arn
    assert record["awsRegion"] == "us-east-1"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    until(lambda: source.left() == (0, 0))


def test_only_the_failed_items_of_a_batch_come_again(
    make: Make, functions: Any, queue: Any
) -> None:
    source: Queue = queue(VisibilityTimeout="3")
    make(
        "f",
        "def handler(event, context):\n"
        "    return {'batchItemFailures': [{'itemIdentifier': r['messageId']}\n"
        "            for r in event['Records'] if r['body'] == 'bad']}\n",
    )
    source.send("good", "bad", "good")
    functions.create_event_source_mapping(
        FunctionName="f",
        EventSourceArn=source.arn,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    until(lambda: source.left() == (0, 1))


def test_a_message_that_always_fails_ends_in_the_dead_letter_queue(
    make: Make, functions: Any, queue: Any
) -> None:
    dead: Queue = queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 2})
    source: Queue = queue(VisibilityTimeout="1", RedrivePolicy=redrive)
    make("f", RAISES, Timeout=1)
    functions.create_event_source_mapping(FunctionName="f", EventSourceArn=source.arn)
    source.send("poison")
    message = dead.receive(20)
    assert message["Body"] == "poison"
    assert source.left() == (0, 0)


def test_unwanted_messages_are_deleted_unseen(
    forwards: dict[str, Any], functions: Any, queue: Any, out: Queue
) -> None:
    source: Queue = queue()
    functions.create_event_source_mapping(
        FunctionName="f",
        EventSourceArn=source.arn,
        FilterCriteria={
            "Filters": [
                {"Pattern": json.dumps({"body": {"kind": ["wanted"]}})},
                {"Pattern": json.dumps({"body": {"kind": [{"exists": False}]}})},
                {"Pattern": json.dumps({"body": [{"prefix": "plain"}]})},
            ]
        },
    )
    source.send('{"kind": "unwanted"}', "text", '{"kind": "wanted"}')
    (record,) = json.loads(out.receive()["Body"])["Records"]
    assert record["body"] == '{"kind": "wanted"}'
    source.send("plain text")
    (record,) = json.loads(out.receive()["Body"])["Records"]
    assert record["body"] == "plain text"
    until(lambda: source.left() == (0, 0))


def test_a_window_gathers_messages_into_one_batch(
    forwards: dict[str, Any], functions: Any, queue: Any, out: Queue
) -> None:
    source: Queue = queue(VisibilityTimeout="60")
    functions.create_event_source_mapping(
        FunctionName="f",
        EventSourceArn=source.arn,
        # Full before the window closes, however long the sends take.
        BatchSize=15,
        MaximumBatchingWindowInSeconds=60,
    )
    source.send(*(str(number) for number in range(15)))
    records = json.loads(out.receive()["Body"])["Records"]
    assert len(records) == 15


def test_a_disabled_mapping_lets_messages_wait_until_it_is_enabled(
    forwards: dict[str, Any], functions: Any, queue: Any, out: Queue
) -> None:
    source: Queue = queue()
    made = functions.create_event_source_mapping(
        FunctionName="f", EventSourceArn=source.arn, Enabled=False
    )
    assert functions.get_event_source_mapping(UUID=made["UUID"])["State"] == "Disabled"
    source.send("later")
    enabled = functions.update_event_source_mapping(UUID=made["UUID"], Enabled=True)
    assert enabled["State"] == "Enabling"
    assert json.loads(out.receive()["Body"])["Records"][0]["body"] == "later"
    until(lambda: source.left() == (0, 0))
    disabled = functions.update_event_source_mapping(UUID=made["UUID"], Enabled=False)
    assert disabled["State"] == "Disabling"
    source.send("never")
    functions.delete_event_source_mapping(UUID=made["UUID"])
    assert source.left() == (1, 0)


def test_nothing_is_claimed_once_a_mapping_is_disabled_elsewhere_though_no_news_came(
    forwards: dict[str, Any],
    functions: Any,
    queue: Any,
    node: ThreadNode,
    account: str,
    raw: Raw,
) -> None:
    source: Queue = queue()
    made = functions.create_event_source_mapping(FunctionName="f", EventSourceArn=source.arn)
    uuid = made["UUID"]

    async def elsewhere(tx: Transaction) -> None:
        mapping = await records.find_mapping(tx, account, "us-east-1", uuid)
        assert mapping is not None
        mapping.enabled = False
        at = records.place(account, "us-east-1"), uuid.encode()
        await tx.put(records.MAPPINGS, *at, msgspec.json.encode(mapping))

    def shown() -> Any:
        answer = raw("GET", f"/_lambent/flow/{uuid}", b"", sign="lambent")
        return json.loads(answer.text)["state"]

    assert shown() == "running"
    store = node.node._store
    assert store is not None
    node.run(store.transact(elsewhere))
    source.send("a")
    until(lambda: shown() == "disabled")
    assert source.left() == (1, 0)
    assert source.receive()["Attributes"]["ApproximateReceiveCount"] == "1"


def test_what_a_window_gathered_goes_back_uncounted_when_the_mapping_is_disabled(
    forwards: dict[str, Any], functions: Any, queue: Any
) -> None:
    source: Queue = queue(VisibilityTimeout="60")
    made = functions.create_event_source_mapping(
        FunctionName="f",
        EventSourceArn=source.arn,
        BatchSize=50,
        MaximumBatchingWindowInSeconds=300,
    )
    source.send("a", "b")
    until(lambda: source.left() == (0, 2))
    functions.update_event_source_mapping(UUID=made["UUID"], Enabled=False)
    until(lambda: source.left() == (2, 0))
    assert source.receive()["Attributes"]["ApproximateReceiveCount"] == "1"


def test_a_deleted_mapping_finishes_what_it_has_in_flight(
    make: Make, functions: Any, queue: Any
) -> None:
    source: Queue = queue(VisibilityTimeout="60")
    make("f", "import time\ndef handler(event, context):\n    time.sleep(1)\n", Timeout=10)
    made = functions.create_event_source_mapping(FunctionName="f", EventSourceArn=source.arn)
    source.send("a")
    until(lambda: source.left() == (0, 1))
    gone = functions.delete_event_source_mapping(UUID=made["UUID"])
    assert gone["State"] == "Deleting"
    assert refused(lambda: functions.get_event_source_mapping(UUID=made["UUID"])) == (
        "ResourceNotFoundException",
        404,
        "The resource you requested does not exist.",
    )
    until(lambda: source.left() == (0, 0))


def test_a_mapping_goes_on_when_its_queue_is_made_again(
    forwards: dict[str, Any], functions: Any, queue: Any, out: Queue
) -> None:
    source: Queue = queue()
    functions.create_event_source_mapping(FunctionName="f", EventSourceArn=source.arn)
    source.send("one")
    assert json.loads(out.receive()["Body"])["Records"][0]["body"] == "one"
    until(lambda: source.left() == (0, 0))
    source.sqs.delete_queue(QueueUrl=source.url)
    again: Queue = queue()
    again.send("two")
    assert json.loads(out.receive(20)["Body"])["Records"][0]["body"] == "two"


def test_a_fifo_queue_keeps_the_order_of_its_groups(
    forwards: dict[str, Any], functions: Any, queue: Any, out: Queue
) -> None:
    source: Queue = queue("q.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    functions.create_event_source_mapping(FunctionName="f", EventSourceArn=source.arn, BatchSize=1)
    for number in range(6):
        source.sqs.send_message(
            QueueUrl=source.url, MessageBody=str(number), MessageGroupId=str(number % 2)
        )
    seen: dict[str, list[int]] = {"0": [], "1": []}
    for _ in range(6):
        (record,) = json.loads(out.receive()["Body"])["Records"]
        seen[record["attributes"]["MessageGroupId"]].append(int(record["body"]))
    until(lambda: source.left() == (0, 0))


def test_mappings_are_listed_by_function_and_by_source(
    make: Make, functions: Any, queue: Any
) -> None:
    one, two = queue("one"), queue("two")
    make("f")
    make("g")
    for function, source in (("f", one), ("f", two), ("g", one)):
        functions.create_event_source_mapping(FunctionName=function, EventSourceArn=source.arn)

    def listed(**by: str) -> int:
        return len(functions.list_event_source_mappings(**by)["EventSourceMappings"])

    assert listed() == 3
    assert listed(FunctionName="f") == 2
    assert listed(EventSourceArn=one.arn) == 2
    assert listed(FunctionName="g", EventSourceArn=two.arn) == 0
    first = functions.list_event_source_mappings(MaxItems=2)
    rest = functions.list_event_source_mappings(MaxItems=2, Marker=first["NextMarker"])
    assert len(first["EventSourceMappings"]) + len(rest["EventSourceMappings"]) == 3


def test_one_mapping_per_queue_and_function(make: Make, functions: Any, queue: Any) -> None:
    source: Queue = queue()
    make("f")
    made = functions.create_event_source_mapping(FunctionName="f", EventSourceArn=source.arn)
    assert refused(
        lambda: functions.create_event_source_mapping(FunctionName="f", EventSourceArn=source.arn)
    ) == (
        "ResourceConflictException",
        409,
        f'An event source mapping with SQS arn (" {source.arn} ") and function (" f ") already '
        f"exists. Please update or delete the existing mapping with UUID {made['UUID']}",
    )
    make("g")
    other = functions.create_event_source_mapping(FunctionName="g", EventSourceArn=source.arn)
    code, _, message = refused(
        lambda: functions.update_event_source_mapping(UUID=other["UUID"], FunctionName="f")
    )
    assert (code, message[-36:]) == ("ResourceConflictException", made["UUID"])
    functions.update_event_source_mapping(UUID=made["UUID"], FunctionName="f", BatchSize=2)


def test_a_function_may_not_take_longer_than_messages_stay_hidden(
    make: Make, functions: Any, queue: Any
) -> None:
    source: Queue = queue(VisibilityTimeout="30")
    make("f", Timeout=60)
    assert refused(
        lambda: functions.create_event_source_mapping(FunctionName="f", EventSourceArn=source.arn)
    ) == (
        "InvalidParameterValueException",
        400,
        "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds",
    )


def test_a_source_or_function_that_is_not_there_is_refused(
    make: Make, functions: Any, queue: Any, account: str
) -> None:
    source: Queue = queue()
    make("f")
    nothing = f"arn:aws:sqs:us-east-1:{account}:nothing"
    code, _, message = refused(
        lambda: functions.create_event_source_mapping(FunctionName="f", EventSourceArn=nothing)
    )
    assert code == "InvalidParameterValueException"
    assert message == (
        "Error occurred while ReceiveMessage. SQS Error Code: "
        "AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does "
        "not exist."
    )
    code, _, message = refused(
        lambda: functions.create_event_source_mapping(FunctionName="g", EventSourceArn=source.arn)
    )
    assert (code, message) == ("InvalidParameterValueException", "Function does not exist")


@pytest.mark.parametrize(
    ("fifo", "settings", "message"),
    [
        (
            False,
            {"BatchSize": 11},
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
            "greater than 10",
        ),
        (
            True,
            {"MaximumBatchingWindowInSeconds": 1},
            "Batching window is not supported for FIFO queues",
        ),
        (True, {"BatchSize": 11}, "Maximum batch size must be between 1 and 10 inclusive"),
        (
            False,
            {"FilterCriteria": {"Filters": [{"Pattern": '{"body": "x"}'}]}},
            "Invalid filter pattern definition.",
        ),
        (
            False,
            {"StartingPosition": "LATEST"},
            "Unsupported StartingPosition parameter for given event source mapping type.",
        ),
        (
            False,
            {"BisectBatchOnFunctionError": True},
            "Unsupported BisectBatchOnFunctionError parameter for given event source mapping type.",
        ),
    ],
)
def test_what_a_mapping_cannot_be_is_refused(
    make: Make, functions: Any, queue: Any, fifo: bool, settings: dict[str, Any], message: str
) -> None:
    source: Queue = queue("q.fifo", FifoQueue="true") if fifo else queue()
    make("f")
    assert refused(
        lambda: functions.create_event_source_mapping(
            FunctionName="f", EventSourceArn=source.arn, **settings
        )
    ) == ("InvalidParameterValueException", 400, message)
    assert functions.list_event_source_mappings()["EventSourceMappings"] == []


def test_settings_of_a_mapping_can_be_changed(make: Make, functions: Any, queue: Any) -> None:
    source: Queue = queue()
    make("f")
    uuid = functions.create_event_source_mapping(FunctionName="f", EventSourceArn=source.arn)[
        "UUID"
    ]
    pattern = {"Pattern": '{"body": {"a": [1]}}'}
    functions.update_event_source_mapping(
        UUID=uuid,
        BatchSize=100,
        MaximumBatchingWindowInSeconds=5,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        ScalingConfig={"MaximumConcurrency": 4},
        FilterCriteria={"Filters": [pattern]},
    )
    shown = functions.get_event_source_mapping(UUID=uuid)
    assert shown["BatchSize"] == 100
    assert shown["MaximumBatchingWindowInSeconds"] == 5
    assert shown["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert shown["ScalingConfig"] == {"MaximumConcurrency": 4}
    assert shown["FilterCriteria"] == {"Filters": [pattern]}
    functions.update_event_source_mapping(
        UUID=uuid, ScalingConfig={}, FilterCriteria={"Filters": []}
    )
    shown = functions.get_event_source_mapping(UUID=uuid)
    assert shown["BatchSize"] == 100
    assert "ScalingConfig" not in shown
    assert "FilterCriteria" not in shown
