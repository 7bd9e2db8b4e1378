"""Restoring archived objects: how long it takes, and what is shown meanwhile. Pure.

Sources: RestoreObject reference; "Archive retrieval options": what is named here is the
typical time of each option, the least of its range.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from typing import Any, Final

from lambent.core.errors import AwsError
from lambent.services.s3.errors import invalid_argument, malformed_xml, not_implemented
from lambent.services.s3.lifecycle import DAY, midnight_after
from lambent.services.s3.model import Version

ARCHIVED: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_HOUR: Final = 3600.0
_SECONDS: Final = {
    ("GLACIER", "Expedited"): 60.0,
    ("GLACIER", "Standard"): 3 * _HOUR,
    ("GLACIER", "Bulk"): 5 * _HOUR,
    ("DEEP_ARCHIVE", "Standard"): 12 * _HOUR,
    ("DEEP_ARCHIVE", "Bulk"): 48 * _HOUR,
}


def is_archived(version: Version, now: float) -> bool:
    """Whether the version's bytes cannot be read at `now`."""
    if version.details.storage_class not in ARCHIVED:
        return False
    restored = version.details.restored
    return restored is None or not restored[0] <= now < restored[1]


def restored_until(version: Version, request: Mapping[str, Any], now: float) -> tuple[float, float]:
    """From when to when the version is readable after this request.

    InvalidObjectState for what is not archived, RestoreAlreadyInProgress, MalformedXML and
    InvalidArgument for a request that says nothing sound.
    """
    if "Type" in request or "SelectParameters" in request:
        raise not_implemented("RestoreRequest Type SELECT")
    days = request.get("Days")
    tier = request.get("Tier") or request.get("GlacierJobParameters", {}).get("Tier", "Standard")
    if days is None or tier not in ("Standard", "Bulk", "Expedited"):
        raise malformed_xml()
    if days < 1:
        raise invalid_argument("Restoration days should be at least 1", "Days", str(days))
    storage_class = version.details.storage_class
    if storage_class not in ARCHIVED:
        raise AwsError(
            "InvalidObjectState",
            "Restore is not allowed for the object's current storage class",
            403,
            {"StorageClass": storage_class},
        )
    earlier = version.details.restored
    if earlier is not None and now < earlier[0]:
        raise AwsError("RestoreAlreadyInProgress", "Object restore is already in progress", 409)
    if earlier is not None and now < earlier[1]:
        return earlier[0], midnight_after(now + days * DAY)
    seconds = _SECONDS.get((storage_class, tier))
    if seconds is None:
        raise invalid_argument(
            "Retrieval option is not supported by this storage class", "Tier", tier
        )
    return now + seconds, midnight_after(now + seconds + days * DAY)


def has_come(version: Version, event: str, now: float) -> bool:
    """Whether what was planned for now ("Completed", "Delete") still holds of the version."""
    restored = version.details.restored
    return restored is not None and restored[0 if event == "Completed" else 1] <= now


def header(version: Version, now: float) -> str | None:
    """The value of x-amz-restore; None for what is not, and is not being, restored."""
    restored = version.details.restored
    if restored is None or restored[1] <= now:
        return None
    if now < restored[0]:
        return 'ongoing-request="true"'
    return f'ongoing-request="false", expiry-date="{formatdate(restored[1], usegmt=True)}"'


def listed(version: Version, now: float) -> dict[str, Any] | None:
    """The RestoreStatus of a listing's entry."""
    restored = version.details.restored
    if restored is None or restored[1] <= now:
        return None
    if now < restored[0]:
        return {"IsRestoreInProgress": True}
    return {"IsRestoreInProgress": False, "RestoreExpiryDate": restored[1]}
