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
    elif name == "ObjectRemoved:DeleteMarkerCreated":
        described["eTag"] = EMPTY_MD5
    elif not name.startswith("ObjectRemoved:"):
        described["eTag"] = version.etag
    if bucket.versioning and version.version_id:
        described["versionId"] = version.version_id
    if name.startswith(("ObjectCreated:", "ObjectRemoved:")):
        described["sequencer"] = sequencer(version.seq)
    return {
        "eventVersion": "2.1" if name.startswith(("ObjectCreated", "ObjectRemoved")) else "2.3",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,
        "eventTime": timestamp(time),
        "eventName": name,
        "userIdentity": {"principalId": f"AWS:{context.access_key or context.account}"},
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
