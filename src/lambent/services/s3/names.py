"""Which bucket names and object keys are valid.

Source: "General purpose bucket naming rules" and "Naming Amazon S3 objects".
"""

from __future__ import annotations

import ipaddress
import re

from lambent.core.errors import AwsError

KEY_LIMIT = 1024
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def is_bucket_name(name: str) -> bool:
    """Whether a general purpose bucket may have this name."""
    if _BUCKET.fullmatch(name) is None or ".." in name or ".-" in name or "-." in name:
        return False
    if name.startswith(_PREFIXES) or name.endswith(_SUFFIXES):
        return False
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return True
    return False


def check_bucket_name(name: str) -> None:
    """InvalidBucketName unless a bucket may have this name."""
    if not is_bucket_name(name):
        raise AwsError(
            "InvalidBucketName", "The specified bucket is not valid.", 400, {"BucketName": name}
        )


def key_bytes(key: str) -> bytes:
    """The key as it is stored and ordered; KeyTooLongError past 1,024 bytes of UTF-8."""
    encoded = key.encode("utf-8", "surrogatepass")
    if len(encoded) > KEY_LIMIT:
        raise AwsError(
            "KeyTooLongError",
            "Your key is too long",
            400,
            {"Size": len(encoded), "MaxSizeAllowed": KEY_LIMIT},
        )
    return encoded


def key_text(raw: bytes) -> str:
    """The key that `key_bytes` made."""
    return raw.decode("utf-8", "surrogatepass")
