"""Metrics through the SDK: put, get in both ways, list, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.support.http import Raw
from tests.support.nodes import ProcessNode, ThreadNode

from lambent.core.clock import SystemClock
from lambent.protocol.cbor import decode, encode

DAY = 86_400
DIMENSIONS = [{"Name": "Stage", "Value": "prod"}]


def at(clock: Any = None, **ago: float) -> datetime:
    now = (clock or SystemClock()).now()
    return datetime.fromtimestamp(now, UTC) - timedelta(**ago)


def put(cloudwatch: Any, **datum: Any) -> None:
    cloudwatch.put_metric_data(
        Namespace="App", MetricData=[{"MetricName": "Latency", "Dimensions": DIMENSIONS, **datum}]
    )


def query(id: str = "m1", stat: str = "Sum", period: int = 60, **more: Any) -> dict[str, Any]:
    metric = {"Namespace": "App", "MetricName": "Latency", "Dimensions": DIMENSIONS}
    return {"Id": id, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}, **more}


def got(cloudwatch: Any, *queries: dict[str, Any], clock: Any = None, **more: Any) -> list[Any]:
    asked = {
        "StartTime": at(clock, minutes=30),
        "EndTime": at(clock, minutes=-5),
        "ScanBy": "TimestampAscending",
        **more,
    }
    results = cloudwatch.get_metric_data(MetricDataQueries=queries, **asked)
    return [(r["Id"], r["Values"]) for r in results["MetricDataResults"]]


def test_all_statistics_of_a_minute(client: Callable[..., Any]) -> None:
    cloudwatch = client("cloudwatch")
    put(cloudwatch, Values=[1.0, 2.0, 3.0, 10.0], Counts=[1.0, 2.0, 1.0, 1.0], Unit="Seconds")
    asked = {
        "Namespace": "App",
        "MetricName": "Latency",
        "Dimensions": DIMENSIONS,
        "StartTime": at(minutes=10),
        "EndTime": at(minutes=-5),
        "Period": 3600,
    }
    (point,) = cloudwatch.get_metric_statistics(
        Statistics=["SampleCount", "Sum", "Average", "Minimum", "Maximum"], **asked
    )["Datapoints"]
    del point["Timestamp"]
    assert point == {
        "SampleCount": 5.0,
        "Sum": 18.0,
        "Average": 3.6,
        "Minimum": 1.0,
        "Maximum": 10.0,
        "Unit": "Seconds",
    }
    (point,) = cloudwatch.get_metric_statistics(
        ExtendedStatistics=["p0", "p50", "p100", "TC(:2)", "PR(:3)", "TM(0%:75%)"], **asked
    )["Datapoints"]
    assert point["ExtendedStatistics"] == pytest.approx(
        {"p0": 1.0, "p50": 2.0, "p100": 10.0, "TC(:2)": 3.0, "PR(:3)": 80.0, "TM(0%:75%)": 2.0}
    )


def test_units_are_kept_apart_and_can_be_chosen(client: Callable[..., Any]) -> None:
    cloudwatch = client("cloudwatch")
    put(cloudwatch, Value=1, Unit="Seconds")
    put(cloudwatch, Value=500, Unit="Milliseconds")
    asked = {
        "Namespace": "App",
        "MetricName": "Latency",
        "Dimensions": DIMENSIONS,
        "StartTime": at(minutes=10),
        "EndTime": at(minutes=-5),
        "Period": 3600,
        "Statistics": ["Sum"],
    }
    both = cloudwatch.get_metric_statistics(**asked)["Datapoints"]
    assert sorted((p["Unit"], p["Sum"]) for p in both) == [("Milliseconds", 500), ("Seconds", 1)]
    one = cloudwatch.get_metric_statistics(**asked, Unit="Seconds")["Datapoints"]
    assert [p["Sum"] for p in one] == [1]


def test_sets_of_statistics_add_up_but_have_no_percentiles(client: Callable[..., Any]) -> None:
    cloudwatch = client("cloudwatch")
    sums = {"SampleCount": 4, "Sum": 40, "Minimum": 1, "Maximum": 20}
    put(cloudwatch, StatisticValues=sums)
    put(cloudwatch, StatisticValues=sums)
    results = dict(
        got(
            cloudwatch,
            query("total", "Sum", 3600),
            query("most", "Maximum", 3600),
            query("p", "p90", 3600),
        )
    )
    assert results == {"total": [80.0], "most": [20.0], "p": []}


def test_expressions_refer_to_each_other_in_any_order(client: Callable[..., Any]) -> None:
    cloudwatch = client("cloudwatch")
    put(cloudwatch, Value=3)
    results = got(
        cloudwatch,
        {"Id": "rate", "Expression": "twice / 6 * 100", "Label": "per cent"},
        {"Id": "twice", "Expression": "m1 * 2", "ReturnData": False},
        query("m1", period=3600, ReturnData=False),
    )
    assert results == [("rate", [100.0])]


def test_metrics_are_listed_by_any_part_and_paged(client: Callable[..., Any]) -> None:
    cloudwatch = client("cloudwatch")
    for first in (0, 300):
        cloudwatch.put_metric_data(
            Namespace="Many",
            MetricData=[{"MetricName": f"m{n:03}", "Value": n} for n in range(first, first + 300)],
        )
    put(cloudwatch, Value=1)
    pages = list(cloudwatch.get_paginator("list_metrics").paginate(Namespace="Many"))
    assert [len(page["Metrics"]) for page in pages] == [500, 100]
    for asked in (
        {"MetricName": "Latency"},
        {"Dimensions": [{"Name": "Stage"}]},
        {"Dimensions": DIMENSIONS, "RecentlyActive": "PT3H"},
    ):
        (metric,) = cloudwatch.list_metrics(**asked)["Metrics"]
        assert metric == {"Namespace": "App", "MetricName": "Latency", "Dimensions": DIMENSIONS}
    assert client("cloudwatch", region="eu-west-1").list_metrics()["Metrics"] == []


def test_a_result_is_paged_by_datapoints(client: Callable[..., Any]) -> None:
    cloudwatch = client("cloudwatch")
    for minutes in range(5):
        put(cloudwatch, Value=minutes, Timestamp=at(minutes=minutes))
    pages = list(
        cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[query()],
            StartTime=at(minutes=30),
            EndTime=at(minutes=-5),
            PaginationConfig={"PageSize": 2},
        )
    )
    values = [page["MetricDataResults"][0]["Values"] for page in pages]
    assert values == [[0.0, 1.0], [2.0, 3.0], [4.0]]


@pytest.mark.parametrize(
    ("datum", "code"),
    [
        ({}, "InvalidParameterCombination"),
        ({"Value": float("nan")}, "InvalidParameterValue"),
        ({"Value": float("inf")}, "InvalidParameterValue"),
        ({"Value": 1, "Values": [1]}, "InvalidParameterCombination"),
        ({"Values": [1.0, 2.0], "Counts": [1.0]}, "InvalidParameterValue"),
        ({"Values": []}, "InvalidParameterValue"),
        ({"Value": 1, "Unit": "Parsecs"}, "InvalidParameterValue"),
        ({"Value": 1, "StorageResolution": 7}, "InvalidParameterValue"),
        ({"Value": 1, "Dimensions": [{"Name": ":x", "Value": "y"}]}, "InvalidParameterValue"),
        ({"Value": 1, "Dimensions": [{"Name": "x", "Value": ""}]}, "MissingParameter"),
        ({"Value": 1, "Timestamp": 1_000_000}, "InvalidParameterValue"),
        (
            {"StatisticValues": {"SampleCount": 1, "Sum": 1, "Minimum": 2, "Maximum": 1}},
            "InvalidParameterValue",
        ),
    ],
)
def test_bad_data_is_refused(
    connect: Callable[..., Any], node: ThreadNode, datum: dict[str, Any], code: str
) -> None:
    cloudwatch = connect(node.endpoint, "cloudwatch", parameter_validation=False)
    with pytest.raises(ClientError) as refused:
        put(cloudwatch, **datum)
    assert refused.value.response["Error"]["Code"] == code


def test_the_namespaces_of_aws_are_its_own(client: Callable[..., Any]) -> None:
    with pytest.raises(ClientError, match="AWS/Mine for parameter Namespace is invalid"):
        client("cloudwatch").put_metric_data(
            Namespace="AWS/Mine", MetricData=[{"MetricName": "m", "Value": 1}]
        )


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ([{"Id": "Upper", "Expression": "1"}], "expected pattern"),
        ([query("a"), query("a")], "not unique"),
        ([{"Id": "e", "Expression": "m9"}], "no query with the id m9"),
        ([{"Id": "e", "Expression": "SUM(m1"}, query()], "Error in expression 'e'"),
        ([{"Id": "e", "Expression": "5"}], "must be a time series"),
        ([{"Id": "e", "Expression": "f"}, {"Id": "f", "Expression": "e"}], "circle"),
        ([query(stat="p101")], "not supported"),
        ([query(period=61)], "multiple of 60"),
        ([query(ReturnData=False)], "ReturnData"),
    ],
)
def test_bad_queries_are_refused(
    client: Callable[..., Any], queries: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        got(client("cloudwatch"), *queries)


def test_the_older_protocol_and_cbor_say_the_same(client: Callable[..., Any], raw: Raw) -> None:
    put(client("cloudwatch"), Value=2)
    form = b"Action=ListMetrics&Version=2010-08-01&Namespace=App"
    kind = {"content-type": "application/x-www-form-urlencoded"}
    answer = raw("POST", "/", form, kind, sign="monitoring")
    assert b"<MetricName>Latency</MetricName>" in answer.body
    answer = raw(
        "POST",
        "/service/GraniteServiceVersion20100801/operation/ListMetrics",
        encode({"Namespace": "App"}),
        {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"},
        sign="monitoring",
    )
    assert decode(answer.body)["Metrics"][0]["MetricName"] == "Latency"


def test_what_was_put_outlives_a_kill(
    node_process: Callable[..., ProcessNode], connect: Callable[..., Any]
) -> None:
    node = node_process()
    put(connect(node.endpoint, "cloudwatch"), Value=7)
    node.kill()
    node.start()
    assert got(connect(node.endpoint, "cloudwatch"), query(period=3600)) == [("m1", [7.0])]
