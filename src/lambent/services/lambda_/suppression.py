"""How a mapping's duplicates are suppressed: its setting, and its source without them."""

from __future__ import annotations

from typing import Any

from lambent.core.arns import Arn
from lambent.core.errors import AwsError
from lambent.events import once
from lambent.events.contract import Source
from lambent.services.lambda_.model import Mapping
from lambent.services.lambda_.names import from_arn
from lambent.services.lambda_.polling import QueuePolicy, view


def check(document: dict[str, Any]) -> dict[str, Any]:
    """The setting if it can be (empty is none); AwsError ValidationException otherwise."""
    if document:
        try:
            once.parse(document)
        except once.InvalidIdempotency as error:
            raise AwsError("ValidationException", str(error), 400) from None
    return document


def scope_of(account: str, region: str, function: str) -> str:
    """Within which keys are the same: those of all mappings of one function."""
    return f"{account}/{region}/function/{function}"


def source_of(mapping: Mapping, source: Source, policy: QueuePolicy) -> Source:
    """The mapping's source, without duplicates if the mapping says so."""
    if not mapping.idempotency or not isinstance(source, once.Rich):
        return source
    rule = once.parse(mapping.idempotency)
    reference = from_arn(Arn.parse(mapping.function))
    scope = scope_of(reference.account, reference.region, reference.name)
    return once.OnceSource(source, rule, scope, wants=policy.wants, view=view)
