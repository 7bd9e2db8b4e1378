"""RestoreObject: archived objects become readable for a while."""

from __future__ import annotations

from typing import Any

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.services.s3 import reading, restores
from lambent.services.s3.access import open_bucket
from lambent.services.s3.housekeeping import plan_restore
from lambent.services.s3.names import key_bytes
from lambent.services.s3.object_operations import ObjectOperations
from lambent.store.contract import Transaction


class RestoreOperations(ObjectOperations):
    """A restore is a span of time in the version's record; nothing is copied."""

    async def restore_object(self, context: RequestContext, params: Params) -> Result:
        request = params.get("RestoreRequest") or {}

        async def restore(tx: Transaction) -> dict[str, Any]:
            bucket = await open_bucket(tx, context, params, "s3:RestoreObject")
            version = await reading.resolve(
                tx,
                self.versions,
                context,
                bucket,
                params,
                action="s3:RestoreObject",
                method="POST",
            )
            readable = not restores.is_archived(version, tx.now)
            until = restores.restored_until(version, request, tx.now)
            about = msgspec.structs.replace(version.details, restored=until)
            changed = msgspec.structs.replace(version, details=about)
            key = params["Key"]
            await self.versions.rewrite(tx, bucket, key_bytes(key), changed)
            await self.emit(tx, context, bucket, "s3:ObjectRestore:Post", key, changed)
            await plan_restore(tx, bucket, key, changed)
            return {"Status": 200 if readable else 202}

        return await self.store.transact(restore)
