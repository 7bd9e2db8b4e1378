"""What only Lambent lets a function be set to: `Metadata: Lambent:` of its resource. Pure.

Kept among the version's settings as `Lambent`, which no answer of the API shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambent.core import unknown
from lambent.core.errors import AwsError

MEMBER = "Lambent"
_CHOICES = {"Network": ("host", "none"), "Tier": ("hot", "warm", "cold")}
_KNOWN = (*_CHOICES, "Events", "Flow", "Idempotency")
"""SAM gives a function's metadata to its mappings too, so both know what either has."""


def parse(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The settings that a resource's metadata holds; AwsError when one cannot be."""
    own = section(metadata)
    chosen: dict[str, str] = {}
    for name, choices in _CHOICES.items():
        if name in own:
            if own[name] not in choices:
                raise AwsError(
                    "ValidationError",
                    f"Metadata.Lambent.{name} must be one of {', '.join(choices)}.",
                    400,
                )
            chosen[name] = own[name]
    return chosen


def section(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """What stands under `Lambent`, of a function or of a mapping; AwsError when something does
    that is known for neither."""
    own = metadata.get("Lambent", {})
    if not isinstance(own, Mapping):
        raise AwsError("ValidationError", "Lambent under Metadata must be an object.", 400)
    for name in own:
        if name not in _KNOWN:
            message = unknown.member("Metadata.Lambent", name, _KNOWN)
            raise AwsError("ValidationError", message, 400)
    return own


def of(settings: Mapping[str, Any]) -> dict[str, str]:
    """Those of a version."""
    return dict(settings.get(MEMBER, {}))
