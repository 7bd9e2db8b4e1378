"""Listing as a pure algorithm, held against the obvious one."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lambent.services.s3.listing import Page, after_prefix, list_page

KEYS = st.lists(
    st.text(alphabet="ab/c", min_size=1, max_size=6).map(str.encode), max_size=30, unique=True
)


class Keys:
    """A sorted collection that counts the records it gave."""

    def __init__(self, keys: list[bytes]) -> None:
        self.keys = sorted(keys)
        self.read = 0

    async def scan(self, start: bytes, limit: int) -> list[tuple[bytes, None]]:
        place = bisect_left(self.keys, start)
        found = self.keys[place : place + limit]
        self.read += len(found)
        return [(key, None) for key in found]


def entries(keys: list[bytes], prefix: bytes, delimiter: bytes) -> list[bytes]:
    """All keys and common prefixes in order, the obvious way."""
    seen: set[bytes] = set()
    for key in keys:
        if key.startswith(prefix):
            found = key.find(delimiter, len(prefix)) if delimiter else -1
            seen.add(key if found < 0 else key[: found + len(delimiter)])
    return sorted(seen)


def page_entries(page: Page[None]) -> list[bytes]:
    return sorted([key for key, _ in page.entries] + page.prefixes)


@given(KEYS, st.sampled_from([b"", b"a", b"a/", b"b/c"]), st.sampled_from([b"", b"/", b"a", b"/b"]))
def test_one_page_holds_what_the_obvious_listing_holds(
    keys: list[bytes], prefix: bytes, delimiter: bytes
) -> None:
    source = Keys(keys)
    page = asyncio.run(list_page(source.scan, prefix, delimiter, None, 1000))
    assert page_entries(page) == entries(keys, prefix, delimiter)
    assert page.last is None


@given(
    KEYS,
    st.sampled_from([b"", b"a", b"a/"]),
    st.sampled_from([b"", b"/", b"a"]),
    st.integers(1, 4),
)
def test_pages_continue_without_gap_or_repetition(
    keys: list[bytes], prefix: bytes, delimiter: bytes, limit: int
) -> None:
    source = Keys(keys)
    collected: list[bytes] = []
    marker: bytes | None = None
    while True:
        page = asyncio.run(list_page(source.scan, prefix, delimiter, marker, limit))
        found = page_entries(page)
        collected += found
        if page.last is None:
            break
        assert len(found) == limit
        assert page.last == found[-1]
        marker = page.last
    assert collected == entries(keys, prefix, delimiter)
    assert all(one < other for one, other in pairwise(collected))


def test_a_prefix_of_many_keys_costs_a_few_reads() -> None:
    source = Keys([f"photos/{n:06}".encode() for n in range(50_000)] + [b"z"])
    page = asyncio.run(list_page(source.scan, b"", b"/", None, 1000))
    assert page_entries(page) == [b"photos/", b"z"]
    assert source.read < 100


def test_a_page_of_none_is_empty_and_complete() -> None:
    page = asyncio.run(list_page(Keys([b"a"]).scan, b"", b"", None, 0))
    assert page_entries(page) == [] and page.last is None


@given(st.binary(min_size=1, max_size=4), st.binary(max_size=3))
def test_after_prefix_is_behind_every_key_of_the_prefix(prefix: bytes, tail: bytes) -> None:
    behind = after_prefix(prefix)
    if behind is None:
        assert set(prefix) == {0xFF}
    else:
        assert prefix + tail < behind
