"""Carries exports out: copies the table as it was, then writes the copy to S3.

It can be cut off anywhere and begins again: the same files get the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from hashlib import md5

import msgspec

from lambent.core.clock import Clock
from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.core.registry import Registry
from lambent.services.dynamodb.background import Jobs
from lambent.services.dynamodb.backups.copying import Copier, Origin, Put, let_go, put_into
from lambent.services.dynamodb.exports import files
from lambent.services.dynamodb.exports.model import EXPORTS, Export, decode_export, save_export
from lambent.services.dynamodb.model import decode_item, scope, stored_size
from lambent.services.dynamodb.values import Item
from lambent.store import removal
from lambent.store.contract import Record, Store, Transaction

_PAGE = 500
_FILE_BYTES = 4 * 1024 * 1024


class Exporter(Jobs):
    """The exports that one node has begun, or found unfinished."""

    def __init__(
        self, store: Store, clock: Clock, ids: Ids, registry: Registry, copier: Copier
    ) -> None:
        super().__init__(clock)
        self._store = store
        self._clock = clock
        self._ids = ids
        self._registry = registry
        self._copier = copier

    def begin(self, export: Export) -> None:
        """Begin to carry an export out."""
        self._begin(export.id, partial(self._run, export))

    async def _take_up(self) -> None:
        async def body(tx: Transaction) -> list[Export]:
            return [decode_export(record) for record in await tx.scan_all(EXPORTS)]

        for export in await self._store.transact(body):
            if not export.ended:
                self.begin(export)

    async def _run(self, export: Export) -> None:
        async def open_copy(tx: Transaction) -> Put | None:
            return put_into(tx, export.items) if await _unfinished(tx, export) else None

        origin = Origin(export.table.items, export.table.history, export.after)
        await self._copier.copy(origin, open_copy)
        try:
            ended = await self._write(export)
        except AwsError as error:
            ended = msgspec.structs.replace(
                export,
                failure=f"S3{error.code}",
                message=error.message,
                ended=self._clock.now(),
            )

        async def finish(tx: Transaction) -> None:
            if await _unfinished(tx, export):
                await save_export(tx, ended)
                await let_go(tx, export.table, export.id)
                await removal.remove(tx, removal.records(export.items))

        await self._store.transact(finish)

    async def _write(self, export: Export) -> Export:
        """Write all files to S3; the export as it is then."""
        await self._put(export, f"{export.folder}/_started", b"")
        written: list[tuple[str, bytes, int]] = []
        batch: list[Item] = []
        count = size = room = 0
        after: tuple[bytes, bytes] | None = None
        while True:
            page = partial(_page, export.items, after)
            records = await self._store.transact(page)
            for record in records:
                batch.append(decode_item(record.value))
                size += stored_size(record.value)
                room += stored_size(record.value)
            count += len(records)
            last = len(records) < _PAGE
            if batch and (last or room >= _FILE_BYTES):
                content = files.data_file(batch)
                key = files.data_key(export, len(written))
                await self._put(export, key, content)
                digest = md5(content, usedforsecurity=False).digest()
                written.append((key, digest, len(batch)))
                batch, room = [], 0
            if last:
                break
            after = (records[-1].partition, records[-1].sort)
        ended = self._clock.now()
        manifest = f"{export.folder}/manifest-summary.json"
        named = {
            f"{export.folder}/manifest-files.json": files.files_manifest(written),
            manifest: files.summary(export, ended, count, size),
        }
        for key, content in named.items():
            await self._put(export, key, content)
            md5_key = key.removesuffix(".json") + ".md5"
            await self._put(export, md5_key, files.checksum(content).encode())
        return msgspec.structs.replace(
            export, ended=ended, manifest=manifest, count=count, bytes=size
        )

    async def _put(self, export: Export, key: str, content: bytes) -> None:
        table, request = export.table, export.request
        context = RequestContext(
            account=table.account,
            region=table.region,
            request_id=self._ids.uuid(),
            now=self._clock.now(),
            endpoint="",
            principal=f"arn:aws:iam::{table.account}:root",
        )
        params = {"Bucket": request["S3Bucket"], "Key": key, "Body": content}
        await self._registry.call(context, "s3", "PutObject", params | _encryption(request))


def _encryption(request: Mapping[str, str]) -> dict[str, str]:
    if request.get("S3SseAlgorithm") != "KMS":
        return {}
    chosen = {"ServerSideEncryption": "aws:kms"}
    if request.get("S3SseKmsKeyId"):
        chosen["SSEKMSKeyId"] = request["S3SseKmsKeyId"]
    return chosen


async def _page(items: str, after: tuple[bytes, bytes] | None, tx: Transaction) -> list[Record]:
    return await tx.scan_all(items, after=after, limit=_PAGE)


async def _unfinished(tx: Transaction, export: Export) -> bool:
    where = scope(export.table.account, export.table.region)
    record = await tx.get(EXPORTS, where, export.id.encode())
    return record is not None and not decode_export(record).ended
