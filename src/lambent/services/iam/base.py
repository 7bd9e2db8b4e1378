"""What all of IAM's operations share: running in a transaction, tags, pages."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from lambent.core.context import Params
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.services.iam.errors import invalid, limit
from lambent.services.iam.model import Entity
from lambent.store.contract import Store, Transaction

T = TypeVar("T")

_PAGE = 100
_TAGS = 50


class Base:
    """The store and the ids that the operations work with."""

    def __init__(self, store: Store, ids: Ids) -> None:
        self.store = store
        self.ids = ids

    async def transact(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `body` in a transaction."""
        return await self.store.transact(body)


def tag_map(params: Params) -> dict[str, str]:
    """The request's Tags; AwsError when a key comes twice."""
    found: dict[str, str] = {}
    for tag in params.get("Tags") or []:
        if tag["Key"].lower() in {key.lower() for key in found}:
            raise AwsError(
                "InvalidInputException",
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            )
        found[tag["Key"]] = tag["Value"]
    return found


def set_tags(entity: Entity, tags: dict[str, str]) -> None:
    """Add or change tags; AwsError LimitExceeded beyond 50."""
    merged = {**entity.tags, **tags}
    if len(merged) > _TAGS:
        raise limit(f"The number of tags has reached the maximum limit of {_TAGS}.")
    entity.tags = merged


def page(member: str, items: Iterable[Any], params: Params) -> dict[str, Any]:
    """One page of a list: `member`, IsTruncated and, when there is more, Marker."""
    every = list(items)
    start = 0
    if marker := params.get("Marker"):
        try:
            start = int(base64.urlsafe_b64decode(marker.encode()).decode())
        except ValueError:
            raise invalid("Invalid Marker.") from None
    end = start + (params.get("MaxItems") or _PAGE)
    more = end < len(every)
    shown: dict[str, Any] = {member: every[start:end], "IsTruncated": more}
    if more:
        shown["Marker"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return shown
