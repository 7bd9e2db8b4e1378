"""Preconditions of reads, copies and writes, in S3's order of precedence.

Source: "Conditional requests" of the S3 User Guide; RFC 9110 §13.2.2. Times are compared
in whole seconds, as headers carry them. Entity tags are compared without quotes.
"""

from __future__ import annotations

from enum import Enum

from lambent.services.s3.errors import not_implemented, precondition_failed


class Verdict(Enum):
    """What becomes of a conditional read."""

    PROCEED = "proceed"
    NOT_MODIFIED = "not modified"
    FAILED = "failed"


def matches_etag(header: str, etag: str) -> bool:
    """Whether an If-Match or If-None-Match value names the entity tag."""
    wanted = (part.strip().removeprefix("W/").strip('"') for part in header.split(","))
    return any(tag in ("*", etag) for tag in wanted)


def evaluate(
    etag: str,
    modified: float,
    *,
    if_match: str | None = None,
    if_none_match: str | None = None,
    if_modified_since: float | None = None,
    if_unmodified_since: float | None = None,
) -> tuple[Verdict, str]:
    """The verdict on an existing object, and the header that decided it.

    A true If-Match outweighs a false If-Unmodified-Since, and a false If-None-Match
    outweighs a true If-Modified-Since.
    """
    second = int(modified)
    if if_match is not None:
        if not matches_etag(if_match, etag):
            return Verdict.FAILED, "If-Match"
    elif if_unmodified_since is not None and second > int(if_unmodified_since):
        return Verdict.FAILED, "If-Unmodified-Since"
    if if_none_match is not None:
        if matches_etag(if_none_match, etag):
            return Verdict.NOT_MODIFIED, "If-None-Match"
    elif if_modified_since is not None and second <= int(if_modified_since):
        return Verdict.NOT_MODIFIED, "If-Modified-Since"
    return Verdict.PROCEED, ""


def check_write(if_match: str | None, if_none_match: str | None, etag: str | None) -> bool:
    """Judge a conditional write against the current object's tag (None: there is none).

    False when If-Match finds nothing to match, which S3 answers with NoSuchKey;
    PreconditionFailed when a condition does not hold.
    """
    if if_none_match is not None:
        if if_none_match.strip() != "*":
            raise not_implemented("If-None-Match")
        if etag is not None:
            raise precondition_failed("If-None-Match")
    if if_match is not None:
        if etag is None:
            return False
        if not matches_etag(if_match, etag):
            raise precondition_failed("If-Match")
    return True
