"""Which secrets there are: by name or ARN, and by filters.

Source: Secrets Manager API reference, GetSecretValue and ListSecrets (Filters).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.services.secretsmanager.model import COLLECTION, Secret, decode, encode
from lambent.store.contract import Transaction

_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}\Z")


def marked() -> AwsError:
    """The secret is there, but is to be deleted."""
    return AwsError(
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.",
    )


def _partition(context: RequestContext) -> bytes:
    return f"{context.account}/{context.region}".encode()


def bare(arn: str) -> str:
    """The name in a secret's ARN, without the random suffix."""
    return _SUFFIX.sub("", arn.split(":", 6)[-1])


async def every(tx: Transaction, context: RequestContext, after: str = "") -> list[Secret]:
    """All secrets in the order of their names, expired ones too."""
    start = after.encode() + b"\x00" if after else b""
    records = await tx.scan(COLLECTION, _partition(context), start=start)
    return [decode(record.value) for record in records]


async def find(tx: Transaction, context: RequestContext, name: str) -> Secret | None:
    """The secret of a name, even when it has expired."""
    record = await tx.get(COLLECTION, _partition(context), name.encode())
    return decode(record.value) if record else None


async def get(tx: Transaction, context: RequestContext, identifier: str) -> Secret:
    """The secret of a name, ARN, or ARN without its random suffix; AwsError when there is none."""
    secret = None
    if identifier.startswith("arn:"):
        secret = await find(tx, context, bare(identifier))
        if secret is None or secret.arn != identifier:
            # An ARN without its suffix; one with a wrong suffix finds nothing.
            secret = await find(tx, context, identifier.split(":", 6)[-1])
    else:
        secret = await find(tx, context, identifier)
    if secret is None or expired(secret, tx.now):
        raise AwsError(
            "ResourceNotFoundException", "Secrets Manager can't find the specified secret."
        )
    return secret


async def live(tx: Transaction, context: RequestContext, identifier: str) -> Secret:
    """The same, unless it is to be deleted."""
    secret = await get(tx, context, identifier)
    if secret.deleted is not None:
        raise marked()
    return secret


async def save(tx: Transaction, context: RequestContext, secret: Secret) -> None:
    """Keep a secret as it is now."""
    await tx.put(COLLECTION, _partition(context), secret.name.encode(), encode(secret))


async def delete(tx: Transaction, context: RequestContext, secret: Secret) -> None:
    """Forget a secret."""
    await tx.delete(COLLECTION, _partition(context), secret.name.encode())


def expired(secret: Secret, now: float) -> bool:
    """Whether its deletion has become final."""
    return secret.purge is not None and secret.purge <= now


def matches(secret: Secret, item: Mapping[str, Any]) -> bool:
    """Whether one filter lets it through: one that begins with "!" excludes."""
    candidates = {
        "name": [secret.name],
        "description": [secret.description or ""],
        "tag-key": list(secret.tags),
        "tag-value": list(secret.tags.values()),
        "all": [secret.name, secret.description or "", *secret.tags, *secret.tags.values()],
    }.get(item.get("Key") or "all")
    if candidates is None:
        return False
    values = item.get("Values") or []
    negative = [value[1:] for value in values if value.startswith("!")]
    positive = [value for value in values if not value.startswith("!")]
    if any(candidate.startswith(value) for candidate in candidates for value in negative):
        return False
    return not positive or any(
        candidate.startswith(value) for candidate in candidates for value in positive
    )
