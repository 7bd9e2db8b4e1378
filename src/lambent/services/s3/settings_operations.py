"""A bucket's settings: put, get, delete, with the right defaults and refusals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.s3 import acl, policy, settings
from lambent.services.s3.access import find_bucket, open_bucket
from lambent.services.s3.bucket_operations import BucketOperations, write_bucket
from lambent.services.s3.details import acl_not_supported
from lambent.services.s3.errors import invalid_request, malformed_xml
from lambent.services.s3.housekeeping import plan_passes
from lambent.services.s3.lifecycle_rules import check_lifecycle
from lambent.services.s3.model import (
    ENABLED,
    SETTINGS,
    Bucket,
    pack_document,
    unpack_document,
)
from lambent.services.s3.public_access import check_public_acl, public_access, refuse_public
from lambent.store.contract import Transaction

Change = Callable[[Transaction, Bucket], Awaitable[Bucket | None]]
_NO_OWNERSHIP: Final = "none"
_MISSING: Final = {
    "cors": ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    "lifecycle": (
        "NoSuchLifecycleConfiguration",
        "The lifecycle configuration does not exist",
    ),
    "policy": ("NoSuchBucketPolicy", "The bucket policy does not exist"),
    "tagging": ("NoSuchTagSet", "The TagSet does not exist"),
    "website": (
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration",
    ),
    "replication": (
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
    ),
}


class SettingsOperations(BucketOperations):
    """Documents lie under the bucket's id; what every request needs is in its record."""

    async def _change(
        self, context: RequestContext, params: Params, action: str, change: Change
    ) -> None:
        async def body(tx: Transaction) -> None:
            bucket = await open_bucket(tx, context, params, action)
            changed = await change(tx, bucket)
            if changed is not None:
                await write_bucket(tx, changed)

        await self.store.transact(body)

    async def _put_setting(
        self,
        context: RequestContext,
        params: Params,
        action: str,
        kind: str,
        check: Callable[[Bucket], Any],
    ) -> None:
        async def change(tx: Transaction, bucket: Bucket) -> None:
            await tx.put(SETTINGS, bucket.key, kind.encode(), pack_document(check(bucket)))

        await self._change(context, params, action, change)

    async def _delete_setting(
        self, context: RequestContext, params: Params, action: str, kind: str
    ) -> None:
        async def change(tx: Transaction, bucket: Bucket) -> None:
            await tx.delete(SETTINGS, bucket.key, kind.encode())

        await self._change(context, params, action, change)

    async def _read_setting(
        self, context: RequestContext, params: Params, action: str, kind: str
    ) -> tuple[Bucket, Any]:
        """The bucket and the setting's document, None when there is none."""

        async def read(tx: Transaction) -> tuple[Bucket, Any]:
            bucket = await open_bucket(tx, context, params, action)
            record = await tx.get(SETTINGS, bucket.key, kind.encode())
            return bucket, None if record is None else unpack_document(record.value)

        return await self.store.transact(read)

    async def _need_setting(
        self, context: RequestContext, params: Params, action: str, kind: str
    ) -> Any:
        bucket, document = await self._read_setting(context, params, action, kind)
        if document is None:
            raise settings.missing(*_MISSING[kind], bucket)
        return document

    # Tags, CORS, lifecycle, website, replication: stored as they are ----------------------

    async def put_bucket_tagging(self, context: RequestContext, params: Params) -> Result:
        document = settings.check_tagging(params["Tagging"])
        await self._put_setting(
            context, params, "s3:PutBucketTagging", "tagging", lambda _: document
        )
        return None

    async def get_bucket_tagging(self, context: RequestContext, params: Params) -> Result:
        found: dict[str, Any] = await self._need_setting(
            context, params, "s3:GetBucketTagging", "tagging"
        )
        return found

    async def delete_bucket_tagging(self, context: RequestContext, params: Params) -> Result:
        await self._delete_setting(context, params, "s3:PutBucketTagging", "tagging")
        return None

    async def put_bucket_cors(self, context: RequestContext, params: Params) -> Result:
        document = settings.check_cors(params["CORSConfiguration"])
        await self._put_setting(context, params, "s3:PutBucketCORS", "cors", lambda _: document)
        return None

    async def get_bucket_cors(self, context: RequestContext, params: Params) -> Result:
        found: dict[str, Any] = await self._need_setting(
            context, params, "s3:GetBucketCORS", "cors"
        )
        return found

    async def delete_bucket_cors(self, context: RequestContext, params: Params) -> Result:
        await self._delete_setting(context, params, "s3:PutBucketCORS", "cors")
        return None

    async def put_bucket_lifecycle_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        document = check_lifecycle(
            params.get("LifecycleConfiguration") or {}, self.platform.ids.uuid
        )
        size = params.get("TransitionDefaultMinimumObjectSize", "all_storage_classes_128K")
        document["TransitionDefaultMinimumObjectSize"] = size
        generation = self.platform.ids.hex(16)

        async def change(tx: Transaction, bucket: Bucket) -> Bucket:
            await tx.put(SETTINGS, bucket.key, b"lifecycle", pack_document(document))
            changed = msgspec.structs.replace(bucket, lifecycle=generation)
            await plan_passes(tx, changed)
            return changed

        await self._change(context, params, "s3:PutLifecycleConfiguration", change)
        return {"TransitionDefaultMinimumObjectSize": size}

    async def get_bucket_lifecycle_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        found: dict[str, Any] = await self._need_setting(
            context, params, "s3:GetLifecycleConfiguration", "lifecycle"
        )
        return found

    async def delete_bucket_lifecycle(self, context: RequestContext, params: Params) -> Result:
        async def change(tx: Transaction, bucket: Bucket) -> Bucket:
            await tx.delete(SETTINGS, bucket.key, b"lifecycle")
            return msgspec.structs.replace(bucket, lifecycle="")

        await self._change(context, params, "s3:PutLifecycleConfiguration", change)
        return None

    async def put_bucket_website(self, context: RequestContext, params: Params) -> Result:
        document = settings.check_website(params["WebsiteConfiguration"])
        await self._put_setting(
            context, params, "s3:PutBucketWebsite", "website", lambda _: document
        )
        return None

    async def get_bucket_website(self, context: RequestContext, params: Params) -> Result:
        found: dict[str, Any] = await self._need_setting(
            context, params, "s3:GetBucketWebsite", "website"
        )
        return found

    async def delete_bucket_website(self, context: RequestContext, params: Params) -> Result:
        await self._delete_setting(context, params, "s3:DeleteBucketWebsite", "website")
        return None

    async def put_bucket_replication(self, context: RequestContext, params: Params) -> Result:
        async def change(tx: Transaction, bucket: Bucket) -> None:
            document = settings.check_replication(params["ReplicationConfiguration"], bucket)
            for name in settings.replicas(document):
                replica = await find_bucket(tx, name)
                if replica is None:
                    raise invalid_request("Destination bucket must exist.")
                if replica.versioning != ENABLED:
                    raise invalid_request("Destination bucket must have versioning enabled.")
            for rule in document["Rules"]:
                rule.setdefault("ID", self.platform.ids.uuid())
            await tx.put(SETTINGS, bucket.key, b"replication", pack_document(document))

        await self._change(context, params, "s3:PutReplicationConfiguration", change)
        return None

    async def get_bucket_replication(self, context: RequestContext, params: Params) -> Result:
        found = await self._need_setting(
            context, params, "s3:GetReplicationConfiguration", "replication"
        )
        return {"ReplicationConfiguration": found}

    async def delete_bucket_replication(self, context: RequestContext, params: Params) -> Result:
        await self._delete_setting(context, params, "s3:PutReplicationConfiguration", "replication")
        return None

    # Settings with a default --------------------------------------------------------------

    async def put_bucket_accelerate_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        await self._put_setting(
            context,
            params,
            "s3:PutAccelerateConfiguration",
            "accelerate",
            lambda bucket: settings.check_accelerate(params["AccelerateConfiguration"], bucket),
        )
        return None

    async def get_bucket_accelerate_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        _, found = await self._read_setting(
            context, params, "s3:GetAccelerateConfiguration", "accelerate"
        )
        return found or {}

    async def put_bucket_request_payment(self, context: RequestContext, params: Params) -> Result:
        document = settings.check_request_payment(params["RequestPaymentConfiguration"])
        await self._put_setting(
            context, params, "s3:PutBucketRequestPayment", "payment", lambda _: document
        )
        return None

    async def get_bucket_request_payment(self, context: RequestContext, params: Params) -> Result:
        _, found = await self._read_setting(
            context, params, "s3:GetBucketRequestPayment", "payment"
        )
        return found or {"Payer": "BucketOwner"}

    async def put_bucket_logging(self, context: RequestContext, params: Params) -> Result:
        document = params["BucketLoggingStatus"]
        enabled = document.get("LoggingEnabled")

        async def change(tx: Transaction, bucket: Bucket) -> None:
            if enabled is None:
                await tx.delete(SETTINGS, bucket.key, b"logging")
                return
            if "TargetPrefix" not in enabled or "TargetBucket" not in enabled:
                raise malformed_xml()
            target = await find_bucket(tx, enabled["TargetBucket"])
            if target is None or target.account != bucket.account:
                raise AwsError(
                    "InvalidTargetBucketForLogging",
                    "The target bucket for logging does not exist",
                    400,
                    {"TargetBucket": enabled["TargetBucket"]},
                )
            await tx.put(SETTINGS, bucket.key, b"logging", pack_document(document))

        await self._change(context, params, "s3:PutBucketLogging", change)
        return None

    async def get_bucket_logging(self, context: RequestContext, params: Params) -> Result:
        _, found = await self._read_setting(context, params, "s3:GetBucketLogging", "logging")
        return found or {}

    async def put_bucket_encryption(self, context: RequestContext, params: Params) -> Result:
        method, key, bucket_key, blocked = settings.check_encryption(
            params["ServerSideEncryptionConfiguration"]
        )

        async def change(tx: Transaction, bucket: Bucket) -> Bucket:
            return msgspec.structs.replace(
                bucket,
                encryption=method,
                kms_key=key,
                bucket_key=bucket_key,
                customer_keys_blocked=blocked,
            )

        await self._change(context, params, "s3:PutEncryptionConfiguration", change)
        return None

    async def get_bucket_encryption(self, context: RequestContext, params: Params) -> Result:
        bucket, _ = await self._read_setting(context, params, "s3:GetEncryptionConfiguration", "")
        default = {"SSEAlgorithm": bucket.encryption}
        if bucket.kms_key:
            default["KMSMasterKeyID"] = bucket.kms_key
        rule: dict[str, Any] = {
            "ApplyServerSideEncryptionByDefault": default,
            "BucketKeyEnabled": bucket.bucket_key,
        }
        if bucket.customer_keys_blocked:
            rule["BlockedEncryptionTypes"] = {"EncryptionType": ["SSE-C"]}
        return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}

    async def delete_bucket_encryption(self, context: RequestContext, params: Params) -> Result:
        async def change(tx: Transaction, bucket: Bucket) -> Bucket:
            return msgspec.structs.replace(
                bucket,
                encryption="AES256",
                kms_key="",
                bucket_key=False,
                customer_keys_blocked=False,
            )

        await self._change(context, params, "s3:PutEncryptionConfiguration", change)
        return None

    # Who may what -------------------------------------------------------------------------

    async def put_bucket_policy(self, context: RequestContext, params: Params) -> Result:
        text = params["Policy"]
        document = policy.check_policy(text, params["Bucket"])

        async def change(tx: Transaction, bucket: Bucket) -> Bucket:
            if policy.is_public(document):
                await refuse_public(tx, bucket, "BlockPublicPolicy")
            await tx.put(SETTINGS, bucket.key, b"policy", pack_document(text))
            return msgspec.structs.replace(bucket, policy=True)

        await self._change(context, params, "s3:PutBucketPolicy", change)
        return None

    async def get_bucket_policy(self, context: RequestContext, params: Params) -> Result:
        return {"Policy": await self._need_setting(context, params, "s3:GetBucketPolicy", "policy")}

    async def delete_bucket_policy(self, context: RequestContext, params: Params) -> Result:
        async def change(tx: Transaction, bucket: Bucket) -> Bucket:
            await tx.delete(SETTINGS, bucket.key, b"policy")
            return msgspec.structs.replace(bucket, policy=False)

        await self._change(context, params, "s3:DeleteBucketPolicy", change)
        return None

    async def get_bucket_policy_status(self, context: RequestContext, params: Params) -> Result:
        text = await self._need_setting(context, params, "s3:GetBucketPolicyStatus", "policy")
        document = policy.check_policy(text, params["Bucket"])
        return {"PolicyStatus": {"IsPublic": policy.is_public(document)}}

    async def put_public_access_block(self, context: RequestContext, params: Params) -> Result:
        document = settings.check_public_access(params["PublicAccessBlockConfiguration"])
        await self._put_setting(
            context, params, "s3:PutBucketPublicAccessBlock", "public", lambda _: document
        )
        return None

    async def get_public_access_block(self, context: RequestContext, params: Params) -> Result:
        bucket, document = await self._read_setting(
            context, params, "s3:GetBucketPublicAccessBlock", "public"
        )
        shown = public_access(document)
        if shown is None:
            raise settings.missing(
                "NoSuchPublicAccessBlockConfiguration",
                "The public access block configuration was not found",
                bucket,
            )
        return {"PublicAccessBlockConfiguration": shown}

    async def delete_public_access_block(self, context: RequestContext, params: Params) -> Result:
        await self._put_setting(
            context, params, "s3:PutBucketPublicAccessBlock", "public", lambda _: {}
        )
        return None

    async def put_bucket_ownership_controls(
        self, context: RequestContext, params: Params
    ) -> Result:
        setting = settings.check_ownership(params["OwnershipControls"])

        async def change(tx: Transaction, bucket: Bucket) -> Bucket:
            shared = tuple(acl.private(bucket.account)) != bucket.grants
            if setting == "BucketOwnerEnforced" and shared:
                raise AwsError(
                    "InvalidBucketAclWithObjectOwnership",
                    "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced "
                    "setting",
                    400,
                )
            return msgspec.structs.replace(bucket, ownership=setting)

        await self._change(context, params, "s3:PutBucketOwnershipControls", change)
        return None

    async def get_bucket_ownership_controls(
        self, context: RequestContext, params: Params
    ) -> Result:
        bucket, _ = await self._read_setting(context, params, "s3:GetBucketOwnershipControls", "")
        if bucket.ownership == _NO_OWNERSHIP:
            raise settings.missing(
                "OwnershipControlsNotFoundError",
                "The bucket ownership controls were not found",
                bucket,
            )
        # AWS gives new buckets this rule; one that nobody asked for binds nobody here.
        setting = bucket.ownership or "BucketOwnerEnforced"
        return {"OwnershipControls": {"Rules": [{"ObjectOwnership": setting}]}}

    async def delete_bucket_ownership_controls(
        self, context: RequestContext, params: Params
    ) -> Result:
        async def change(tx: Transaction, bucket: Bucket) -> Bucket:
            return msgspec.structs.replace(bucket, ownership=_NO_OWNERSHIP)

        await self._change(context, params, "s3:PutBucketOwnershipControls", change)
        return None

    async def put_bucket_acl(self, context: RequestContext, params: Params) -> Result:
        async def change(tx: Transaction, bucket: Bucket) -> Bucket:
            grants = requested_grants(params, bucket.account, bucket)
            await check_public_acl(tx, bucket, grants)
            return msgspec.structs.replace(bucket, grants=tuple(grants))

        await self._change(context, params, "s3:PutBucketAcl", change)
        return None

    async def get_bucket_acl(self, context: RequestContext, params: Params) -> Result:
        bucket, _ = await self._read_setting(context, params, "s3:GetBucketAcl", "")
        return {
            "Owner": acl.owner(bucket.account),
            "Grants": acl.as_grants(bucket.grants, bucket.account),
        }

    # Object lock --------------------------------------------------------------------------

    async def put_object_lock_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        default = settings.check_object_lock(params.get("ObjectLockConfiguration") or {})

        async def change(tx: Transaction, bucket: Bucket) -> Bucket:
            if bucket.versioning != ENABLED:
                raise AwsError(
                    "InvalidBucketState",
                    "Versioning must be 'Enabled' on the bucket to apply a Object Lock "
                    "configuration",
                    409,
                )
            return msgspec.structs.replace(bucket, object_lock=True, default_retention=default)

        await self._change(context, params, "s3:PutBucketObjectLockConfiguration", change)
        return None

    async def get_object_lock_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        bucket, _ = await self._read_setting(
            context, params, "s3:GetBucketObjectLockConfiguration", ""
        )
        if not bucket.object_lock:
            raise settings.missing(
                "ObjectLockConfigurationNotFoundError",
                "Object Lock configuration does not exist for this bucket",
                bucket,
            )
        shown: dict[str, Any] = {"ObjectLockEnabled": "Enabled"}
        if bucket.default_retention is not None:
            mode, count, unit = bucket.default_retention
            shown["Rule"] = {"DefaultRetention": {"Mode": mode, unit: count}}
        return {"ObjectLockConfiguration": shown}


def requested_grants(params: Params, owner: str, bucket: Bucket) -> list[acl.Grant]:
    """The grants of a Put…Acl request, from headers or document."""
    asked = acl.from_headers(params, owner, bucket.account)
    document = params.get("AccessControlPolicy")
    if asked is not None and document:
        raise AwsError("UnexpectedContent", "This request does not support content", 400)
    if asked is None:
        if not document:
            raise AwsError(
                "MissingSecurityHeader",
                "Your request was missing a required header",
                400,
                {"MissingHeaderName": "x-amz-acl"},
            )
        asked = acl.from_document(document, owner)
    if bucket.ownership == "BucketOwnerEnforced" and asked != acl.private(bucket.account):
        raise acl_not_supported()
    return asked
