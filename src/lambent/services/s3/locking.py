"""Object lock: which versions may not be removed yet. Pure.

Source: "Locking objects with Object Lock".
"""

from __future__ import annotations

from lambent.core.errors import AwsError
from lambent.services.s3.model import Version


def protected() -> AwsError:
    """AccessDenied, for what object lock keeps."""
    return AwsError("AccessDenied", "Access Denied because object protected by object lock.", 403)


def check_unlocked(version: Version, now: float, bypass: bool) -> None:
    """AccessDenied while a legal hold or a retention period keeps the version.

    `bypass` lifts GOVERNANCE, never COMPLIANCE or a legal hold.
    """
    details = version.details
    if details.legal_hold == "ON":
        raise protected()
    if details.retention is None:
        return
    mode, until = details.retention
    if until > now and not (bypass and mode == "GOVERNANCE"):
        raise protected()


def check_retention_change(
    version: Version, new: tuple[str, float] | None, now: float, bypass: bool
) -> None:
    """AccessDenied for a change that would loosen a retention that still runs."""
    old = version.details.retention
    if old is None or old[1] <= now or (bypass and old[0] == "GOVERNANCE"):
        return
    if new is None or new[1] < old[1] or (old[0] == "COMPLIANCE" and new[0] != "COMPLIANCE"):
        raise protected()
