"""What S3 does to objects by itself, behind the requests: lifecycle rules each midnight (UTC),
and the end of restores.

All of it is work in one queue. A bucket with lifecycle rules has one item there, which carries
how far the pass over its keys has come; each step is one transaction that does a page of keys
and puts the rest, or the next midnight, in its place. Whichever node claims an item takes the
step. An item of an earlier configuration, or of a bucket that is gone, is dropped when it comes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from lambent.core.context import RequestContext
from lambent.core.duty import Duty
from lambent.core.errors import AwsError
from lambent.services.s3 import lifecycle, restores
from lambent.services.s3.access import find_bucket
from lambent.services.s3.event_json import PRINCIPAL
from lambent.services.s3.lifecycle import Rule
from lambent.services.s3.locking import check_unlocked
from lambent.services.s3.model import (
    OBJECTS,
    SETTINGS,
    UPLOADS,
    VERSIONS,
    Bucket,
    Upload,
    Version,
    escape_key,
    unescape_key,
    unpack,
    unpack_document,
)
from lambent.services.s3.multipart_operations import MultipartOperations
from lambent.services.s3.names import key_bytes, key_text
from lambent.services.s3.retirement import PARTS_OF_UPLOAD
from lambent.store import removal
from lambent.store.contract import NewWork, Transaction

QUEUE: Final = "s3.housekeeping"
_PAGE: Final = 200
_LEASE_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 5.0
_STAGES: Final = ("current", "noncurrent", "uploads")
_DEFAULT_SIZE: Final = "all_storage_classes_128K"


async def plan_passes(tx: Transaction, bucket: Bucket) -> None:
    """Let the rules of a bucket's new lifecycle configuration act from the next midnight on."""
    await _enqueue(tx, _first_step(bucket), lifecycle.midnight_after(tx.now))


async def plan_restore(tx: Transaction, bucket: Bucket, key: str, version: Version) -> None:
    """Report the end of a restore, and later of the restored copy."""
    assert version.details.restored is not None
    for kind, time in zip(("Completed", "Delete"), version.details.restored, strict=True):
        step = {
            "bucket": bucket.name,
            "id": bucket.id,
            "restore": kind,
            "key": base64.b64encode(key_bytes(key)).decode(),
            "version": version.shown_id,
        }
        await _enqueue(tx, step, time)


def _first_step(bucket: Bucket) -> dict[str, Any]:
    return {"bucket": bucket.name, "id": bucket.lifecycle, "stage": _STAGES[0], "after": ""}


async def _enqueue(tx: Transaction, step: Mapping[str, Any], time: float) -> None:
    payload = json.dumps(step).encode()
    await tx.enqueue(QUEUE, [NewWork(payload, delay=max(time - tx.now, 0.0))])


class Housekeeping:
    """Takes the steps; `duty` is what runs them."""

    def __init__(self, operations: MultipartOperations) -> None:
        self._operations = operations
        platform = operations.platform
        self._ids = platform.ids
        store = platform.store
        self.duty = Duty(
            platform.clock,
            "keeping buckets by their lifecycle rules",
            lambda: store.transact(self._step),
            retry=_RETRY_SECONDS,
            woken_by=lambda: store.work_arrived(QUEUE),
        )

    async def _step(self, tx: Transaction) -> float | None:
        for item in await tx.claim(QUEUE, 1, _LEASE_SECONDS):
            step = json.loads(item.payload)
            bucket = await find_bucket(tx, step["bucket"])
            if bucket is not None and "restore" in step:
                await self._report_restore(tx, bucket, step)
            elif bucket is not None and step["id"] == bucket.lifecycle:
                await self._take(tx, bucket, step)
            await tx.settle(QUEUE, item.id, item.token)
        due = await tx.next_due(QUEUE)
        return None if due is None else max(due - tx.now, 0.0)

    async def _take(self, tx: Transaction, bucket: Bucket, step: dict[str, Any]) -> None:
        record = await tx.get(SETTINGS, bucket.key, b"lifecycle")
        document = None if record is None else unpack_document(record.value)
        work = _Pass(
            self._operations,
            tx,
            self._context(bucket, tx.now),
            bucket,
            lifecycle.enabled(document),
            (document or {}).get("TransitionDefaultMinimumObjectSize", _DEFAULT_SIZE),
        )
        stage = step["stage"]
        take = {
            "current": work.current_versions,
            "noncurrent": work.noncurrent_versions,
            "uploads": work.uploads,
        }[stage]
        after = await take(base64.b64decode(step["after"]))
        if after is not None:
            step["after"] = base64.b64encode(after).decode()
            await _enqueue(tx, step, tx.now)
        elif stage != _STAGES[-1]:
            following = _STAGES[_STAGES.index(stage) + 1]
            await _enqueue(tx, {**step, "stage": following, "after": ""}, tx.now)
        else:
            await plan_passes(tx, bucket)

    async def _report_restore(
        self, tx: Transaction, bucket: Bucket, step: Mapping[str, Any]
    ) -> None:
        raw = base64.b64decode(step["key"])
        version = await self._operations.versions.find(tx, bucket, raw, step["version"])
        if bucket.id != step["id"] or version is None:
            return
        if restores.has_come(version, step["restore"], tx.now):
            event = f"s3:ObjectRestore:{step['restore']}"
            context = self._context(bucket, tx.now)
            await self._operations.emit(tx, context, bucket, event, key_text(raw), version)

    def _context(self, bucket: Bucket, now: float) -> RequestContext:
        request_id = self._ids.hex(16).upper()
        headers = {"x-forwarded-for": PRINCIPAL}
        return RequestContext(
            bucket.account, bucket.region, request_id, now, "", PRINCIPAL, headers=headers
        )


class _Pass:
    """One page of a pass over a bucket. Each stage is given where to begin, and gives where to
    go on: None at its end."""

    def __init__(
        self,
        operations: MultipartOperations,
        tx: Transaction,
        context: RequestContext,
        bucket: Bucket,
        rules: Sequence[Rule],
        least: str,
    ) -> None:
        self._operations = operations
        self._tx = tx
        self._context = context
        self._bucket = bucket
        self._rules = rules
        self._least = least

    async def current_versions(self, start: bytes) -> bytes | None:
        tx, bucket = self._tx, self._bucket
        records = await tx.scan(OBJECTS, bucket.key, start=start, limit=_PAGE)
        for record in records:
            key, version = key_text(record.sort), unpack(Version, record.value)
            due = lifecycle.expiration(self._rules, key, version)
            if due is not None and due.time <= tx.now:
                await self._expire(record.sort, key)
                continue
            storage_class = lifecycle.transition(self._rules, key, version, tx.now, self._least)
            await self._move(key, version, storage_class)
        return records[-1].sort + b"\0" if len(records) == _PAGE else None

    async def _expire(self, raw: bytes, key: str) -> None:
        deleted = await self._operations.versions.delete(self._tx, self._bucket, raw)
        if deleted.marker is not None:
            await self._emit("LifecycleExpiration:DeleteMarkerCreated", key, deleted.marker)
        elif deleted.removed is not None:
            await self._emit("LifecycleExpiration:Delete", key, deleted.removed)

    async def noncurrent_versions(self, start: bytes) -> bytes | None:
        tx, bucket = self._tx, self._bucket
        records = await tx.scan(VERSIONS, bucket.key, start=start, limit=_PAGE)
        if not records:
            return None
        # All versions of a key are looked at together, so the last key's are read to their end.
        last = escape_key(unescape_key(records[-1].sort)[0])
        behind = last + b"\xff" * 9
        if len(records) == _PAGE:
            records += await tx.scan(
                VERSIONS, bucket.key, start=records[-1].sort + b"\0", end=behind
            )
        by_key: dict[bytes, list[Version]] = {}
        for record in records:
            raw = unescape_key(record.sort)[0]
            by_key.setdefault(raw, []).append(unpack(Version, record.value))
        for raw, others in by_key.items():
            current = await self._operations.versions.current(tx, bucket, raw)
            await self._keep(raw, others if current is None else [current, *others])
        return behind

    async def _keep(self, raw: bytes, versions: Sequence[Version]) -> None:
        key, now = key_text(raw), self._tx.now
        newest = versions[0]
        if newest.marker and len(versions) == 1:
            if lifecycle.lone_marker_goes(self._rules, key, newest, now):
                await self._remove(raw, key, newest)
            return
        for place, version in enumerate(versions[1:]):
            since = versions[place].modified
            if lifecycle.noncurrent_expired(self._rules, key, version, since, place, now):
                await self._remove(raw, key, version)
            elif not version.marker:
                await self._move(
                    key,
                    version,
                    lifecycle.noncurrent_transition(
                        self._rules, key, version, since, place, now, self._least
                    ),
                )

    async def _remove(self, raw: bytes, key: str, version: Version) -> None:
        try:
            check_unlocked(version, self._tx.now, bypass=False)
        except AwsError:
            return
        removed = await self._operations.versions.remove(self._tx, self._bucket, raw, version)
        await self._emit("LifecycleExpiration:Delete", key, removed)

    async def _move(self, key: str, version: Version, storage_class: str | None) -> None:
        if storage_class is None:
            return
        about = msgspec.structs.replace(version.details, storage_class=storage_class)
        moved = msgspec.structs.replace(version, details=about)
        await self._operations.versions.rewrite(self._tx, self._bucket, key_bytes(key), moved)
        await self._emit("LifecycleTransition", key, moved)

    async def uploads(self, start: bytes) -> bytes | None:
        tx, bucket = self._tx, self._bucket
        records = await tx.scan(UPLOADS, bucket.key, start=start, limit=_PAGE)
        for record in records:
            raw, upload_id = unescape_key(record.sort)
            upload = unpack(Upload, record.value)
            due = lifecycle.abortion(self._rules, key_text(raw), upload.initiated)
            if due is not None and due.time <= tx.now:
                await tx.delete(UPLOADS, bucket.key, record.sort)
                await removal.remove(tx, removal.Gone(PARTS_OF_UPLOAD, upload_id))
        return records[-1].sort + b"\0" if len(records) == _PAGE else None

    async def _emit(self, event: str, key: str, version: Version) -> None:
        await self._operations.emit(
            self._tx, self._context, self._bucket, f"s3:{event}", key, version
        )
