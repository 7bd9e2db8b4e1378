"""Byte ranges of a GET: RFC 9110's grammar with S3's reading of it.

S3 serves one range; several, a malformed header or another unit are passed over and the
whole object is given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lambent.services.s3.errors import invalid_argument, invalid_range

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*")
_COPY_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass(frozen=True, slots=True)
class Span:
    """`length` bytes from `start` on, of an object of `total` bytes."""

    start: int
    length: int
    total: int

    @property
    def content_range(self) -> str:
        """The value of the Content-Range header."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{self.total}"


def parse_range(header: str, size: int) -> Span | None:
    """The span a Range header asks of `size` bytes; None where S3 gives the whole object.

    InvalidRange (416) when the range starts at or after the end.
    """
    match = _RANGE.fullmatch(header)
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        if not last:
            return None
        length = min(int(last), size)
        if length == 0:
            raise invalid_range(header, size)
        return Span(size - length, length, size)
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        raise invalid_range(header, size)
    end = min(int(last), size - 1) if last else size - 1
    return Span(start, end - start + 1, size)


def parse_copy_range(header: str, size: int) -> Span:
    """The span of `x-amz-copy-source-range`, which must lie within the source."""
    match = _COPY_RANGE.fullmatch(header)
    if match is None or int(match[1]) > int(match[2]):
        raise invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where "
            "first and last are the zero-based offsets of the first and last bytes to copy",
            "x-amz-copy-source-range",
            header,
        )
    first, last = int(match[1]), int(match[2])
    if last >= size:
        raise invalid_argument(
            f"Range specified is not valid for source object of size: {size}",
            "x-amz-copy-source-range",
            header,
        )
    return Span(first, last - first + 1, size)
