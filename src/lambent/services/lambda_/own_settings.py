"""What only Lambent lets a function be set to: `Metadata: Lambent:` of its resource. Pure.

Kept among the version's settings as `Lambent`, which no answer of the API shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambent.core.errors import AwsError

MEMBER = "Lambent"
_CHOICES = {"Network": ("host", "none"), "Tier": ("hot", "warm", "cold")}


def parse(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The settings that a resource's metadata holds; AwsError when one cannot be."""
    own = metadata.get("Lambent", {})
    if not isinstance(own, Mapping):
        raise AwsError("ValidationError", "Lambent under Metadata must be an object.", 400)
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


def of(settings: Mapping[str, Any]) -> dict[str, str]:
    """Those of a version."""
    return dict(settings.get(MEMBER, {}))
