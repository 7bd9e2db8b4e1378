"""Metrics out of log events: the embedded metric format, and metric filters."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambent.core.clock import SystemClock
from lambent.services.logs import emf

EMBEDDED: dict[str, Any] = {
    "_aws": {
        "Timestamp": 1_700_000_000_000,
        "CloudWatchMetrics": [
            {
                "Namespace": "Shop",
                "Dimensions": [["service"], ["service", "stage"], []],
                "Metrics": [{"Name": "orders", "Unit": "Count"}, {"Name": "ms"}],
            }
        ],
    },
    "service": "web",
    "stage": "prod",
    "orders": 2,
    "ms": [1.5, 2.5],
}


def test_each_metric_comes_once_per_set_of_dimensions() -> None:
    found = list(emf.measured(json.dumps(EMBEDDED)))
    assert len(found) == 6
    assert found[0] == ("Shop", "orders", (("service", "web"),), "Count", 1.7e9, (2.0,))
    assert found[5] == ("Shop", "ms", (), "None", 1.7e9, (1.5, 2.5))


@pytest.mark.parametrize(
    "changes",
    [
        {"_aws": 5},
        {"_aws": {"Timestamp": "now", "CloudWatchMetrics": []}},
        {"_aws": {"Timestamp": 1, "CloudWatchMetrics": {}}},
        {"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": "AWS/X", "Metrics": []}]}},
        {"orders": "two", "ms": None},
        {"orders": [1] * 101, "ms": True},
    ],
)
def test_what_breaks_the_format_is_no_metric(changes: dict[str, Any]) -> None:
    assert list(emf.measured(json.dumps({**EMBEDDED, **changes}))) == []


def test_a_dimension_that_is_not_there_leaves_its_set_out() -> None:
    message = json.dumps({k: v for k, v in EMBEDDED.items() if k != "stage"})
    assert {one.dimensions for one in emf.measured(message)} == {(("service", "web"),), ()}


@pytest.fixture
def put(client: Callable[..., Any]) -> Callable[..., None]:
    logs = client("logs")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")

    def make(*messages: str) -> None:
        now = int(SystemClock().now() * 1000)
        events = [{"timestamp": now, "message": message} for message in messages]
        logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)

    return make


@pytest.fixture
def total(client: Callable[..., Any]) -> Callable[..., float]:
    def make(namespace: str, name: str, stat: str = "Sum", **dimensions: str) -> float:
        now = datetime.fromtimestamp(SystemClock().now(), UTC)
        points = client("cloudwatch").get_metric_statistics(
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


def test_embedded_metrics_reach_cloudwatch(
    put: Callable[..., None], total: Callable[..., float]
) -> None:
    about = {**EMBEDDED["_aws"], "Timestamp": int(SystemClock().now() * 1000)}
    put(json.dumps({**EMBEDDED, "_aws": about}), "plain text")
    assert total("Shop", "orders", service="web") == 2
    assert total("Shop", "ms", "Average", service="web", stage="prod") == 2.0
    assert total("AWS/Logs", "IncomingLogEvents", LogGroupName="g") == 2


def test_a_metric_filter_counts_and_measures_what_matches(
    put: Callable[..., None], total: Callable[..., float], client: Callable[..., Any]
) -> None:
    logs = client("logs")

    def filtered(name: str, pattern: str, **transformation: Any) -> None:
        logs.put_metric_filter(
            logGroupName="g",
            filterName=name,
            filterPattern=pattern,
            metricTransformations=[
                {"metricNamespace": "Own", "metricName": name, **transformation}
            ],
        )

    filtered("errors", "ERROR", metricValue="1", defaultValue=0)
    filtered(
        "latency", "{ $.ms > 0 }", metricValue="$.ms", dimensions={"path": "$.path"}, unit="Seconds"
    )
    filtered("bytes", "[ip, status=2*, bytes]", metricValue="$bytes")
    put("ERROR one", "fine", '{"ms": 7, "path": "/a"}', "10.0.0.1 200 1234", "10.0.0.1 404 9")
    assert total("Own", "errors") == 1
    assert total("Own", "errors", "SampleCount") == 5
    assert total("Own", "latency", path="/a") == 7
    assert total("Own", "bytes") == 1234
    shown = logs.describe_metric_filters(logGroupName="g", filterNamePrefix="l")["metricFilters"]
    assert [one["filterName"] for one in shown] == ["latency"]
    assert logs.describe_log_groups()["logGroups"][0]["metricFilterCount"] == len(
        logs.describe_metric_filters(logGroupName="g")["metricFilters"]
    )
    logs.delete_metric_filter(logGroupName="g", filterName="errors")
    put("ERROR two")
    assert total("Own", "errors") == 1
    with pytest.raises(ClientError, match="does not exist"):
        logs.delete_metric_filter(logGroupName="g", filterName="errors")
    with pytest.raises(ClientError, match="mutually exclusive"):
        filtered("x", "", metricValue="1", defaultValue=1.0, dimensions={"a": "$.b"})


def test_a_filter_can_be_tried_on_messages(client: Callable[..., Any]) -> None:
    (match,) = client("logs").test_metric_filter(
        filterPattern="[ip, ..., bytes > 100]", logEventMessages=["a b c 50", "a b c 500"]
    )["matches"]
    assert match["eventNumber"] == 2
    assert match["extractedValues"]["$ip"] == "a"
    assert match["extractedValues"]["$bytes"] == "500"
