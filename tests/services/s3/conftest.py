"""S3's own fixtures: a client, a bucket, and the error a call ends with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambent.core.ids import SystemIds

_ids = SystemIds()


@dataclass(frozen=True)
class Refusal:
    """What a refused call said."""

    code: str
    status: int
    message: str
    error: dict[str, Any]
    headers: dict[str, str]


@pytest.fixture
def s3(client: Callable[..., Any]) -> Any:
    return client("s3")


@pytest.fixture
def name() -> str:
    """A bucket name that nobody else has."""
    return f"test-{_ids.hex(16)}"


@pytest.fixture
def bucket(s3: Any, name: str) -> str:
    s3.create_bucket(Bucket=name)
    return name


def refused(call: Callable[..., Any], **arguments: Any) -> Refusal:
    """Call, and give the error it must end with."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return Refusal(
        response["Error"]["Code"],
        response["ResponseMetadata"]["HTTPStatusCode"],
        response["Error"].get("Message", ""),
        response["Error"],
        response["ResponseMetadata"]["HTTPHeaders"],
    )


def body_of(response: Any) -> bytes:
    data: bytes = response["Body"].read()
    return data
