"""CloudWatch Logs through boto3."""

import pytest
from botocore.exceptions import ClientError

from lambent.core.clock import SystemClock


@pytest.fixture
def logs(client):
    return client("logs")


@pytest.fixture
def stream(logs):
    logs.create_log_group(logGroupName="/app")
    logs.create_log_stream(logGroupName="/app", logStreamName="one")
    return {"logGroupName": "/app", "logStreamName": "one"}


def code(caught):
    return caught.value.response["Error"]["Code"]


def now():
    return int(SystemClock().now() * 1000)


def put(logs, stream, *messages, start=None):
    start = start or now() - 1000
    logs.put_log_events(
        **stream,
        logEvents=[{"timestamp": start + i, "message": m} for i, m in enumerate(messages)],
    )
    return start


def test_events_come_back_in_order(logs, stream):
    put(logs, stream, *(f"line {i}" for i in range(25)))
    got = logs.get_log_events(**stream, startFromHead=True)["events"]
    assert [event["message"] for event in got] == [f"line {i}" for i in range(25)]
    last = logs.get_log_events(**stream, limit=3)
    assert [event["message"] for event in last["events"]] == ["line 22", "line 23", "line 24"]
    before = logs.get_log_events(**stream, limit=3, nextToken=last["nextBackwardToken"])
    assert [event["message"] for event in before["events"]] == ["line 19", "line 20", "line 21"]


def test_a_token_at_the_end_repeats_until_something_comes(logs, stream):
    put(logs, stream, "a")
    first = logs.get_log_events(**stream, startFromHead=True)
    token = first["nextForwardToken"]
    again = logs.get_log_events(**stream, nextToken=token)
    assert again["events"] == []
    assert again["nextForwardToken"] == token
    put(logs, stream, "b")
    more = logs.get_log_events(**stream, nextToken=token)["events"]
    assert [event["message"] for event in more] == ["b"]


def test_a_filter_searches_all_streams_by_time(logs, stream):
    logs.create_log_stream(logGroupName="/app", logStreamName="two")
    two = {**stream, "logStreamName": "two"}
    start = put(logs, stream, "ERROR first", "fine")
    put(logs, two, "fine", "ERROR second", start=start + 10)
    found = logs.filter_log_events(logGroupName="/app", filterPattern="ERROR")["events"]
    assert [(event["logStreamName"], event["message"]) for event in found] == [
        ("one", "ERROR first"),
        ("two", "ERROR second"),
    ]
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName="/app", PaginationConfig={"PageSize": 1}
    )
    assert sum(len(page["events"]) for page in pages) == 4
    some = logs.filter_log_events(
        logGroupName="/app", startTime=start + 10, endTime=start + 11, logStreamNames=["two"]
    )
    assert [event["message"] for event in some["events"]] == ["fine"]


def test_events_too_old_or_too_far_ahead_are_reported_and_left_out(logs, stream):
    day = 86_400_000
    old = logs.put_log_events(
        **stream, logEvents=[{"timestamp": now() - 15 * day, "message": "old"}]
    )
    assert old["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    ahead = logs.put_log_events(
        **stream,
        logEvents=[
            {"timestamp": now(), "message": "ok"},
            {"timestamp": now() + 3 * 3_600_000, "message": "ahead"},
        ],
    )
    assert ahead["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    assert [e["message"] for e in logs.get_log_events(**stream)["events"]] == ["ok"]


def test_a_batch_out_of_order_is_refused(logs, stream):
    with pytest.raises(ClientError) as caught:
        logs.put_log_events(
            **stream,
            logEvents=[
                {"timestamp": now(), "message": "b"},
                {"timestamp": now() - 5, "message": "a"},
            ],
        )
    assert code(caught) == "InvalidParameterException"
    assert "chronological order" in str(caught.value)


def test_groups_and_streams_that_are_missing_or_there_already(logs, stream):
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName="/app")
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(**stream)
    with pytest.raises(logs.exceptions.InvalidParameterException, match="are reserved for AWS"):
        logs.create_log_group(logGroupName="aws/app")
    with pytest.raises(logs.exceptions.ResourceNotFoundException) as caught:
        logs.get_log_events(logGroupName="/nowhere", logStreamName="x")
    assert "log group does not exist" in str(caught.value)
    with pytest.raises(logs.exceptions.ResourceNotFoundException) as caught:
        logs.get_log_events(logGroupName="/app", logStreamName="x")
    assert "log stream does not exist" in str(caught.value)


def test_groups_are_described_with_retention_size_and_tags(logs, account):
    for name in ("/a/1", "/a/2", "/b"):
        logs.create_log_group(logGroupName=name, tags={"n": name})
    logs.put_retention_policy(logGroupName="/a/1", retentionInDays=7)
    pages = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix="/a", PaginationConfig={"PageSize": 1}
    )
    groups = [group for page in pages for group in page["logGroups"]]
    assert [group["logGroupName"] for group in groups] == ["/a/1", "/a/2"]
    assert groups[0]["retentionInDays"] == 7
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:/a/1"
    assert groups[0]["arn"] == arn + ":*"
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"n": "/a/1"}
    with pytest.raises(ClientError) as caught:
        logs.put_retention_policy(logGroupName="/a/1", retentionInDays=2)
    assert code(caught) == "InvalidParameterException"
    logs.delete_log_group(logGroupName="/a/1")
    left = logs.describe_log_groups(logGroupNamePrefix="/a")["logGroups"]
    assert [group["logGroupName"] for group in left] == ["/a/2"]


def test_streams_are_listed_by_the_time_of_their_last_event(logs, stream):
    logs.create_log_stream(logGroupName="/app", logStreamName="two")
    start = put(logs, {**stream, "logStreamName": "two"}, "x")
    put(logs, stream, "y", start=start + 500)
    got = logs.describe_log_streams(
        logGroupName="/app", orderBy="LastEventTime", descending=True, limit=1
    )
    assert [item["logStreamName"] for item in got["logStreams"]] == ["one"]
    assert got["logStreams"][0]["lastEventTimestamp"] == start + 500
    rest = logs.describe_log_streams(
        logGroupName="/app",
        orderBy="LastEventTime",
        descending=True,
        nextToken=got["nextToken"],
    )
    assert [item["logStreamName"] for item in rest["logStreams"]] == ["two"]
