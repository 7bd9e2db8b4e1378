"""Flow control of event source mappings, over Lambent's own API on a live node."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import ECHO, RAISES, ROLE, Make, Queue, archive, until
from tests.services.lambda_.test_signals import scraped
from tests.support.http import Raw
from tests.support.nodes import ProcessNode, ThreadNode

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(raw: Raw) -> Ask:
    """`ask("GET", "flow/UUID", body)`: the answer, which is to have that status."""

    def send(method: str, path: str, body: Any = None, status: int = 200) -> dict[str, Any]:
        content = b"" if body is None else json.dumps(body).encode()
        answer = raw(method, f"/_lambent/{path}", content, sign="lambent")
        assert answer.status == status, answer.text
        found: dict[str, Any] = json.loads(answer.text)
        return found

    return send


@pytest.fixture
def mapped(make: Make, functions: Any, queue: Any) -> Callable[..., tuple[str, Queue]]:
    """`mapped(source, BatchSize=1)`: a function on a queue; the mapping's UUID and the queue."""

    def create(source: str = ECHO, *, name: str = "q", **more: Any) -> tuple[str, Queue]:
        made: Queue = queue(name, VisibilityTimeout="3")
        make("f", source)
        mapping = functions.create_event_source_mapping(
            FunctionName="f", EventSourceArn=made.arn, **more
        )
        return mapping["UUID"], made

    return create


def test_a_mapping_is_not_regulated_unless_it_is_asked_for(mapped: Any, ask: Ask) -> None:
    uuid, source = mapped()
    shown = ask("GET", f"flow/{uuid}")
    assert shown["settings"] == {}
    assert shown["decisions"] == []
    assert (shown["state"], shown["limit"], shown["source"]) == ("running", 5, source.arn)
    assert [one["uuid"] for one in ask("GET", "flow")["mappings"]] == [uuid]


def test_settings_are_live_and_survive_updates_of_the_mapping(
    mapped: Any, ask: Ask, functions: Any
) -> None:
    uuid, _ = mapped()
    shown = ask("PUT", f"flow/{uuid}", {"Rate": {"PerSecond": 5}})
    assert shown["settings"] == {"Rate": {"PerSecond": 5.0, "Burst": 10}}
    assert shown["decisions"][-1]["rule"] == "settings"
    functions.update_event_source_mapping(UUID=uuid, BatchSize=1)
    assert ask("GET", f"flow/{uuid}")["settings"]["Rate"]["PerSecond"] == 5.0
    assert ask("DELETE", f"flow/{uuid}")["settings"] == {}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"Rate": {"PerSecond": -1}}, "Flow.Rate.PerSecond: Expected `float` > 0.0."),
        (
            {"Speed": {}},
            "Flow has no member Speed, but Circuit, Concurrency, Deadline, Loop, Priority, Rate, "
            "Retry and Storm.",
        ),
        ([], "The body must be a JSON object."),
    ],
)
def test_what_cannot_be_set_is_explained(mapped: Any, ask: Ask, body: Any, message: str) -> None:
    uuid, _ = mapped()
    refused = ask("PUT", f"flow/{uuid}", body, status=400)
    assert refused == {"code": "ValidationException", "message": message}
    assert ask("GET", f"flow/{uuid}")["settings"] == {}


def test_what_is_not_there_is_not_found(ask: Ask) -> None:
    ask("GET", "flow/none", status=404)
    ask("PUT", "flow/none", {}, status=404)
    ask("GET", "flow/none/other", status=404)
    ask("POST", "flow", status=405)


def test_an_open_circuit_leaves_receive_counts_alone(mapped: Any, ask: Ask, functions: Any) -> None:
    uuid, source = mapped(
        RAISES, BatchSize=1, Enabled=False, ScalingConfig={"MaximumConcurrency": 2}
    )
    ask("PUT", f"flow/{uuid}", {"Circuit": {"MinimumCalls": 2, "Open": 600}})
    source.send("one", "two", "three", "four", "five", "six", "seven")
    functions.update_event_source_mapping(UUID=uuid, Enabled=True)
    shown = until(
        lambda: found if (found := ask("GET", f"flow/{uuid}"))["state"] == "circuit open" else None
    )
    assert any(one["what"] == "closed to open" for one in shown["decisions"])
    until(lambda: source.left()[1] == 0)
    waiting = source.left()[0]
    assert waiting == 7
    counts = [source.receive()["Attributes"]["ApproximateReceiveCount"] for _ in range(waiting)]
    assert counts.count("1") >= 2, "those that no call was made for were not received before"


def test_a_parked_mapping_claims_nothing_until_it_is_resumed(mapped: Any, ask: Ask) -> None:
    uuid, source = mapped()
    shown = ask("POST", f"flow/{uuid}/park", {"reason": "the vendor is down"})
    assert (shown["state"], shown["parked"]) == ("parked", "the vendor is down")
    source.send("a", "b")
    assert source.left() == (2, 0)
    assert ask("POST", f"flow/{uuid}/resume")["state"] == "running"
    until(lambda: source.left() == (0, 0))


def test_what_is_past_its_deadline_is_parked_where_there_is_no_dead_letter_queue(
    mapped: Any, ask: Ask, node: ThreadNode
) -> None:
    uuid, source = mapped(RAISES)
    ask("PUT", f"flow/{uuid}", {"Deadline": {"Seconds": 0.001}})
    (sent,) = source.send("late")
    parked = until(lambda: ask("GET", f"flow/{uuid}/parked")["parked"])
    assert [(one["id"], one["rule"], one["preview"]) for one in parked] == [
        (sent, "deadline", "late")
    ]
    assert source.left() == (0, 0)
    (shown,) = [
        value
        for name, value in scraped(node).items()
        if name.startswith("lambent_mapping_parked_events") and uuid in name
    ]
    assert shown == 1
    ask("PUT", f"flow/{uuid}", {})
    ask("POST", f"flow/{uuid}/park")
    assert ask("POST", f"flow/{uuid}/resume", {"ids": [sent]})["resumed"] == 1
    assert source.left() == (1, 0)


def test_what_is_past_its_deadline_goes_to_the_dead_letter_queue(
    mapped: Any, ask: Ask, queue: Any
) -> None:
    dead: Queue = queue("dead")
    uuid, source = mapped(RAISES)
    policy = {"deadLetterTargetArn": dead.arn, "maxReceiveCount": 100}
    source.sqs.set_queue_attributes(
        QueueUrl=source.url, Attributes={"RedrivePolicy": json.dumps(policy)}
    )
    ask("PUT", f"flow/{uuid}", {"Deadline": {"Seconds": 0.001}})
    (sent,) = source.send("late")
    assert dead.receive()["MessageId"] == sent
    assert ask("GET", f"flow/{uuid}/parked") == {"count": 0, "parked": []}


def test_deleting_a_mapping_puts_back_what_it_parked(mapped: Any, ask: Ask, functions: Any) -> None:
    uuid, source = mapped(RAISES)
    ask("PUT", f"flow/{uuid}", {"Deadline": {"Seconds": 0.001}})
    source.send("late")
    until(lambda: ask("GET", f"flow/{uuid}/parked")["count"])
    functions.delete_event_source_mapping(UUID=uuid)
    assert source.left() == (1, 0)


def test_much_that_a_deleted_mapping_had_parked_goes_back_a_little_at_a_time(
    small_removals: None, mapped: Any, ask: Ask, functions: Any
) -> None:
    uuid, source = mapped(RAISES, BatchSize=10)
    ask("PUT", f"flow/{uuid}", {"Deadline": {"Seconds": 0.001}})
    source.send(*(str(number) for number in range(12)))
    until(lambda: ask("GET", f"flow/{uuid}/parked")["count"] == 12)
    functions.delete_event_source_mapping(UUID=uuid)
    until(lambda: source.left() == (12, 0))


def test_an_event_that_went_in_circles_is_parked(mapped: Any, ask: Ask, functions: Any) -> None:
    uuid, source = mapped()
    arn = functions.get_function(FunctionName="f")["Configuration"]["FunctionArn"]
    from lambent.services.lambda_ import lineage

    trace = "Root=1-00000000-000000000000000000000000"
    for _ in range(lineage.MOST):
        trace, _ = lineage.follow(trace, arn)
    source.sqs.send_message(
        QueueUrl=source.url,
        MessageBody="round and round",
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": trace}},
    )
    parked = until(lambda: ask("GET", f"flow/{uuid}/parked")["parked"])
    assert [(one["rule"], one["preview"]) for one in parked] == [("loop", "round and round")]


def test_a_circle_of_two_functions_ends(
    make: Make, functions: Any, queue: Callable[..., Queue], ask: Ask
) -> None:
    passes_on = """
import boto3, os
sqs = boto3.client("sqs")
def handler(event, context):
    sqs.send_message(QueueUrl=os.environ["NEXT"], MessageBody=event["Records"][0]["body"])
"""
    ping, pong = queue("ping"), queue("pong")
    uuids = []
    for name, source, after in (("f", ping, pong), ("g", pong, ping)):
        make(name, passes_on, Environment={"Variables": {"NEXT": after.url}})
        made = functions.create_event_source_mapping(FunctionName=name, EventSourceArn=source.arn)
        uuids.append(made["UUID"])
    ping.send("round and round")
    until(lambda: any(ask("GET", f"flow/{uuid}/parked")["parked"] for uuid in uuids), 30)


def test_retries_back_off_by_the_mappings_own_rule(mapped: Any, ask: Ask) -> None:
    uuid, source = mapped(
        "import json\nseen = set()\n"
        "def handler(event, context):\n"
        "    fresh = [r for r in event['Records'] if r['messageId'] not in seen]\n"
        "    seen.update(r['messageId'] for r in fresh)\n"
        "    if fresh:\n        raise ValueError('the first time')\n"
    )
    source.sqs.set_queue_attributes(QueueUrl=source.url, Attributes={"VisibilityTimeout": "600"})
    ask("PUT", f"flow/{uuid}", {"Retry": {"Base": 0.01, "Maximum": 0.01}})
    source.send("again")
    until(lambda: source.left() == (0, 0))


def test_settings_and_what_is_parked_survive_a_kill(
    node_process: Callable[..., ProcessNode], connect: Callable[..., Any], account: str
) -> None:
    node = node_process()
    sqs, functions = connect(node.endpoint, "sqs"), connect(node.endpoint, "lambda")
    source = Queue(sqs, "q", VisibilityTimeout="3")
    functions.create_function(
        FunctionName="f",
        Runtime="python3.11",
        Role=ROLE,
        Handler="index.handler",
        Code={"ZipFile": archive(RAISES)},
    )
    uuid = functions.create_event_source_mapping(FunctionName="f", EventSourceArn=source.arn)[
        "UUID"
    ]

    def ask(method: str, path: str, body: Any = None) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        answer = Raw(node.endpoint, account)(method, f"/_lambent/{path}", content, sign="lambent")
        assert answer.status == 200, answer.text
        return json.loads(answer.text)

    flow = {"Deadline": {"Seconds": 0.001}}
    ask("PUT", f"flow/{uuid}", flow)
    source.send("late")
    until(lambda: ask("GET", f"flow/{uuid}/parked")["count"])
    ask("POST", f"flow/{uuid}/park", {"reason": "a test"})
    node.kill()
    node.start()
    shown = ask("GET", f"flow/{uuid}")
    assert shown["settings"] == flow
    assert (shown["state"], shown["parked"], shown["parked_items"]) == ("parked", "a test", 1)
