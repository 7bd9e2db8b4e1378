"""Small things that IAM's resource types share."""

from __future__ import annotations

from collections.abc import Awaitable

from lambent.core.context import Result
from lambent.core.errors import AwsError
from lambent.core.resources import ResourceRequest

NOTHING: frozenset[str] = frozenset()
GONE = "NoSuchEntityException"
"""The code of what is not there any more."""


async def or_present(request: ResourceRequest, call: Awaitable[Result]) -> None:
    """Await a creation; an earlier attempt's is as good."""
    try:
        await call
    except AwsError as error:
        if error.code != "EntityAlreadyExistsException" or not request.resumed:
            raise
