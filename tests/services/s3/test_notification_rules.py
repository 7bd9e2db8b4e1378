"""Which configurations are sound, which events match, and the event's JSON."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.services.s3 import event_json, notifications
from lambent.services.s3.model import Bucket, Rule, Version

QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"


def rule(events: str, prefix: str = "", suffix: str = "") -> Rule:
    return Rule("id", QUEUE, (events,), prefix, suffix)


def configuration(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"QueueConfigurations": [{"QueueArn": QUEUE, **entry} for entry in entries]}


def filtered(event: str, **rules: str) -> dict[str, Any]:
    return {
        "Events": [event],
        "Filter": {"Key": {"FilterRules": [{"Name": n, "Value": v} for n, v in rules.items()]}},
    }


def read(config: dict[str, Any]) -> tuple[Rule, ...]:
    counter = itertools.count()
    return notifications.read_rules(config, "us-east-1", lambda: f"made-{next(counter)}")


@pytest.mark.parametrize(
    ("configured", "event", "covered"),
    [
        ("s3:ObjectCreated:*", "s3:ObjectCreated:Put", True),
        ("s3:ObjectCreated:*", "s3:ObjectCreated:CompleteMultipartUpload", True),
        ("s3:ObjectCreated:Put", "s3:ObjectCreated:Copy", False),
        ("s3:ObjectRemoved:*", "s3:ObjectRemoved:DeleteMarkerCreated", True),
        ("s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated", False),
        ("s3:ObjectTagging:*", "s3:ObjectTagging:Delete", True),
        ("s3:ObjectCreated:*", "s3:ObjectRemoved:Delete", False),
    ],
)
def test_wildcards_cover_their_group(configured: str, event: str, covered: bool) -> None:
    assert notifications.covers(configured, event) is covered


@pytest.mark.parametrize(
    ("key", "matches"),
    [("in/a.jpg", True), ("in/.jpg", True), ("out/a.jpg", False), ("in/a.png", False)],
)
def test_filters_look_at_both_ends_of_the_key(key: str, matches: bool) -> None:
    rules = [rule("s3:ObjectCreated:*", "in/", ".jpg")]
    found = notifications.matching(rules, "s3:ObjectCreated:Put", key)
    assert bool(found) is matches


@pytest.mark.parametrize(
    ("one", "other", "overlapping"),
    [
        (rule("s3:ObjectCreated:*"), rule("s3:ObjectCreated:Put"), True),
        (rule("s3:ObjectCreated:Copy"), rule("s3:ObjectCreated:Put"), False),
        (rule("s3:ObjectCreated:*", "a/"), rule("s3:ObjectCreated:*", "b/"), False),
        (rule("s3:ObjectCreated:*", "a/"), rule("s3:ObjectCreated:*", "a/b"), True),
        (
            rule("s3:ObjectCreated:*", "a/", ".jpg"),
            rule("s3:ObjectCreated:*", "a/b", ".png"),
            False,
        ),
        (
            rule("s3:ObjectCreated:*", "a", ".tar.gz"),
            rule("s3:ObjectCreated:*", "a", ".gz"),
            True,
        ),
        (rule("s3:ObjectCreated:*", "", ".jpg"), rule("s3:ObjectCreated:*", "a"), True),
        (rule("s3:ObjectCreated:*", "a"), rule("s3:ObjectRemoved:*", "a"), False),
    ],
)
def test_overlap_needs_event_prefix_and_suffix(one: Rule, other: Rule, overlapping: bool) -> None:
    assert notifications.overlap(one, other) is overlapping
    assert notifications.overlap(other, one) is overlapping


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            configuration(
                filtered("s3:ObjectCreated:*", prefix="a"), filtered("s3:ObjectCreated:Put")
            ),
            "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules "
            "if the prefixes are overlapping for the same event type.",
        ),
        (
            configuration(filtered("s3:ObjectCreated:Everything")),
            "The event is not supported for notifications",
        ),
        (
            configuration(filtered("s3:ObjectCreated:*", middle="a")),
            "filter rule name must be either prefix or suffix",
        ),
        (
            {"QueueConfigurations": [{"QueueArn": "queue", "Events": ["s3:ObjectCreated:*"]}]},
            "The ARN could not be parsed",
        ),
        (
            {
                "QueueConfigurations": [
                    {"QueueArn": "arn:aws:sns:us-east-1:1:t", "Events": ["s3:ObjectCreated:*"]}
                ]
            },
            "The ARN is not well formed",
        ),
    ],
)
def test_an_unsound_configuration_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(AwsError) as caught:
        read(config)
    assert caught.value.code == "InvalidArgument"
    assert caught.value.message == message


def test_what_was_configured_is_shown_again() -> None:
    config = configuration(
        {"Id": "mine", **filtered("s3:ObjectCreated:*", prefix="a/", suffix=".jpg")},
        filtered("s3:ObjectRemoved:Delete"),
    )
    shown = notifications.as_configuration(read(config), False)["QueueConfigurations"]
    assert shown[0]["Id"] == "mine"
    assert shown[0]["Filter"]["Key"]["FilterRules"] == [
        {"Name": "Prefix", "Value": "a/"},
        {"Name": "Suffix", "Value": ".jpg"},
    ]
    assert shown[1]["Id"].startswith("made-")
    assert "Filter" not in shown[1]


def test_the_event_reads_as_s3_writes_it() -> None:
    context = RequestContext("123456789012", "us-east-1", "REQ", 0.0, "", access_key="AKIA")
    bucket = Bucket("photos", "id", "123456789012", "eu-west-1", 0.0)
    version = Version(seq=0xABC, modified=0.0, size=7, etag="e" * 32)
    record = event_json.event_record(
        context, bucket, "rule", "s3:ObjectCreated:Put", "a b/ü+.jpg", version, 1_700_000_000.25
    )
    assert list(record) == [
        "eventVersion",
        "eventSource",
        "awsRegion",
        "eventTime",
        "eventName",
        "userIdentity",
        "requestParameters",
        "responseElements",
        "s3",
    ]
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["eventTime"] == "2023-11-14T22:13:20.250Z"
    assert record["awsRegion"] == "eu-west-1"
    assert record["s3"]["object"] == {
        "key": "a+b/%C3%BC%2B.jpg",
        "size": 7,
        "eTag": "e" * 32,
        "sequencer": "000000000000000ABC",
    }
    assert record["s3"]["bucket"]["arn"] == "arn:aws:s3:::photos"
    assert json.loads(event_json.event_body(record)) == {"Records": [record]}
