"""Where a template says what a mapping's flow control is, or what makes a duplicate. Plain
functions.

Under `Metadata: Lambent: Flow:` (or `Idempotency:`) of the AWS::Lambda::EventSourceMapping. SAM
gives the mappings of an AWS::Serverless::Function the function's own Metadata and names them by
the function and the event, so there `Metadata: Lambent: Events: EVENT: Flow:` of the function is
for one event, and `Metadata: Lambent: Flow:` for all that say nothing of their own, and for the
function's asynchronous invocations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambent.core import unknown
from lambent.core.errors import AwsError
from lambent.events import once
from lambent.events.flow import settings
from lambent.services.lambda_ import own_settings

_OF_AN_EVENT = ("Flow", "Idempotency")


def document(logical_id: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the mapping with that logical id; AwsError when they cannot be."""
    return _checked(_named(logical_id, metadata, "Flow"))


def of_function(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a function's asynchronous invocations; AwsError when they cannot be."""
    return _checked(_section(own_settings.section(metadata), "Flow"))


def idempotency(logical_id: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a duplicate for that mapping; AwsError when it cannot be."""
    found = _named(logical_id, metadata, "Idempotency")
    try:
        if found:
            once.parse(found)
    except once.InvalidIdempotency as error:
        raise AwsError("ValidationError", f"Metadata.Lambent.{error}", 400) from None
    return found


def _checked(flow: dict[str, Any]) -> dict[str, Any]:
    try:
        settings.parse(flow)
    except settings.InvalidFlow as error:
        raise AwsError("ValidationError", f"Metadata.Lambent.{error}", 400) from None
    return flow


def _named(logical_id: str, metadata: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What the template says under a name for the mapping; empty when nothing."""
    own = own_settings.section(metadata)
    events = _section(own, "Events")
    # The longest name: an event may be called as another one ends.
    named = max((event for event in events if logical_id.endswith(event)), key=len, default="")
    chosen = _section(events, named) if named else {}
    for one in chosen:
        if one not in _OF_AN_EVENT:
            message = unknown.member(f"Metadata.Lambent.Events.{named}", one, _OF_AN_EVENT)
            raise AwsError("ValidationError", message, 400)
    return _section(chosen if name in chosen else own, name)


def _section(within: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = within.get(name, {})
    if not isinstance(section, Mapping):
        raise AwsError("ValidationError", f"{name} under Metadata must be an object.", 400)
    return dict(section)
