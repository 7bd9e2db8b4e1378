"""Lifecycle rules and restores as time passes, under a virtual clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.services.s3.conftest import body_of, refused
from tests.support.nodes import ThreadNode

from lambent.core.clock import VirtualClock
from lambent.services.s3.housekeeping import QUEUE
from lambent.store.contract import Transaction, WorkCounts

DAY = 86400.0
NOON = 1_700_049_600.0  # Wed, 15 Nov 2023 12:00:00 UTC


class Days:
    """A node whose time is the test's."""

    def __init__(self, node: ThreadNode, clock: VirtualClock, s3: Any, sqs: Any) -> None:
        self.node, self.clock, self.s3, self.sqs = node, clock, s3, sqs
        s3.create_bucket(Bucket="bucket")

    def pass_by(self, days: float) -> None:
        """Let time go by, in leaps of half a day at most, and what is due then be done."""
        while days > 0:
            # Whoever is about to sleep does so before the leap, not over it.
            self.node.run(self.clock.advance(0.1))
            self.node.run(self.clock.jump(min(days, 0.5) * DAY))
            self.node.run(self._done())
            days -= 0.5

    async def _done(self) -> None:
        store = self.node.node._store
        for _ in range(1000):
            if (await store.transact(_counts)).ready == 0:
                return
            await self.clock.advance(0)
        raise AssertionError("housekeeping does not end")

    def rules(self, *rules: dict[str, Any]) -> None:
        listed = [{"Status": "Enabled", "Filter": {"Prefix": ""}, **rule} for rule in rules]
        self.s3.put_bucket_lifecycle_configuration(
            Bucket="bucket", LifecycleConfiguration={"Rules": listed}
        )

    def put(self, key: str, **more: Any) -> Any:
        return self.s3.put_object(Bucket="bucket", Key=key, Body=more.pop("Body", b"x"), **more)

    def keys(self) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket="bucket").get("Contents", ())
        return [entry["Key"] for entry in listed]

    def versions(self) -> list[str]:
        listed = self.s3.list_object_versions(Bucket="bucket")
        return [v["VersionId"] for v in listed.get("Versions", ())]

    def markers(self) -> list[str]:
        listed = self.s3.list_object_versions(Bucket="bucket")
        return [v["VersionId"] for v in listed.get("DeleteMarkers", ())]

    def versioned(self) -> None:
        self.s3.put_bucket_versioning(
            Bucket="bucket", VersioningConfiguration={"Status": "Enabled"}
        )

    def report(self, *events: str) -> str:
        """Have events sent to a queue; its URL."""
        url: str = self.sqs.create_queue(QueueName="events")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        self.s3.put_bucket_notification_configuration(
            Bucket="bucket",
            NotificationConfiguration={
                "QueueConfigurations": [
                    {"QueueArn": arn["Attributes"]["QueueArn"], "Events": list(events)}
                ]
            },
        )
        self.sqs.purge_queue(QueueUrl=url)
        return url

    def reported(self, url: str) -> list[dict[str, Any]]:
        got = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", ())
        return [json.loads(message["Body"])["Records"][0] for message in got]


async def _counts(tx: Transaction) -> WorkCounts:
    return await tx.work_counts(QUEUE)


@pytest.fixture
def days(fresh_node: Any, connect: Callable[..., Any]) -> Days:
    clock = VirtualClock(NOON)
    node = fresh_node(clock=clock)
    return Days(node, clock, connect(node.endpoint, "s3"), connect(node.endpoint, "sqs"))


def test_objects_expire_at_the_midnight_after_their_days(days: Days) -> None:
    days.rules({"ID": "r 1", "Filter": {"Prefix": "log/"}, "Expiration": {"Days": 3}})
    put = days.put("log/a")
    days.put("kept")
    shown = 'expiry-date="Sun, 19 Nov 2023 00:00:00 GMT", rule-id="r%201"'
    assert put["Expiration"] == shown
    assert days.s3.head_object(Bucket="bucket", Key="log/a")["Expiration"] == shown
    assert "Expiration" not in days.s3.head_object(Bucket="bucket", Key="kept")
    queue = days.report("s3:LifecycleExpiration:*")
    days.pass_by(3.4)
    assert days.keys() == ["kept", "log/a"]
    days.pass_by(0.2)
    assert days.keys() == ["kept"]
    (record,) = days.reported(queue)
    assert record["eventName"] == "LifecycleExpiration:Delete"
    assert record["userIdentity"] == {"principalId": "s3.amazonaws.com"}
    assert record["s3"]["object"]["key"] == "log/a"


def test_days_beyond_all_dates_are_the_last_day(s3: Any, bucket: str) -> None:
    rule = {
        "ID": "r",
        "Status": "Enabled",
        "Filter": {},
        "Expiration": {"Days": 2**31 - 1},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2**31 - 1},
    }
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    assert put["Expiration"].startswith('expiry-date="Fri, 31 Dec 9999 00:00:00 GMT"')
    assert s3.create_multipart_upload(Bucket=bucket, Key="a")["AbortDate"].year == 9999


def test_rules_take_tags_and_sizes_and_only_when_enabled(days: Days) -> None:
    tagged = {"Tag": {"Key": "end", "Value": "soon"}}
    days.rules(
        {"Filter": tagged, "Expiration": {"Days": 1}},
        {"Filter": {"ObjectSizeGreaterThan": 10}, "Expiration": {"Days": 1}},
        {"Status": "Disabled", "Expiration": {"Days": 1}},
    )
    days.put("tagged", Tagging="end=soon")
    days.put("large", Body=b"x" * 11)
    days.put("kept", Tagging="end=later")
    days.pass_by(2)
    assert days.keys() == ["kept"]


def test_many_objects_expire_and_a_removed_configuration_acts_no_more(days: Days) -> None:
    days.rules({"Filter": {"Prefix": "a"}, "Expiration": {"Days": 1}})
    for number in range(450):
        days.put(f"a{number}")
    days.pass_by(2)
    assert days.keys() == []
    days.put("a")
    days.s3.delete_bucket_lifecycle(Bucket="bucket")
    days.pass_by(3)
    assert days.keys() == ["a"]


def test_a_pass_goes_on_after_a_restart(days: Days, connect: Callable[..., Any]) -> None:
    days.rules({"Expiration": {"Days": 1}})
    days.put("a")
    days.node.restart()
    days.s3 = connect(days.node.endpoint, "s3")
    days.pass_by(2)
    assert days.keys() == []


def test_expiring_in_a_versioned_bucket_makes_markers_which_go_once_they_are_alone(
    days: Days,
) -> None:
    days.versioned()
    days.rules(
        {
            "Expiration": {"Days": 1},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 2},
        }
    )
    days.put("a")
    days.pass_by(2)
    assert (days.keys(), len(days.versions()), len(days.markers())) == ([], 1, 1)
    days.pass_by(3)
    assert len(days.versions()) == 0
    days.pass_by(1)
    assert days.markers() == []


def test_noncurrent_versions_go_but_for_the_newest_and_the_locked(days: Days) -> None:
    days.versioned()
    days.rules({"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 1}})
    made = [days.put("a")["VersionId"] for _ in range(4)]
    days.pass_by(3)
    assert days.versions() == [made[3], made[2]]


def test_a_version_under_legal_hold_outlives_its_rule(days: Days) -> None:
    days.s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    days.s3.put_bucket_lifecycle_configuration(
        Bucket="locked",
        LifecycleConfiguration={
            "Rules": [
                {
                    "Status": "Enabled",
                    "Filter": {},
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
                }
            ]
        },
    )
    held = days.s3.put_object(Bucket="locked", Key="a", Body=b"", ObjectLockLegalHoldStatus="ON")[
        "VersionId"
    ]
    days.s3.put_object(Bucket="locked", Key="a", Body=b"")
    days.pass_by(3)
    assert days.s3.head_object(Bucket="locked", Key="a", VersionId=held)


def test_transitions_go_down_by_size_and_age(days: Days) -> None:
    days.rules(
        {
            "Transitions": [
                {"Days": 1, "StorageClass": "GLACIER_IR"},
                {"Days": 3, "StorageClass": "DEEP_ARCHIVE"},
            ],
        }
    )
    days.put("large", Body=b"x" * 128 * 1024)
    days.put("small")
    queue = days.report("s3:LifecycleTransition")
    days.pass_by(2)
    head = days.s3.head_object(Bucket="bucket", Key="large")
    assert head["StorageClass"] == "GLACIER_IR"
    assert "StorageClass" not in days.s3.head_object(Bucket="bucket", Key="small")
    days.pass_by(2)
    head = days.s3.head_object(Bucket="bucket", Key="large")
    assert head["StorageClass"] == "DEEP_ARCHIVE"
    classes = [
        record["lifecycleEventData"]["transitionEventData"]["destinationStorageClass"]
        for record in days.reported(queue)
    ]
    assert classes == ["GLACIER_IR", "DEEP_ARCHIVE"]


def test_uploads_that_are_not_completed_are_given_up(days: Days) -> None:
    days.rules({"ID": "give up", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}})
    upload = days.s3.create_multipart_upload(Bucket="bucket", Key="a")
    assert upload["AbortDate"] == datetime(2023, 11, 18, tzinfo=UTC)
    assert upload["AbortRuleId"] == "give up"
    days.s3.upload_part(
        Bucket="bucket", Key="a", UploadId=upload["UploadId"], PartNumber=1, Body=b"x"
    )
    days.pass_by(2)
    assert days.s3.list_multipart_uploads(Bucket="bucket")["Uploads"]
    days.pass_by(1)
    assert "Uploads" not in days.s3.list_multipart_uploads(Bucket="bucket")
    assert days.put("a")


def test_an_archived_object_is_readable_while_it_is_restored(days: Days) -> None:
    days.put("a", Body=b"cold", StorageClass="GLACIER")
    queue = days.report("s3:ObjectRestore:*")
    wanted = {"Days": 2, "GlacierJobParameters": {"Tier": "Expedited"}}
    call = {"Bucket": "bucket", "Key": "a", "RestoreRequest": wanted}
    assert days.s3.restore_object(**call)["ResponseMetadata"]["HTTPStatusCode"] == 202
    head = days.s3.head_object(Bucket="bucket", Key="a")
    assert head["Restore"] == 'ongoing-request="true"'
    assert refused(days.s3.get_object, Bucket="bucket", Key="a").code == "InvalidObjectState"
    again = refused(days.s3.restore_object, **call)
    assert (again.code, again.status) == ("RestoreAlreadyInProgress", 409)
    days.pass_by(120 / DAY)
    assert body_of(days.s3.get_object(Bucket="bucket", Key="a")) == b"cold"
    head = days.s3.head_object(Bucket="bucket", Key="a")
    assert head["Restore"] == (
        'ongoing-request="false", expiry-date="Sat, 18 Nov 2023 00:00:00 GMT"'
    )
    listed = days.s3.list_objects_v2(Bucket="bucket", OptionalObjectAttributes=["RestoreStatus"])
    assert listed["Contents"][0]["RestoreStatus"]["IsRestoreInProgress"] is False
    assert days.s3.copy_object(Bucket="bucket", Key="copy", CopySource="bucket/a")
    longer = days.s3.restore_object(**call | {"RestoreRequest": {"Days": 1}})
    assert longer["ResponseMetadata"]["HTTPStatusCode"] == 200
    days.pass_by(3)
    assert "Restore" not in days.s3.head_object(Bucket="bucket", Key="a")
    assert refused(days.s3.get_object, Bucket="bucket", Key="a").code == "InvalidObjectState"
    names = [record["eventName"] for record in days.reported(queue)]
    assert names[:2] == ["ObjectRestore:Post", "ObjectRestore:Completed"]
    assert names[-1] == "ObjectRestore:Delete"


def test_what_is_not_archived_is_not_restored(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    call = {"Bucket": bucket, "Key": "a"}
    error = refused(s3.restore_object, **call, RestoreRequest={"Days": 1})
    assert (error.code, error.status) == ("InvalidObjectState", 403)
    error = refused(s3.restore_object, **call, RestoreRequest={})
    assert (error.code, error.status) == ("MalformedXML", 400)
