"""What functions, mappings and queues are counted for: for Prometheus and in CloudWatch."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.services.lambda_.conftest import Make, Queue, open_url, until
from tests.support.http import Raw
from tests.support.nodes import ThreadNode

from lambent.core.clock import SystemClock

CODE = """
def handler(event, context):
    if "bad" in str(event):
        raise ValueError(f"no {context.aws_request_id}")
    return event
"""


def scraped(node: ThreadNode) -> dict[str, float]:
    with urllib.request.urlopen(node.endpoint + "/_lambent/metrics") as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


@pytest.fixture
def total(client: Callable[..., Any]) -> Callable[..., float]:
    """The sum (or another statistic) of an AWS metric in the last minutes."""
    cloudwatch = client("cloudwatch")

    def make(namespace: str, name: str, stat: str = "Sum", **dimensions: str) -> float:
        now = datetime.fromtimestamp(SystemClock().now(), UTC)
        points = cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=now - timedelta(minutes=20),
            EndTime=now + timedelta(minutes=5),
            Period=3600,
            Statistics=[stat],
        )["Datapoints"]
        return float(points[0][stat]) if points else 0.0

    return make


def test_invocations_are_measured_under_awss_names(
    make: Make, functions: Any, total: Callable[..., float]
) -> None:
    make("f", CODE)
    functions.publish_version(FunctionName="f")
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    for _ in range(3):
        functions.invoke(FunctionName="f", Payload=b"{}")
    functions.invoke(FunctionName="f:live", Payload=b'{"bad": 1}')
    assert total("AWS/Lambda", "Invocations", FunctionName="f") == 4
    assert total("AWS/Lambda", "Errors", FunctionName="f") == 1
    assert total("AWS/Lambda", "Errors", "Average", FunctionName="f") == 0.25
    assert total("AWS/Lambda", "Duration", "SampleCount", FunctionName="f") == 4
    assert total("AWS/Lambda", "ConcurrentExecutions", "Maximum", FunctionName="f") == 1
    assert total("AWS/Lambda", "Invocations") == 4
    live = {"FunctionName": "f", "Resource": "f:live"}
    assert total("AWS/Lambda", "Invocations", **live) == 1
    assert total("AWS/Lambda", "Invocations", **live, ExecutedVersion="1") == 1


def test_provisioned_concurrency_is_measured(
    make: Make, functions: Any, total: Callable[..., float]
) -> None:
    make("f", CODE)
    functions.publish_version(FunctionName="f")
    functions.put_provisioned_concurrency_config(
        FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=2
    )
    until(
        lambda: (
            functions.get_provisioned_concurrency_config(FunctionName="f", Qualifier="1")["Status"]
            == "READY"
        )
    )
    functions.invoke(FunctionName="f:1", Payload=b"{}")
    one = {"FunctionName": "f", "Resource": "f:1"}
    assert total("AWS/Lambda", "ProvisionedConcurrencyInvocations", **one) == 1
    assert total("AWS/Lambda", "ProvisionedConcurrencySpilloverInvocations", **one) == 0
    assert total("AWS/Lambda", "ProvisionedConcurrencyUtilization", "Maximum", **one) == 0.5


def test_requests_to_a_url_are_measured(
    make: Make, functions: Any, raw: Raw, total: Callable[..., float]
) -> None:
    make("f", "def handler(event, context):\n    return {'statusCode': int(event['body'])}\n")
    made = functions.create_function_url_config(FunctionName="f", AuthType="NONE")
    host = made["FunctionUrl"].removeprefix("http://").rstrip("/")
    assert raw("POST", "/", b"200", {"Host": host}).status == 403
    open_url(functions, "f")
    for status in (200, 404, 500, 502):
        assert raw("POST", "/", b"%d" % status, {"Host": host}).status == status
    shown = {"FunctionName": "f", "Resource": "f:$LATEST"}
    for whose in ({"FunctionName": "f"}, shown, {**shown, "ExecutedVersion": "$LATEST"}):
        assert total("AWS/Lambda", "UrlRequestCount", **whose) == 5
        assert total("AWS/Lambda", "Url4xxCount", **whose) == 2
        assert total("AWS/Lambda", "Url5xxCount", **whose) == 2
        assert total("AWS/Lambda", "UrlRequestLatency", "SampleCount", **whose) == 5


def test_throttles_and_lost_events_are_measured(
    make: Make, functions: Any, node: ThreadNode, account: str, total: Callable[..., float]
) -> None:
    make("f", CODE)
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    with pytest.raises(functions.exceptions.TooManyRequestsException):
        functions.invoke(FunctionName="f", Payload=b"{}")
    assert total("AWS/Lambda", "Throttles", FunctionName="f") == 1
    functions.invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")
    assert total("AWS/Lambda", "AsyncEventsReceived", FunctionName="f") == 1
    until(lambda: total("AWS/Lambda", "AsyncEventsDropped", FunctionName="f") == 1)
    own = f'{{account="{account}",region="us-east-1",function="f"'
    shown = scraped(node)
    assert shown[f'lambent_function_async_events{own},state="waiting"}}'] == 0
    assert shown[f"lambent_function_dropped_total{own}}}"] == 1


def test_a_mapping_and_its_queue_are_measured_from_arrival_to_completion(
    make: Make,
    functions: Any,
    queue: Callable[..., Queue],
    node: ThreadNode,
    account: str,
    total: Callable[..., float],
) -> None:
    make("f", CODE)
    source = queue("work")
    mapping = functions.create_event_source_mapping(
        FunctionName="f",
        EventSourceArn=source.arn,
        BatchSize=1,
        MetricsConfig={"Metrics": ["EventCount"]},
    )["UUID"]
    for body in ("one", "two", "bad"):
        source.send(body)
    labels = f'account="{account}",region="us-east-1"'
    own = f'{{{labels},mapping="{mapping}",function="f",source="work"'

    def settled() -> bool:
        shown = scraped(node)
        return (
            shown.get(f"lambent_mapping_deleted_total{own}}}") == 2
            and shown.get(f"lambent_mapping_failed_total{own}}}") == 1
        )

    until(settled)
    shown = scraped(node)
    assert shown[f"lambent_mapping_latency_seconds_count{own}}}"] == 2
    (failure,) = [name for name in shown if name.startswith(f"lambent_mapping_failures_total{own}")]
    assert 'type="ValueError"' in failure
    of_queue = f'{{{labels},queue="work"'
    assert shown[f"lambent_queue_sent_total{of_queue}}}"] == 3
    assert shown[f"lambent_queue_deleted_total{of_queue}}}"] == 2
    assert shown[f'lambent_queue_messages{of_queue},state="in_flight"}}'] == 1
    assert total("AWS/Lambda", "PolledEventCount", EventSourceMappingUUID=mapping) == 3
    assert total("AWS/Lambda", "DeletedEventCount", EventSourceMappingUUID=mapping) == 2
    assert total("AWS/SQS", "NumberOfMessagesSent", QueueName="work") == 3
    assert total("AWS/SQS", "SentMessageSize", "Maximum", QueueName="work") == 3
    functions.delete_event_source_mapping(UUID=mapping)
    until(lambda: not [name for name in scraped(node) if mapping in name])
