"""What lifecycle rules do to a version, and when. Pure.

Source: "Managing the lifecycle of objects": days count from when the object was created, or
became noncurrent, and end at the midnight (UTC) that follows; expiration goes before
transition; objects under 128 KiB are transitioned only where a rule names a size itself, or
(`varies_by_storage_class`) into archives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Final
from urllib.parse import quote

from lambent.services.s3.lifecycle_rules import prefix_of, sizes_of, tags_of
from lambent.services.s3.model import Version

DAY: Final = 86400
_LAST_DAY: Final = 253_402_214_400.0
"""9999-12-31, the last day that dates can tell."""
_SMALL: Final = 128 * 1024
_ARCHIVES: Final = ("GLACIER", "DEEP_ARCHIVE")
_LADDER: Final = (
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "INTELLIGENT_TIERING",
    "ONEZONE_IA",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
)
"""Storage classes from the dearest down: a transition never goes up."""

Rule = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Due:
    """When an action comes (seconds since the epoch), and by which rule."""

    time: float
    rule: str


def midnight_after(time: float) -> float:
    """The first midnight UTC after a time, both in seconds since the epoch; the last one that
    can be written as a date, when that would be later."""
    return min((time // DAY + 1) * DAY, _LAST_DAY)


def enabled(document: Mapping[str, Any] | None) -> list[Rule]:
    """The rules of a stored configuration that act."""
    rules = (document or {}).get("Rules", ())
    return [rule for rule in rules if rule["Status"] == "Enabled"]


def concerns(rule: Rule, key: str, version: Version) -> bool:
    """Whether the rule's filter takes a version of a key. Markers have no size and no tags."""
    if not key.startswith(prefix_of(rule)):
        return False
    tags, (more, less) = tags_of(rule), sizes_of(rule)
    if version.marker:
        return not tags and more is None and less is None
    held = version.details.tags
    if any(held.get(name) != value for name, value in tags.items()):
        return False
    return (more is None or version.size > more) and (less is None or version.size < less)


def expiration(rules: Sequence[Rule], key: str, version: Version) -> Due | None:
    """When a current version expires; None when no rule says so."""
    found: Due | None = None
    for rule in rules:
        time = _time(rule.get("Expiration", {}), version.modified)
        if time is None or not concerns(rule, key, version):
            continue
        if found is None or time < found.time:
            found = Due(time, rule["ID"])
    return found


def lone_marker_goes(rules: Sequence[Rule], key: str, marker: Version, now: float) -> bool:
    """Whether a delete marker that is all that is left of its key is to be removed."""
    for rule in rules:
        expires = rule.get("Expiration", {})
        if not concerns(rule, key, marker):
            continue
        if expires.get("ExpiredObjectDeleteMarker"):
            return True
        time = _time(expires, marker.modified)
        if time is not None and time <= now:
            return True
    return False


def noncurrent_expired(
    rules: Sequence[Rule], key: str, version: Version, since: float, newer: int, now: float
) -> bool:
    """Whether a version that is noncurrent `since` a time, with `newer` noncurrent versions
    before it, is to be removed."""
    for rule in rules:
        action = rule.get("NoncurrentVersionExpiration")
        if action is None or not concerns(rule, key, version):
            continue
        due = midnight_after(since + action.get("NoncurrentDays", 0) * DAY)
        if due <= now and newer >= action.get("NewerNoncurrentVersions", 0):
            return True
    return False


def transition(
    rules: Sequence[Rule], key: str, version: Version, now: float, least: str
) -> str | None:
    """The storage class that a current version is to move to by now; `least` is the
    configuration's TransitionDefaultMinimumObjectSize."""
    return _lowest(
        (
            entry["StorageClass"]
            for rule in rules
            if concerns(rule, key, version)
            for entry in rule.get("Transitions", ())
            if (_time(entry, version.modified) or now + 1) <= now
            and _large_enough(rule, version, entry["StorageClass"], least)
        ),
        version,
    )


def noncurrent_transition(
    rules: Sequence[Rule],
    key: str,
    version: Version,
    since: float,
    newer: int,
    now: float,
    least: str,
) -> str | None:
    """The same for a version that is noncurrent `since` a time."""
    return _lowest(
        (
            entry["StorageClass"]
            for rule in rules
            if concerns(rule, key, version)
            for entry in rule.get("NoncurrentVersionTransitions", ())
            if midnight_after(since + entry.get("NoncurrentDays", 0) * DAY) <= now
            and newer >= entry.get("NewerNoncurrentVersions", 0)
            and _large_enough(rule, version, entry["StorageClass"], least)
        ),
        version,
    )


def abortion(rules: Sequence[Rule], key: str, initiated: float) -> Due | None:
    """When an upload in parts that is not completed is given up; None when it never is."""
    found: Due | None = None
    for rule in rules:
        action = rule.get("AbortIncompleteMultipartUpload")
        if action is None or not key.startswith(prefix_of(rule)):
            continue
        time = midnight_after(initiated + action["DaysAfterInitiation"] * DAY)
        if found is None or time < found.time:
            found = Due(time, rule["ID"])
    return found


def expiration_header(due: Due | None) -> str | None:
    """The value of x-amz-expiration."""
    if due is None:
        return None
    date = formatdate(due.time, usegmt=True)
    return f'expiry-date="{date}", rule-id="{quote(due.rule, safe="")}"'


def _time(entry: Mapping[str, Any], modified: float) -> float | None:
    if "Days" in entry:
        return midnight_after(modified + entry["Days"] * DAY)
    return float(entry["Date"]) if "Date" in entry else None


def _large_enough(rule: Rule, version: Version, storage_class: str, least: str) -> bool:
    if version.size >= _SMALL or sizes_of(rule) != (None, None):
        return True
    return least == "varies_by_storage_class" and storage_class in _ARCHIVES


def _lowest(classes: Any, version: Version) -> str | None:
    place = _LADDER.index(version.details.storage_class)
    lower = [name for name in classes if _LADDER.index(name) > place]
    return max(lower, key=_LADDER.index, default=None)
