"""Whether an S3 document arrived as it was sent: Content-MD5 and x-amz-checksum-* headers.

Objects' bodies are checked where they are received; this is for requests whose body is a
document. Sources: Amazon S3 API Reference, "Common request headers" and DeleteObjects;
"Checking object integrity in Amazon S3".
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

from lambent.core import checksums
from lambent.core.digests import content_md5
from lambent.core.errors import AwsError

_WANTED: Final = frozenset({"DeleteObjects"})
"""Operations that S3 does not serve without a digest of their document."""

_OF_OBJECTS: Final = frozenset({"CompleteMultipartUpload"})
"""Operations whose checksums are an object's, not their document's."""


def check(operation: str, headers: Mapping[str, str], body: bytes) -> None:
    """BadDigest or InvalidDigest for a body that is not what the headers say; InvalidRequest
    where S3 wants a digest and there is none."""
    given = False
    md5 = headers.get("content-md5")
    if md5 is not None:
        given = True
        _check_md5(md5, body)
    for header, name in checksums.HEADERS.items():
        value = headers.get(header)
        if value is None or operation in _OF_OBJECTS:
            continue
        given = True
        if value.strip() != checksums.of(name, body):
            raise AwsError(
                "BadDigest",
                f"The {name} you specified did not match the calculated checksum.",
                400,
            )
    if not given and operation in _WANTED and "x-amz-trailer" not in headers:
        raise AwsError(
            "InvalidRequest", "Missing required header for this request: Content-MD5", 400
        )


def _check_md5(header: str, body: bytes) -> None:
    expected = content_md5(header)
    actual = hashlib.md5(body, usedforsecurity=False).digest()
    if expected != actual:
        raise AwsError(
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
            400,
            {
                "ExpectedDigest": expected.hex(),
                "CalculatedDigest": base64.b64encode(actual).decode(),
            },
        )
