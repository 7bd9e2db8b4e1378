"""The versions of a key: what a write, a delete, or the removal of one version makes of them.

    never versioned   one null version, overwritten in place
    Enabled           each write adds a version; a delete adds a delete marker
    Suspended         writes and deletes replace the null version, others stay

`s3.objects` holds a key's newest version exactly when that is no delete marker; every other
version lies in `s3.versions`. At most one version of a key is the null version.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from lambent.core.ids import Ids
from lambent.services.s3.errors import invalid_argument
from lambent.services.s3.model import (
    ENABLED,
    NULL_VERSION,
    NULLS,
    OBJECTS,
    VERSIONS,
    Bucket,
    Version,
    escape_key,
    make_version_id,
    pack,
    unpack,
    version_seq,
    version_sort,
)
from lambent.services.s3.retirement import unlink
from lambent.store.contract import Transaction


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a plain delete did: the delete marker it made, or the version it removed."""

    marker: Version | None = None
    removed: Version | None = None


class Versions:
    """The transitions, each within the caller's transaction."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._last = 0

    def _sequence(self, now: float, newest: Version | None) -> int:
        # Microseconds, but always growing: per key in the store, and in this process.
        floor = 0 if newest is None else newest.seq
        self._last = max(int(now * 1_000_000), floor + 1, self._last + 1)
        return self._last

    async def current(self, tx: Transaction, bucket: Bucket, key: bytes) -> Version | None:
        """The live version, or None (no such key, or a delete marker is newest)."""
        record = await tx.get(OBJECTS, bucket.key, key)
        return None if record is None else unpack(Version, record.value)

    async def newest(self, tx: Transaction, bucket: Bucket, key: bytes) -> Version | None:
        """The newest version, be it a delete marker."""
        current = await self.current(tx, bucket, key)
        if current is not None or not bucket.versioning:
            return current
        return await self._newest_stored(tx, bucket, key)

    async def find(
        self, tx: Transaction, bucket: Bucket, key: bytes, version_id: str
    ) -> Version | None:
        """The version of that id ("null" too); InvalidArgument for what is no version id."""
        if version_id == NULL_VERSION:
            wanted, seq = "", None
        else:
            wanted, seq = version_id, version_seq(version_id)
            if seq is None:
                raise invalid_argument("Invalid version id specified", "versionId", version_id)
        current = await self.current(tx, bucket, key)
        if current is not None and current.version_id == wanted:
            return current
        if seq is None:
            pointer = await tx.get(NULLS, bucket.key, key)
            sort = None if pointer is None else pointer.value
        else:
            sort = version_sort(key, seq)
        record = None if sort is None else await tx.get(VERSIONS, bucket.key, sort)
        if record is None:
            return None
        version = unpack(Version, record.value)
        return version if version.version_id == wanted else None

    async def put(self, tx: Transaction, bucket: Bucket, key: bytes, version: Version) -> Version:
        """Make `version` the newest; it comes back with its sequence and version id."""
        version = await self._prepare(tx, bucket, key, version)
        await tx.put(OBJECTS, bucket.key, key, pack(version))
        return version

    async def delete(self, tx: Transaction, bucket: Bucket, key: bytes) -> Deleted:
        """A delete that names no version."""
        if bucket.versioning:
            marker = Version(seq=0, modified=tx.now, marker=True)
            marker = await self._prepare(tx, bucket, key, marker)
            await tx.delete(OBJECTS, bucket.key, key)
            await self._store(tx, bucket, key, marker)
            return Deleted(marker=marker)
        current = await self.current(tx, bucket, key)
        if current is None:
            return Deleted()
        await tx.delete(OBJECTS, bucket.key, key)
        await unlink(tx, current.parts)
        removed = msgspec.structs.replace(current, seq=self._sequence(tx.now, current))
        return Deleted(removed=removed)

    async def remove(
        self, tx: Transaction, bucket: Bucket, key: bytes, version: Version
    ) -> Version:
        """Remove one version for good; it comes back with the sequence of this change."""
        current = await self.current(tx, bucket, key)
        if current is not None and current.seq == version.seq:
            await tx.delete(OBJECTS, bucket.key, key)
        else:
            await self._discard(tx, bucket, key, version)
        await unlink(tx, version.parts)
        if current is None or current.seq == version.seq:
            await self._promote(tx, bucket, key)
        return msgspec.structs.replace(version, seq=self._sequence(tx.now, current or version))

    async def rewrite(self, tx: Transaction, bucket: Bucket, key: bytes, version: Version) -> None:
        """Replace a version's record in its place (its tags or grants changed)."""
        current = await self.current(tx, bucket, key)
        if current is not None and current.seq == version.seq:
            await tx.put(OBJECTS, bucket.key, key, pack(version))
        else:
            await tx.put(VERSIONS, bucket.key, version_sort(key, version.seq), pack(version))

    async def _prepare(
        self, tx: Transaction, bucket: Bucket, key: bytes, version: Version
    ) -> Version:
        # Moves or removes what the new version displaces, then numbers it.
        current = await self.current(tx, bucket, key)
        newest = current
        if current is None and bucket.versioning:
            newest = await self._newest_stored(tx, bucket, key)
        seq = self._sequence(tx.now, newest)
        if bucket.versioning == ENABLED:
            if current is not None:
                await self._store(tx, bucket, key, current)
            salt = bytes.fromhex(self._ids.hex(32))
            return msgspec.structs.replace(version, seq=seq, version_id=make_version_id(seq, salt))
        if current is not None and current.version_id:
            await self._store(tx, bucket, key, current)
        elif current is not None:
            await unlink(tx, current.parts)
        if bucket.versioning:
            await self._discard_null(tx, bucket, key)
        return msgspec.structs.replace(version, seq=seq, version_id="")

    async def _newest_stored(self, tx: Transaction, bucket: Bucket, key: bytes) -> Version | None:
        start = escape_key(key)
        records = await tx.scan(VERSIONS, bucket.key, start=start, end=start + b"\xff" * 9, limit=1)
        return unpack(Version, records[0].value) if records else None

    async def _store(self, tx: Transaction, bucket: Bucket, key: bytes, version: Version) -> None:
        sort = version_sort(key, version.seq)
        await tx.put(VERSIONS, bucket.key, sort, pack(version))
        if not version.version_id:
            await tx.put(NULLS, bucket.key, key, sort)

    async def _discard(self, tx: Transaction, bucket: Bucket, key: bytes, version: Version) -> None:
        await tx.delete(VERSIONS, bucket.key, version_sort(key, version.seq))
        if not version.version_id:
            await tx.delete(NULLS, bucket.key, key)

    async def _discard_null(self, tx: Transaction, bucket: Bucket, key: bytes) -> None:
        pointer = await tx.get(NULLS, bucket.key, key)
        if pointer is None:
            return
        record = await tx.get(VERSIONS, bucket.key, pointer.value)
        if record is not None:
            version = unpack(Version, record.value)
            await self._discard(tx, bucket, key, version)
            await unlink(tx, version.parts)

    async def _promote(self, tx: Transaction, bucket: Bucket, key: bytes) -> None:
        newest = await self._newest_stored(tx, bucket, key)
        if newest is not None and not newest.marker:
            await self._discard(tx, bucket, key, newest)
            await tx.put(OBJECTS, bucket.key, key, pack(newest))
