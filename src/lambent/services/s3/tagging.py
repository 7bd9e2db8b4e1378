"""Tag sets: their limits, and the header form.

Source: "Categorizing your storage using tags" and the PutObjectTagging reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from lambent.core.errors import AwsError
from lambent.services.s3.errors import invalid_argument, malformed_xml

OBJECT_TAGS = 10
BUCKET_TAGS = 50
_ALLOWED = re.compile(r"[\w\s+\-=.:/@]*", re.UNICODE)


def _invalid(message: str, key: str | None = None) -> AwsError:
    return AwsError("InvalidTag", message, 400, {"TagKey": key} if key is not None else None)


def read_tags(pairs: Iterable[tuple[str, str]], limit: int) -> dict[str, str]:
    """The tags of a set, checked; `limit` is how many it may have."""
    tags: dict[str, str] = {}
    for key, value in pairs:
        if not 1 <= len(key) <= 128:
            raise _invalid("The TagKey you have provided is invalid", key)
        if len(value) > 256:
            raise _invalid("The TagValue you have provided is invalid", key)
        if _ALLOWED.fullmatch(key) is None:
            raise _invalid("The TagKey you have provided is invalid", key)
        if _ALLOWED.fullmatch(value) is None:
            raise _invalid("The TagValue you have provided is invalid", key)
        if key.lower().startswith("aws:"):
            raise _invalid("System tags cannot be added/updated by requester", key)
        if key in tags:
            raise _invalid("Cannot provide multiple Tags with the same key", key)
        tags[key] = value
    if len(tags) > limit:
        if limit == OBJECT_TAGS:
            raise AwsError("BadRequest", "Object tags cannot be greater than 10", 400)
        raise AwsError("BadRequest", f"Bucket tag count cannot be greater than {limit}", 400)
    return tags


def _pair(entry: Mapping[str, Any]) -> tuple[str, str]:
    if "Key" not in entry or "Value" not in entry:
        raise malformed_xml()
    return entry["Key"], entry["Value"]


def tag_set(tagging: Mapping[str, Any] | None, limit: int) -> dict[str, str]:
    """The tags of a `Tagging` document."""
    entries = (tagging or {}).get("TagSet", ())
    return read_tags((_pair(entry) for entry in entries), limit)


def tag_header(header: str) -> dict[str, str]:
    """The tags of an `x-amz-tagging` header ("k1=v1&k2=v2", percent-encoded)."""
    try:
        pairs = parse_qsl(header, keep_blank_values=True, errors="strict")
    except ValueError:
        raise invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
            "parameters without tag name duplicates.",
            "x-amz-tagging",
            header,
        ) from None
    if len({key for key, _ in pairs}) != len(pairs):
        raise invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
            "parameters without tag name duplicates.",
            "x-amz-tagging",
            header,
        )
    return read_tags(pairs, OBJECT_TAGS)


def as_tag_set(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as `TagSet` shows them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
