"""What hangs on an object beside its bytes: tags, grants, retention and legal hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.s3 import acl, details, reading
from lambent.services.s3.access import open_bucket
from lambent.services.s3.errors import invalid_request, malformed_xml
from lambent.services.s3.locking import check_retention_change
from lambent.services.s3.model import Bucket, Details, Version
from lambent.services.s3.named_settings_operations import NamedSettingsOperations
from lambent.services.s3.names import key_bytes
from lambent.services.s3.public_access import check_public_acl
from lambent.services.s3.settings_operations import requested_grants
from lambent.services.s3.tagging import OBJECT_TAGS, as_tag_set, tag_set
from lambent.store.contract import Transaction

Change = Callable[[Transaction, Bucket, Version], Awaitable[Details]]


class ObjectSettingsOperations(NamedSettingsOperations):
    """Each changes one version's record in its place."""

    async def _rewrite(
        self,
        context: RequestContext,
        params: Params,
        action: str,
        change: Change,
        event: str | None = None,
    ) -> dict[str, Any]:
        async def body(tx: Transaction) -> dict[str, Any]:
            bucket = await open_bucket(tx, context, params, action)
            version = await reading.resolve(
                tx, self.versions, context, bucket, params, action=action, method="PUT"
            )
            about = await change(tx, bucket, version)
            changed = msgspec.structs.replace(version, details=about)
            await self.versions.rewrite(tx, bucket, key_bytes(params["Key"]), changed)
            if event is not None:
                await self.emit(tx, context, bucket, event, params["Key"], changed)
            return {"VersionId": changed.shown_id} if bucket.versioning else {}

        return await self.store.transact(body)

    async def _version(
        self, context: RequestContext, params: Params, action: str
    ) -> tuple[Bucket, Version]:
        async def read(tx: Transaction) -> tuple[Bucket, Version]:
            bucket = await open_bucket(tx, context, params, action)
            version = await reading.resolve(
                tx, self.versions, context, bucket, params, action=action
            )
            return bucket, version

        return await self.store.transact(read)

    async def put_object_tagging(self, context: RequestContext, params: Params) -> Result:
        tags = tag_set(params["Tagging"], OBJECT_TAGS)

        async def change(tx: Transaction, bucket: Bucket, version: Version) -> Details:
            return msgspec.structs.replace(version.details, tags=tags)

        return await self._rewrite(
            context, params, "s3:PutObjectTagging", change, "s3:ObjectTagging:Put"
        )

    async def get_object_tagging(self, context: RequestContext, params: Params) -> Result:
        bucket, version = await self._version(context, params, "s3:GetObjectTagging")
        result: dict[str, Any] = {"TagSet": as_tag_set(version.details.tags)}
        if bucket.versioning:
            result["VersionId"] = version.shown_id
        return result

    async def delete_object_tagging(self, context: RequestContext, params: Params) -> Result:
        async def change(tx: Transaction, bucket: Bucket, version: Version) -> Details:
            return msgspec.structs.replace(version.details, tags={})

        return await self._rewrite(
            context, params, "s3:DeleteObjectTagging", change, "s3:ObjectTagging:Delete"
        )

    async def put_object_acl(self, context: RequestContext, params: Params) -> Result:
        async def change(tx: Transaction, bucket: Bucket, version: Version) -> Details:
            owner = version.details.owner
            grants = requested_grants(params, owner, bucket)
            await check_public_acl(tx, bucket, grants)
            return msgspec.structs.replace(version.details, grants=tuple(grants))

        await self._rewrite(context, params, "s3:PutObjectAcl", change, "s3:ObjectAcl:Put")
        return None

    async def get_object_acl(self, context: RequestContext, params: Params) -> Result:
        _, version = await self._version(context, params, "s3:GetObjectAcl")
        return {
            "Owner": acl.owner(version.details.owner),
            "Grants": acl.as_grants(version.details.grants, version.details.owner),
        }

    async def put_object_retention(self, context: RequestContext, params: Params) -> Result:
        document = params.get("Retention") or {}
        mode, until = document.get("Mode"), document.get("RetainUntilDate")
        if (mode is None) != (until is None):
            raise malformed_xml()
        bypass = bool(params.get("BypassGovernanceRetention"))

        async def change(tx: Transaction, bucket: Bucket, version: Version) -> Details:
            _need_lock(bucket)
            wanted: tuple[str, float] | None = None
            if mode is not None and until is not None:
                if mode not in ("GOVERNANCE", "COMPLIANCE"):
                    raise malformed_xml()
                details.check_retention(mode, float(until), tx.now)
                wanted = (mode, float(until))
            check_retention_change(version, wanted, tx.now, bypass)
            return msgspec.structs.replace(version.details, retention=wanted)

        await self._rewrite(
            context, params, "s3:PutObjectRetention", change, "s3:ObjectRetention:Put"
        )
        return None

    async def get_object_retention(self, context: RequestContext, params: Params) -> Result:
        bucket, version = await self._version(context, params, "s3:GetObjectRetention")
        _need_lock(bucket)
        if version.details.retention is None:
            raise _no_lock()
        mode, until = version.details.retention
        return {"Retention": {"Mode": mode, "RetainUntilDate": until}}

    async def put_object_legal_hold(self, context: RequestContext, params: Params) -> Result:
        status = (params.get("LegalHold") or {}).get("Status")
        if status not in ("ON", "OFF"):
            raise malformed_xml()

        async def change(tx: Transaction, bucket: Bucket, version: Version) -> Details:
            _need_lock(bucket)
            return msgspec.structs.replace(version.details, legal_hold=status)

        await self._rewrite(context, params, "s3:PutObjectLegalHold", change)
        return None

    async def get_object_legal_hold(self, context: RequestContext, params: Params) -> Result:
        bucket, version = await self._version(context, params, "s3:GetObjectLegalHold")
        _need_lock(bucket)
        if not version.details.legal_hold:
            raise _no_lock()
        return {"LegalHold": {"Status": version.details.legal_hold}}


def _need_lock(bucket: Bucket) -> None:
    if not bucket.object_lock:
        raise invalid_request("Bucket is missing Object Lock Configuration")


def _no_lock() -> AwsError:
    return AwsError(
        "NoSuchObjectLockConfiguration",
        "The specified object does not have a ObjectLock configuration",
        404,
    )
