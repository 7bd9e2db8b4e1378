"""Listings in key order, with prefixes rolled up.

A common prefix costs one seek however many keys lie under it: once it is seen, the scan
goes on behind it. Everything here works on bytes and on a `scan` function, and knows no
wire form.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

Scan = Callable[[bytes, int], Awaitable[list[tuple[bytes, T]]]]
"""`scan(start, limit)`: up to `limit` entries with key ≥ start, in order."""

_FIRST_READ = 32
_MOST = 1000


@dataclass(slots=True)
class Page(Generic[T]):
    """One page. `last` is the last entry's key or common prefix when there is more."""

    entries: list[tuple[bytes, T]] = field(default_factory=list)
    prefixes: list[bytes] = field(default_factory=list)
    last: bytes | None = None


def after_prefix(prefix: bytes) -> bytes | None:
    """The least key greater than all keys that begin with `prefix`; None if there is none."""
    stripped = prefix.rstrip(b"\xff")
    if not stripped:
        return None
    return stripped[:-1] + bytes([stripped[-1] + 1])


def common_prefix(key: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    """What a key is rolled up to, or None."""
    if not delimiter:
        return None
    found = key.find(delimiter, len(prefix))
    return None if found < 0 else key[: found + len(delimiter)]


def first_key(prefix: bytes, delimiter: bytes, marker: bytes | None) -> bytes | None:
    """Where a listing after `marker` begins; None when nothing can follow.

    A marker at or under a common prefix has that whole prefix behind it.
    """
    if marker is None or marker < prefix:
        return prefix
    if marker.startswith(prefix):
        rolled = common_prefix(marker, prefix, delimiter)
        if rolled is not None:
            return after_prefix(rolled)
        return marker + b"\0"
    return None


async def list_page(
    scan: Scan[T], prefix: bytes, delimiter: bytes, marker: bytes | None, limit: int
) -> Page[T]:
    """Up to `limit` keys and common prefixes, together in order, after `marker`."""
    page: Page[T] = Page()
    start = first_key(prefix, delimiter, marker)
    count = 0
    last = b""
    read = min(limit + 1, _FIRST_READ if delimiter else _MOST + 1)
    while start is not None and limit > 0:
        batch = await scan(start, read)
        skip: bytes | None = None
        for key, value in batch:
            if skip is not None and key < skip:
                continue
            if not key.startswith(prefix):
                return page
            if count == limit:
                page.last = last
                return page
            rolled = common_prefix(key, prefix, delimiter)
            count += 1
            if rolled is None:
                page.entries.append((key, value))
                last = key
                skip = None
            else:
                page.prefixes.append(rolled)
                last = rolled
                skip = after_prefix(rolled)
                if skip is None:
                    return page
        if len(batch) < read:
            return page
        tail = batch[-1][0]
        start = tail + b"\0" if skip is None or tail >= skip else skip
        # Reads grow while keys are taken one by one, and shrink where prefixes are skipped.
        read = min(read * 2, _MOST + 1) if skip is None else max(read // 2, 4)
    return page
