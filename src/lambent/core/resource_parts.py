"""Small things that the resource types of many services share."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from typing import Any, ClassVar

from lambent.core.errors import AwsError
from lambent.core.resources import Created, Properties, ResourceRequest


def text(value: Any) -> str:
    """A template's scalar as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def document(value: Any) -> str:
    """A document as text; templates may give either."""
    return value if isinstance(value, str) else json.dumps(value)


def tags(request: ResourceRequest, properties: Properties) -> dict[str, str]:
    """The stack's tags and the resource's own."""
    own = {tag["Key"]: text(tag["Value"]) for tag in properties.get("Tags") or ()}
    return {**request.tags, **own}


def tag_list(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as most operations take them."""
    return [{"Key": key, "Value": value} for key, value in values.items()]


async def quietly(call: Awaitable[object], gone: str) -> None:
    """Await a removal; `gone`, the code of what is not there any more, is no error."""
    try:
        await call
    except AwsError as error:
        if error.code != gone:
            raise


class PutResource(ABC):
    """A type whose creation and update are one and the same call. Its physical id is its name,
    which the property `named` may give."""

    named: ClassVar[str]

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        return await self._put(
            request, properties.get(self.named) or request.default_name, properties
        )

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        return await self._put(request, physical_id, new)

    @abstractmethod
    async def _put(
        self, request: ResourceRequest, name: str, properties: Properties
    ) -> Created: ...
