"""Alarms: how they are judged, what they do, what they remember."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from tests.support.nodes import ThreadNode

from lambent.core.clock import VirtualClock
from lambent.services.cloudwatch import evaluating
from lambent.services.cloudwatch.model import Alarm

BASE: dict[str, Any] = {
    "Namespace": "App",
    "MetricName": "Errors",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 5.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


# The table of "Configuring how CloudWatch alarms treat missing data": 3 out of 3, a range of 5.
@pytest.mark.parametrize(
    ("points", "missing", "ignore", "breaching", "not_breaching"),
    [
        ("0-X-X", "OK", "OK", "OK", "OK"),
        ("----0", "OK", "OK", "OK", "OK"),
        ("-----", "INSUFFICIENT_DATA", None, "ALARM", "OK"),
        ("0XX-X", "ALARM", "ALARM", "ALARM", "ALARM"),
        ("--X--", "ALARM", None, "ALARM", "OK"),
    ],
)
def test_missing_data_counts_as_the_alarm_says(
    points: str, missing: str, ignore: str | None, breaching: str, not_breaching: str
) -> None:
    values = {"0": 0.0, "X": 9.0, "-": None}
    given = [(at * 60, values[one]) for at, one in enumerate(points)]
    for treat, state in (
        ("missing", missing),
        ("ignore", ignore),
        ("breaching", breaching),
        ("notBreaching", not_breaching),
    ):
        settings = {**BASE, "EvaluationPeriods": 3, "TreatMissingData": treat}
        judged = evaluating.judge(Alarm("a", settings, 0.0), given, 60, 300.0)
        assert (judged and judged.state) == state, treat


def test_m_out_of_n_datapoints_make_an_alarm() -> None:
    settings = {**BASE, "EvaluationPeriods": 3, "DatapointsToAlarm": 2}
    alarm = Alarm("a", settings, 0.0)

    def state(*values: float) -> str:
        judged = evaluating.judge(alarm, [(n * 60, v) for n, v in enumerate(values)], 60, 300.0)
        assert judged is not None
        return judged.state

    assert state(0, 0, 9, 0, 9) == "ALARM"
    assert state(9, 9, 9, 0, 0) == "OK"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(1_700_000_045.0)


@pytest.fixture
def running(fresh_node: Callable[..., ThreadNode], clock: VirtualClock) -> ThreadNode:
    return fresh_node(clock=clock)


def test_an_alarm_follows_its_metric_and_remembers(
    running: ThreadNode, clock: VirtualClock, connect: Callable[..., Any]
) -> None:
    cloudwatch = connect(running.endpoint, "cloudwatch")
    cloudwatch.put_metric_alarm(AlarmName="errors", **BASE)

    def after(minutes: int) -> str:
        running.run(clock.advance(minutes * 60))
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=["errors"])["MetricAlarms"]
        return str(alarm["StateValue"])

    assert after(1) == "INSUFFICIENT_DATA"
    cloudwatch.put_metric_data(Namespace="App", MetricData=[{"MetricName": "Errors", "Value": 6}])
    assert after(1) == "ALARM"
    (alarm,) = cloudwatch.describe_alarms()["MetricAlarms"]
    assert alarm["StateReason"].startswith(
        "Threshold Crossed: 1 out of the last 1 datapoint [6.0 ("
    )
    assert alarm["StateReason"].endswith(
        "was greater than the threshold (5.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    cloudwatch.put_metric_data(Namespace="App", MetricData=[{"MetricName": "Errors", "Value": 1}])
    assert after(1) == "OK"
    running.restart()
    history = connect(running.endpoint, "cloudwatch").describe_alarm_history(
        AlarmName="errors", HistoryItemType="StateUpdate", ScanBy="TimestampAscending"
    )["AlarmHistoryItems"]
    assert [item["HistorySummary"] for item in history] == [
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        "Alarm updated from ALARM to OK",
    ]


def test_an_alarm_can_watch_an_expression(
    running: ThreadNode, clock: VirtualClock, connect: Callable[..., Any]
) -> None:
    cloudwatch = connect(running.endpoint, "cloudwatch")
    metrics = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {"Namespace": "App", "MetricName": name},
                "Period": 60,
                "Stat": "Sum",
            },
            "ReturnData": False,
        }
        for name in ("errors", "calls")
    ]
    metrics.append({"Id": "rate", "Expression": "errors / calls", "ReturnData": True})
    cloudwatch.put_metric_alarm(
        AlarmName="rate",
        Metrics=metrics,
        EvaluationPeriods=1,
        Threshold=0.5,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    cloudwatch.put_metric_data(
        Namespace="App",
        MetricData=[{"MetricName": "errors", "Value": 1}, {"MetricName": "calls", "Value": 2}],
    )
    running.run(clock.advance(60))
    (alarm,) = cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"]
    assert alarm["AlarmName"] == "rate"


def test_an_action_that_cannot_be_taken_is_told_in_history(client: Callable[..., Any]) -> None:
    cloudwatch = client("cloudwatch")
    gone = "arn:aws:lambda:us-east-1:000000000000:function:gone"
    cloudwatch.put_metric_alarm(AlarmName="a", AlarmActions=[gone], **BASE)
    cloudwatch.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="look")
    (item,) = cloudwatch.describe_alarm_history(AlarmName="a", HistoryItemType="Action")[
        "AlarmHistoryItems"
    ]
    assert item["HistorySummary"] == f"Failed to execute action {gone}"
    cloudwatch.disable_alarm_actions(AlarmNames=["a"])
    cloudwatch.set_alarm_state(AlarmName="a", StateValue="OK", StateReason="r")
    cloudwatch.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="r")
    items = cloudwatch.describe_alarm_history(AlarmName="a", HistoryItemType="Action")
    assert len(items["AlarmHistoryItems"]) == 1


def test_alarms_are_found_tagged_and_deleted(client: Callable[..., Any], account: str) -> None:
    cloudwatch = client("cloudwatch")
    for name in ("web-a", "web-b", "db"):
        cloudwatch.put_metric_alarm(AlarmName=name, **BASE, Tags=[{"Key": "k", "Value": name}])
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix="web", PaginationConfig={"PageSize": 1}
    )
    assert [a["AlarmName"] for page in pages for a in page["MetricAlarms"]] == ["web-a", "web-b"]
    found = cloudwatch.describe_alarms_for_metric(Namespace="App", MetricName="Errors")
    assert len(found["MetricAlarms"]) == 3
    arn = f"arn:aws:cloudwatch:us-east-1:{account}:alarm:db"
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "l", "Value": "w"}])
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["k"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [
        {"Key": "l", "Value": "w"}
    ]
    with pytest.raises(ClientError) as refused:
        cloudwatch.delete_alarms(AlarmNames=["web-a", "nope"])
    assert refused.value.response["Error"]["Code"] == "ResourceNotFound"
    cloudwatch.delete_alarms(AlarmNames=["web-a", "web-b", "db"])
    assert cloudwatch.describe_alarms()["MetricAlarms"] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Statistic": None}, "At least one of the parameters Statistic"),
        ({"ExtendedStatistic": "p90"}, "mutually exclusive"),
        ({"Period": 61}, "Period must be 10, 20, 30 or a multiple of 60"),
        ({"EvaluationPeriods": 2000}, "across more than a day"),
        ({"DatapointsToAlarm": 2}, "less than or equal to EvaluationPeriods"),
        ({"TreatMissingData": "perhaps"}, "TreatMissingData"),
        ({"AlarmActions": ["nonsense"]}, "Invalid arn syntax: nonsense"),
        ({"Threshold": None}, "Threshold"),
    ],
)
def test_bad_alarms_are_refused(
    client: Callable[..., Any], changes: dict[str, Any], message: str
) -> None:
    settings = {k: v for k, v in {**BASE, **changes}.items() if v is not None}
    with pytest.raises(ClientError, match=message):
        client("cloudwatch").put_metric_alarm(AlarmName="a", **settings)


def test_a_composite_alarm_follows_its_alarms(client: Callable[..., Any], account: str) -> None:
    cloudwatch = client("cloudwatch")
    for name in ("a", "b b", "c"):
        cloudwatch.put_metric_alarm(AlarmName=name, **BASE)
    arn = f"arn:aws:cloudwatch:us-east-1:{account}:alarm:c"
    rule = f'ALARM("b b") AND (ALARM(a) OR NOT INSUFFICIENT_DATA({arn}))'
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule=rule)
    cloudwatch.put_composite_alarm(AlarmName="above", AlarmRule="ALARM(both)")

    def states() -> dict[str, str]:
        found = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
        return {one["AlarmName"]: one["StateValue"] for one in found}

    def put(name: str, state: str) -> None:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="r")

    assert states() == {"both": "OK", "above": "OK"}
    put("b b", "ALARM")
    assert states()["both"] == "OK"
    put("c", "OK")
    assert states() == {"both": "ALARM", "above": "ALARM"}
    put("b b", "OK")
    assert states() == {"both": "OK", "above": "OK"}
    children = cloudwatch.describe_alarms(ChildrenOfAlarmName="both")["MetricAlarms"]
    assert [one["AlarmName"] for one in children] == ["a", "b b", "c"]
    (parent,) = cloudwatch.describe_alarms(ParentsOfAlarmName="both")["CompositeAlarms"]
    assert parent["AlarmName"] == "above"
    history = cloudwatch.describe_alarm_history(
        AlarmName="above", AlarmTypes=["CompositeAlarm"], HistoryItemType="StateUpdate"
    )["AlarmHistoryItems"]
    assert len(history) == 3


@pytest.mark.parametrize(
    "rule",
    ["", "ALARM(nope)", "ALARM(self)", "ALARM(", "TRUE FALSE", "NOT", "ok(a)", "(" * 60 + "TRUE"],
)
def test_a_bad_rule_is_refused(client: Callable[..., Any], rule: str) -> None:
    with pytest.raises((ClientError, ParamValidationError)):
        client("cloudwatch").put_composite_alarm(AlarmName="self", AlarmRule=rule)


def test_dashboards_are_kept_as_given(client: Callable[..., Any]) -> None:
    cloudwatch = client("cloudwatch")
    body = '{"widgets": [{"type": "text"}]}'
    cloudwatch.put_dashboard(DashboardName="main", DashboardBody=body)
    assert cloudwatch.get_dashboard(DashboardName="main")["DashboardBody"] == body
    (entry,) = cloudwatch.list_dashboards(DashboardNamePrefix="ma")["DashboardEntries"]
    assert entry["Size"] == len(body)
    with pytest.raises(ClientError, match="not valid JSON"):
        cloudwatch.put_dashboard(DashboardName="bad", DashboardBody="{")
    cloudwatch.delete_dashboards(DashboardNames=["main"])
    with pytest.raises(ClientError) as refused:
        cloudwatch.get_dashboard(DashboardName="main")
    assert refused.value.response["Error"]["Code"] == "ResourceNotFound"
