"""A page of ListObjectVersions: all versions of all keys, newest first within a key.

The current versions and the others lie in two collections; both are in key order, so the
page is their merge. A key's current version, where there is one, comes before its others.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lambent.services.s3.cursor import Cursor
from lambent.services.s3.listing import after_prefix, common_prefix, first_key
from lambent.services.s3.model import (
    OBJECTS,
    VERSIONS,
    Bucket,
    Version,
    escape_start,
    unescape_key,
    version_seq,
)
from lambent.services.s3.versions import Versions
from lambent.store.contract import Transaction


@dataclass(slots=True)
class VersionPage:
    """`entries` are (key, version, is latest). `next_key` is None on the last page."""

    entries: list[tuple[bytes, Version, bool]] = field(default_factory=list)
    prefixes: list[bytes] = field(default_factory=list)
    next_key: bytes | None = None
    next_version: str = ""


async def list_versions(
    tx: Transaction,
    versions: Versions,
    bucket: Bucket,
    *,
    prefix: bytes,
    delimiter: bytes,
    key_marker: bytes,
    version_marker: str | None,
    limit: int,
) -> VersionPage:
    """Up to `limit` versions and common prefixes after the markers."""
    page = VersionPage()
    marker = key_marker or None
    start = first_key(prefix, delimiter, marker)
    below: int | None = None
    if marker is not None and version_marker is not None:
        named = await versions.find(tx, bucket, marker, version_marker)
        below = version_seq(version_marker) if named is None else named.seq
        if start != marker + b"\0":
            below = None
        elif below is not None:
            start = marker
    if start is None or limit == 0:
        return page
    current = Cursor(tx, OBJECTS, bucket.key, Version)
    others = Cursor(tx, VERSIONS, bucket.key, Version)
    current.seek(start)
    others.seek(escape_start(start))
    previous: bytes | None = marker if below is not None else None
    last: tuple[bytes, str] = (b"", "")
    while True:
        one, other = await current.peek(), await others.peek()
        if one is None and other is None:
            return page
        other_key = None if other is None else unescape_key(other[0])[0]
        if other is None or other_key is None or (one is not None and one[0] <= other_key):
            assert one is not None
            cursor, key, version = current, one[0], one[1]
        else:
            cursor, key, version = others, other_key, other[1]
        if not key.startswith(prefix):
            return page
        if below is not None and key == marker and version.seq >= below:
            cursor.step()
            continue
        if len(page.entries) + len(page.prefixes) == limit:
            page.next_key, page.next_version = last
            return page
        rolled = common_prefix(key, prefix, delimiter)
        if rolled is not None:
            page.prefixes.append(rolled)
            last = (rolled, "")
            behind = after_prefix(rolled)
            if behind is None:
                return page
            current.seek(behind)
            others.seek(escape_start(behind))
            continue
        page.entries.append((key, version, key != previous))
        last = (key, version.shown_id)
        previous = key
        cursor.step()
