"""Carries imports out: reads objects from S3 and puts what they hold into the new table.

One that is cut off begins again; an item that is put twice is the same.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec

from lambent.core.clock import Clock
from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.core.registry import Registry
from lambent.core.streams import StreamingResult
from lambent.services.dynamodb import capacity, keys
from lambent.services.dynamodb.background import Jobs
from lambent.services.dynamodb.changes import Stored, apply_change, read_item
from lambent.services.dynamodb.duties import Duties
from lambent.services.dynamodb.imports.formats import from_csv, from_json
from lambent.services.dynamodb.imports.model import (
    IMPORTS,
    Import,
    decode_import,
    save_import,
)
from lambent.services.dynamodb.model import Table, find_table, save_table, scope
from lambent.services.dynamodb.statistics import Statistics
from lambent.services.dynamodb.values import MAX_ITEM, Item, item_size
from lambent.store.contract import Store, Transaction

_BATCH = 100


class Importer(Jobs):
    """The imports that one node has begun, or found unfinished."""

    def __init__(
        self, store: Store, clock: Clock, ids: Ids, registry: Registry, duties: Duties
    ) -> None:
        super().__init__(clock)
        self._store = store
        self._clock = clock
        self._ids = ids
        self._registry = registry
        self._duties = duties

    def begin(self, job: Import) -> None:
        """Begin to carry an import out."""
        self._begin(job.id, partial(self._run, job))

    async def _take_up(self) -> None:
        async def body(tx: Transaction) -> list[Import]:
            return [decode_import(record) for record in await tx.scan_all(IMPORTS)]

        for job in await self._store.transact(body):
            if not job.ended:
                self.begin(job)

    async def _run(self, job: Import) -> None:
        table = await self._store.transact(partial(_importing, job))
        if table is None:
            return
        try:
            job = await self._read_all(job, table)
        except AwsError as error:
            job = msgspec.structs.replace(job, failure=f"S3{error.code}", message=error.message)
        job = msgspec.structs.replace(job, ended=self._clock.now())
        await self._duties.recount(table)

        async def finish(tx: Transaction) -> None:
            present = await _importing(job, tx)
            if present is not None:
                await save_table(tx, msgspec.structs.replace(present, importing=False))
                await save_import(tx, job)

        await self._store.transact(finish)

    async def _read_all(self, job: Import, table: Table) -> Import:
        source = job.request["S3BucketSource"]
        listing = {"Bucket": source["S3Bucket"], "Prefix": source.get("S3KeyPrefix") or ""}
        while True:
            page: dict[str, Any] = await self._call(job, "ListObjectsV2", listing)
            for entry in page.get("Contents") or ():
                job = await self._read_one(job, table, source["S3Bucket"], entry["Key"])
            if not page.get("IsTruncated"):
                return job
            listing["ContinuationToken"] = page["NextContinuationToken"]

    async def _read_one(self, job: Import, table: Table, bucket: str, key: str) -> Import:
        answer = await self._call(job, "GetObject", {"Bucket": bucket, "Key": key})
        body = answer["Body"]
        if isinstance(body, StreamingResult):
            body = b"".join([chunk async for chunk in body.chunks])
        size = len(body)
        try:
            if job.request.get("InputCompressionType") == "GZIP":
                body = gzip.decompress(body)
            text = body.decode()
        except (OSError, EOFError, zlib.error, UnicodeDecodeError):
            # Not of the form that was promised: an error, as a line would be.
            return msgspec.structs.replace(
                job, errors=job.errors + 1, processed=job.processed + 1, bytes=job.bytes + size
            )
        read = stored = 0
        batch: list[Item] = []
        for item in _items(job, table, text):
            read += 1
            if item is not None and _fits(table, item):
                batch.append(item)
            if len(batch) == _BATCH:
                stored += await self._put(job, batch)
                batch = []
        stored += await self._put(job, batch)
        return msgspec.structs.replace(
            job,
            processed=job.processed + read,
            imported=job.imported + stored,
            errors=job.errors + read - stored,
            bytes=job.bytes + size,
        )

    async def _put(self, job: Import, items: list[Item]) -> int:
        async def body(tx: Transaction) -> int:
            table = await _importing(job, tx)
            if table is None:
                return 0
            statistics, meter = Statistics(), capacity.Meter(table)
            for item in items:
                key = keys.store_key(table.key, item)
                present = await read_item(tx, table, key)
                new = Stored(item, item_size(item))
                await apply_change(tx, table, key, present, new, statistics, meter)
            return len(items)

        return await self._store.transact(body)

    async def _call(self, job: Import, name: str, params: dict[str, Any]) -> dict[str, Any]:
        context = RequestContext(
            account=job.account,
            region=job.region,
            request_id=self._ids.uuid(),
            now=self._clock.now(),
            endpoint="",
            principal=f"arn:aws:iam::{job.account}:root",
        )
        return await self._registry.call(context, "s3", name, params)


def _items(job: Import, table: Table, text: str) -> Iterator[Item | None]:
    if job.request["InputFormat"] != "CSV":
        return from_json(text)
    options = (job.request.get("InputFormatOptions") or {}).get("Csv") or {}
    delimiter = options.get("Delimiter") or ","
    return from_csv(text, dict(table.attributes), delimiter, options.get("HeaderList"))


def _fits(table: Table, item: Item) -> bool:
    try:
        keys.check_item(table, item)
    except AwsError:
        return False
    return item_size(item) <= MAX_ITEM


async def _importing(job: Import, tx: Transaction) -> Table | None:
    """The table that is imported into; None when it is gone or has all it will have."""
    record = await tx.get(IMPORTS, scope(job.account, job.region), job.id.encode())
    if record is None or decode_import(record).ended:
        return None
    table = await find_table(tx, job.account, job.region, job.table)
    return table if table is not None and table.id == job.table_id else None
