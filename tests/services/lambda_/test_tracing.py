"""Trace headers: the rules, and one trace from an upload to a dead-letter queue."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import Make, Queue

from lambent.core.ids import SeededIds
from lambent.services.lambda_ import lineage, tracing

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
PARENT = "53995c3f42cd8ad8"
GIVEN = f"Root={ROOT};Parent={PARENT};Sampled=1"


def header(given: str | None, active: bool = False) -> str:
    return tracing.header(given, active, SeededIds(1), 1_700_000_000.0)


def test_a_passing_function_keeps_what_it_is_given() -> None:
    assert header(GIVEN + ";Lineage=1:4c2b9d1a:3") == GIVEN + ";Lineage=1:4c2b9d1a:3"
    assert header(f"Root={ROOT};Parent={PARENT}").endswith(";Sampled=0")


def test_an_active_function_is_the_parent_of_what_it_sends() -> None:
    made = header(GIVEN, active=True)
    assert made.startswith(f"Root={ROOT};Parent=") and made.endswith(";Sampled=1")
    assert PARENT not in made
    assert header(f"Root={ROOT}", active=True).endswith("Sampled=1")
    assert PARENT in header(f"Root={ROOT};Parent={PARENT};Sampled=0", active=True)


@pytest.mark.parametrize(
    "given", [None, "", "nonsense", "Root=2-x;Sampled=?", "Root=1\r\nX-Evil: 1;Parent=\x00"]
)
def test_a_trace_without_a_good_root_begins_anew(given: str | None) -> None:
    assert re.fullmatch(
        r"Root=1-6553f100-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0", header(given)
    )


def test_a_batch_of_one_trace_goes_on_with_it_and_one_of_several_begins_anew() -> None:
    other = GIVEN.replace("bd862e", "000000")
    assert tracing.together([]) is None
    assert tracing.together([GIVEN, GIVEN]) == GIVEN
    assert tracing.together([GIVEN, GIVEN.replace("Sampled=1", "Sampled=0")]) == GIVEN
    assert tracing.together([GIVEN, other]) is None
    deep = f"{other};Lineage=1:aa:5|1:bb:1"
    assert tracing.together([f"{GIVEN};Lineage=1:aa:2", deep]) == "Lineage=1:aa:5|1:bb:1"


def test_a_loop_is_counted_through_batches_of_several_traces() -> None:
    arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
    one, _ = lineage.follow(header(None), arn)
    two, _ = lineage.follow(one, arn)
    other, _ = lineage.follow(header(GIVEN), arn)
    both = tracing.together([other, two])
    assert lineage.follow(header(both), arn)[1] == 2


FORWARDS = """
import boto3, json, os
def handler(event, context):
    seen = {"header": os.environ["_X_AMZN_TRACE_ID"]}
    boto3.client("lambda").invoke(
        FunctionName="fails", InvocationType="Event", Payload=json.dumps(seen))
"""
FAILS = """
import os
def handler(event, context):
    raise ValueError(os.environ["_X_AMZN_TRACE_ID"])
"""


def test_one_trace_goes_from_an_upload_to_the_dead_letter_queue(
    make: Make,
    functions: Any,
    client: Callable[..., Any],
    queue: Callable[..., Queue],
    account: str,
) -> None:
    uploads, dead = queue("uploads"), queue("dead")
    bucket = f"traced-{account}"
    make("fails", FAILS, DeadLetterConfig={"TargetArn": dead.arn})
    functions.put_function_event_invoke_config(FunctionName="fails", MaximumRetryAttempts=0)
    make("forwards", FORWARDS, Timeout=30)
    functions.create_event_source_mapping(FunctionName="forwards", EventSourceArn=uploads.arn)
    s3 = client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": uploads.arn, "Events": ["s3:ObjectCreated:*"]}]
        },
        SkipDestinationValidation=True,
    )

    def traced(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = GIVEN

    s3.meta.events.register("before-sign.s3.PutObject", traced)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    message = dead.receive()
    at_the_end = message["Attributes"]["AWSTraceHeader"]
    on_the_way = json.loads(message["Body"])["header"]
    in_the_last = message["MessageAttributes"]["ErrorMessage"]["StringValue"]
    for seen in (at_the_end, on_the_way, in_the_last):
        assert seen.startswith(f"Root={ROOT};") and "Sampled=1" in seen
    assert len(at_the_end.partition("Lineage=")[2].split("|")) == 2  # of both functions
