"""What came late to S3's API: attribute-based access control's switch, re-encryption in place."""

from __future__ import annotations

from typing import Any

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.services.s3 import details
from lambent.services.s3.errors import access_denied, malformed_xml
from lambent.services.s3.model import Bucket, Details, Version
from lambent.services.s3.object_settings_operations import ObjectSettingsOperations
from lambent.store.contract import Transaction

_ABAC = "abac"


class AccessOperations(ObjectSettingsOperations):
    """The switch is kept and shown: identities' policies are not enforced here."""

    async def put_bucket_abac(self, context: RequestContext, params: Params) -> Result:
        status = params["AbacStatus"].get("Status")
        if status not in ("Enabled", "Disabled"):
            raise malformed_xml()
        await self._put_setting(
            context, params, "s3:PutBucketABAC", _ABAC, lambda _: {"Status": status}
        )
        return None

    async def get_bucket_abac(self, context: RequestContext, params: Params) -> Result:
        _, found = await self._read_setting(context, params, "s3:GetBucketABAC", _ABAC)
        return {"AbacStatus": found or {"Status": "Disabled"}}

    async def update_object_encryption(self, context: RequestContext, params: Params) -> Result:
        asked: dict[str, Any] = params["ObjectEncryption"].get("SSEKMS") or {}
        key = asked.get("KMSKeyArn")
        if key is None:
            raise malformed_xml()

        async def change(tx: Transaction, bucket: Bucket, version: Version) -> Details:
            if version.details.customer_key:
                # Only who holds the customer's key could read it to encrypt it anew.
                raise access_denied()
            members: Params = {
                "ServerSideEncryption": "aws:kms",
                "SSEKMSKeyId": key,
                "BucketKeyEnabled": asked.get("BucketKeyEnabled", False),
            }
            encryption = details.encryption(members, bucket)
            return msgspec.structs.replace(version.details, encryption=encryption)

        await self._rewrite(context, params, "s3:UpdateObjectEncryption", change)
        return {}
