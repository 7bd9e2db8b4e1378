"""Where a template says what a mapping's flow control is. Plain functions.

Under `Metadata: Lambent: Flow:` of the AWS::Lambda::EventSourceMapping. SAM gives the mappings
of an AWS::Serverless::Function the function's own Metadata and names them by the function and
the event, so there `Metadata: Lambent: Events: EVENT: Flow:` of the function is for one event,
and `Metadata: Lambent: Flow:` for all that say nothing of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambent.core.errors import AwsError
from lambent.events.flow import settings


def document(logical_id: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the mapping with that logical id; AwsError when they cannot be."""
    own = _section(metadata, "Lambent")
    events = _section(own, "Events")
    # The longest name: an event may be called as another one ends.
    named = max((name for name in events if logical_id.endswith(name)), key=len, default="")
    chosen = _section(events, named) if named else {}
    flow = _section(chosen if "Flow" in chosen else own, "Flow")
    try:
        settings.parse(flow)
    except settings.InvalidFlow as error:
        raise AwsError("ValidationError", f"Metadata.Lambent.{error}", 400) from None
    return flow


def _section(within: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = within.get(name, {})
    if not isinstance(section, Mapping):
        raise AwsError("ValidationError", f"{name} under Metadata must be an object.", 400)
    return dict(section)
