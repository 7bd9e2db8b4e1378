"""The JSON of S3's event notifications.

Source: "Event message structure" of the S3 User Guide. Pure.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

from lambent.core.context import RequestContext
from lambent.services.s3.model import Bucket, Version

PRINCIPAL = "s3.amazonaws.com"
EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def timestamp(seconds: float) -> str:
    """ISO 8601 with milliseconds, in UTC."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def host_id(request_id: str) -> str:
    """The extended request id that goes with a request id, as the response carries it."""
    return base64.b64encode(hashlib.sha512(request_id.encode()).digest()[:57]).decode()


def principal_id(account: str) -> str:
    """The short id by which events name an account."""
    digest = hashlib.sha256(f"principal/{account}".encode()).digest()
    return "A" + base64.b32encode(digest).decode()[:13]


def sequencer(seq: int) -> str:
    """The `seq` of a change in upper-case hexadecimal, of even width as S3 writes it."""
    return f"{seq:018X}"


def _who(context: RequestContext) -> str:
    # What S3 does by itself it does under its own name.
    if context.principal == PRINCIPAL:
        return PRINCIPAL
    return f"AWS:{context.access_key or context.account}"


def event_record(
    context: RequestContext,
    bucket: Bucket,
    rule_id: str,
    event: str,
    key: str,
    version: Version,
    time: float,
) -> dict[str, Any]:
    """One entry of `Records`; `event` is the configured name ("s3:ObjectCreated:Put").

    A removal tells no size, and no tag unless it made a delete marker.
    """
    name = event.removeprefix("s3:")
    described: dict[str, Any] = {"key": quote_plus(key, safe="/")}
    if name.startswith("ObjectCreated:"):
        described["size"] = version.size
        described["eTag"] = version.etag
    elif name.endswith(":DeleteMarkerCreated"):
        described["eTag"] = EMPTY_MD5
    elif name.startswith("ObjectRestore:"):
        described["size"] = version.size
        described["eTag"] = version.etag
    elif not name.endswith(":Delete") or name == "ObjectTagging:Delete":
        described["eTag"] = version.etag
    if bucket.versioning and version.version_id:
        described["versionId"] = version.version_id
    if name.startswith(("ObjectCreated:", "ObjectRemoved:", "LifecycleExpiration:")):
        described["sequencer"] = sequencer(version.seq)
    record: dict[str, Any] = {
        "eventVersion": "2.1" if name.startswith(("ObjectCreated", "ObjectRemoved")) else "2.3",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,
        "eventTime": timestamp(time),
        "eventName": name,
        "userIdentity": {"principalId": _who(context)},
        "requestParameters": {
            "sourceIPAddress": context.headers.get("x-forwarded-for", "127.0.0.1")
            .split(",")[0]
            .strip()
        },
        "responseElements": {
            "x-amz-request-id": context.request_id,
            "x-amz-id-2": host_id(context.request_id),
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": rule_id,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": principal_id(bucket.account)},
                "arn": bucket.arn,
            },
            "object": described,
        },
    }
    if name == "LifecycleTransition":
        record["lifecycleEventData"] = {
            "transitionEventData": {"destinationStorageClass": version.details.storage_class}
        }
    if name in ("ObjectRestore:Completed", "ObjectRestore:Delete") and version.details.restored:
        record["glacierEventData"] = {
            "restoreEventData": {
                "lifecycleRestorationExpiryTime": timestamp(version.details.restored[1]),
                "lifecycleRestoreStorageClass": version.details.storage_class,
            }
        }
    return record


def event_body(record: dict[str, Any]) -> bytes:
    """The message that a destination receives."""
    return json.dumps({"Records": [record]}, separators=(",", ":"), ensure_ascii=False).encode()


def test_event(context: RequestContext, bucket: Bucket, time: float) -> bytes:
    """The message that tells a new destination that it was configured."""
    return json.dumps(
        {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": timestamp(time),
            "Bucket": bucket.name,
            "RequestId": context.request_id,
            "HostId": host_id(context.request_id),
        },
        separators=(",", ":"),
    ).encode()
