"""Small things that IAM's resource types share."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from typing import Any

from lambent.core.context import Result
from lambent.core.errors import AwsError
from lambent.core.resources import Properties, ResourceRequest

NOTHING: frozenset[str] = frozenset()


def document(value: Any) -> str:
    """A policy document as text; templates may give either."""
    return value if isinstance(value, str) else json.dumps(value)


async def quietly(call: Awaitable[Result]) -> None:
    """Await a removal; what is gone already is no error."""
    try:
        await call
    except AwsError as error:
        if error.code != "NoSuchEntityException":
            raise


async def or_present(request: ResourceRequest, call: Awaitable[Result]) -> None:
    """Await a creation; an earlier attempt's is as good."""
    try:
        await call
    except AwsError as error:
        if error.code != "EntityAlreadyExistsException" or not request.resumed:
            raise


def tags(request: ResourceRequest, properties: Properties) -> dict[str, str]:
    """The stack's tags and the resource's own."""
    own = {tag["Key"]: str(tag["Value"]) for tag in properties.get("Tags") or ()}
    return {**request.tags, **own}


def tag_list(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as IAM takes them."""
    return [{"Key": key, "Value": value} for key, value in values.items()]
