"""Block Public Access: what is shown, and what it refuses.

AWS gives every new bucket all four switches. That default is shown here too, but only
switches that someone set refuse anything, so that applications which share objects by ACL
or policy run without first unlocking each bucket.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lambent.services.s3 import acl
from lambent.services.s3.errors import access_denied
from lambent.services.s3.model import SETTINGS, Bucket, unpack_document
from lambent.store.contract import Transaction

_DEFAULT: Final = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


def public_access(document: Mapping[str, bool] | None) -> Mapping[str, bool] | None:
    """The switches as GetPublicAccessBlock shows them; None once they were deleted."""
    if document is None:
        return _DEFAULT
    return document or None


async def is_set(tx: Transaction, bucket: Bucket, switch: str) -> bool:
    """Whether someone set the switch."""
    record = await tx.get(SETTINGS, bucket.key, b"public")
    document: dict[str, Any] = {} if record is None else unpack_document(record.value)
    return bool(document.get(switch))


async def refuse_public(tx: Transaction, bucket: Bucket, switch: str) -> None:
    """AccessDenied when the switch was set."""
    if await is_set(tx, bucket, switch):
        raise access_denied()


async def check_public_acl(tx: Transaction, bucket: Bucket, grants: Sequence[acl.Grant]) -> None:
    """AccessDenied for grants to everyone where BlockPublicAcls was set."""
    if acl.is_public(grants):
        await refuse_public(tx, bucket, "BlockPublicAcls")
