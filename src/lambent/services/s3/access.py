"""Finding a bucket for a caller, and whether the caller may do what it asks.

The owner's account may do everything here; others need a bucket policy or a grant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lambent.core import resource_policy
from lambent.core.context import Params, RequestContext
from lambent.services.s3 import acl, policy
from lambent.services.s3.errors import access_denied, no_such_bucket
from lambent.services.s3.model import (
    BUCKETS,
    SETTINGS,
    Bucket,
    Version,
    unpack,
    unpack_document,
)
from lambent.services.s3.public_access import is_set
from lambent.store.contract import Transaction

_BUCKET_PERMISSIONS: Final = {
    "s3:ListBucket": "READ",
    "s3:ListBucketVersions": "READ",
    "s3:ListBucketMultipartUploads": "READ",
    "s3:PutObject": "WRITE",
    "s3:DeleteObject": "WRITE",
    "s3:GetBucketAcl": "READ_ACP",
    "s3:PutBucketAcl": "WRITE_ACP",
}
_OBJECT_PERMISSIONS: Final = {
    "s3:GetObject": "READ",
    "s3:GetObjectAcl": "READ_ACP",
    "s3:PutObjectAcl": "WRITE_ACP",
}


async def find_bucket(tx: Transaction, name: str) -> Bucket | None:
    """The bucket of that name, whoever owns it."""
    record = await tx.get(BUCKETS, name.encode("utf-8", "surrogatepass"))
    return None if record is None else unpack(Bucket, record.value)


async def open_bucket(
    tx: Transaction,
    context: RequestContext,
    params: Params,
    action: str,
    *,
    name: str | None = None,
    expected: str = "ExpectedBucketOwner",
) -> Bucket:
    """The bucket of the request, for `action` ("s3:ListBucket").

    NoSuchBucket; AccessDenied when the caller may not, or the owner is not the expected
    one. Actions on objects that a grant of the object decides pass here: see `check_object`.
    """
    wanted = params["Bucket"] if name is None else name
    bucket = await find_bucket(tx, wanted)
    if bucket is None:
        raise no_such_bucket(wanted)
    if params.get(expected, bucket.account) != bucket.account:
        raise access_denied()
    if bucket.account == context.account or action in _OBJECT_PERMISSIONS:
        return bucket
    decided = await _policy_decides(tx, context, bucket, action, params.get("Key"))
    permission = _BUCKET_PERMISSIONS.get(action)
    if decided:
        return bucket
    if (
        decided is None
        and permission is not None
        and await _grants_permit(tx, bucket, bucket.grants, context.account, permission)
    ):
        return bucket
    raise access_denied()


async def check_object(
    tx: Transaction,
    context: RequestContext,
    bucket: Bucket,
    action: str,
    key: str,
    version: Version | None,
) -> None:
    """AccessDenied unless the caller may do `action` to the object (None: there is none)."""
    account = context.account
    owner = version.details.owner if version is not None else ""
    if account in (bucket.account, owner):
        return
    grants = version.details.grants if version is not None else ()
    decided = await _policy_decides(tx, context, bucket, action, key)
    if decided:
        return
    if decided is False:
        raise access_denied()
    permission = _OBJECT_PERMISSIONS.get(action, "FULL_CONTROL")
    if await _grants_permit(tx, bucket, grants, account, permission):
        return
    if version is None and await _grants_permit(tx, bucket, bucket.grants, account, "READ"):
        return
    raise access_denied()


async def _grants_permit(
    tx: Transaction,
    bucket: Bucket,
    grants: Sequence[acl.Grant],
    account: str,
    permission: str,
) -> bool:
    if not acl.permits(grants, account, permission):
        return False
    own = [grant for grant in grants if grant[0].startswith("id:")]
    return acl.permits(own, account, permission) or not await is_set(tx, bucket, "IgnorePublicAcls")


async def _policy_decides(
    tx: Transaction, context: RequestContext, bucket: Bucket, action: str, key: str | None
) -> bool | None:
    if not bucket.policy:
        return None
    record = await tx.get(SETTINGS, bucket.key, b"policy")
    if record is None:
        return None
    arn = bucket.arn if key is None else f"{bucket.arn}/{key}"
    document = policy.check_policy(unpack_document(record.value), bucket.name)
    decided = resource_policy.decide(document, context.account, context.principal, action, arn)
    if decided and policy.is_public(document) and await is_set(tx, bucket, "RestrictPublicBuckets"):
        return False
    return decided
