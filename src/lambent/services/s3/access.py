"""Finding a bucket for a caller, and whether the caller may do what it asks.

The owner's account may do everything that the bucket's policy does not deny; others need the
policy or a grant to let them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lambent.core import policies
from lambent.core.context import Params, RequestContext
from lambent.services.s3 import acl, condition_keys, policy
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
_UNLOCKING: Final = frozenset(("s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"))
"""What the root of the owner's account can do whatever the policy says."""


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
    bucket = await expected_bucket(tx, params, name=name, expected=expected)
    await admit(tx, context, bucket, params, action)
    return bucket


async def expected_bucket(
    tx: Transaction,
    params: Params,
    *,
    name: str | None = None,
    expected: str = "ExpectedBucketOwner",
) -> Bucket:
    """The bucket of the request; NoSuchBucket, or AccessDenied when its owner is not the
    expected one."""
    wanted = params["Bucket"] if name is None else name
    bucket = await find_bucket(tx, wanted)
    if bucket is None:
        raise no_such_bucket(wanted)
    if params.get(expected, bucket.account) != bucket.account:
        raise access_denied()
    return bucket


async def admit(
    tx: Transaction, context: RequestContext, bucket: Bucket, params: Params, action: str
) -> None:
    """AccessDenied unless the caller may do `action`, as for `open_bucket`."""
    if action in _OBJECT_PERMISSIONS:
        return
    decided = await _policy_decides(tx, context, bucket, action, params.get("Key"), params)
    if bucket.account == context.account:
        root = context.principal == f"arn:aws:iam::{bucket.account}:root"
        if decided is False and not (root and action in _UNLOCKING):
            raise access_denied()
        return
    permission = _BUCKET_PERMISSIONS.get(action)
    if decided:
        return
    if (
        decided is None
        and permission is not None
        and await _grants_permit(tx, bucket, bucket.grants, context.account, permission)
    ):
        return
    raise access_denied()


async def check_object(
    tx: Transaction,
    context: RequestContext,
    bucket: Bucket,
    action: str,
    key: str,
    version: Version | None,
    params: Params,
) -> None:
    """AccessDenied unless the caller may do `action` to the object (None: there is none)."""
    account = context.account
    owner = version.details.owner if version is not None else ""
    decided = await _policy_decides(tx, context, bucket, action, key, params, version)
    if decided is False:
        raise access_denied()
    if decided or account in (bucket.account, owner):
        return
    grants = version.details.grants if version is not None else ()
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
    tx: Transaction,
    context: RequestContext,
    bucket: Bucket,
    action: str,
    key: str | None,
    params: Params,
    version: Version | None = None,
) -> bool | None:
    if not bucket.policy:
        return None
    record = await tx.get(SETTINGS, bucket.key, b"policy")
    if record is None:
        return None
    text: str = unpack_document(record.value)
    needed = policies.needed(text)
    ask = policies.Ask(
        action,
        bucket.arn if key is None else f"{bucket.arn}/{key}",
        context.account,
        context.principal,
        canonical=acl.canonical_id(context.account),
        keys=condition_keys.of_request(context, needed, bucket, params, version) if needed else {},
    )
    document = policies.parsed(text)
    decided = policies.decide(document, ask)
    foreign = context.account != bucket.account
    if decided and foreign and policy.is_public(document):
        return not await is_set(tx, bucket, "RestrictPublicBuckets")
    return decided
