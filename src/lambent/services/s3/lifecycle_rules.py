"""What a lifecycle configuration must look like. Pure.

Source: PutBucketLifecycleConfiguration reference; "Lifecycle configuration elements".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from lambent.services.s3.errors import invalid_argument, invalid_request, malformed_xml

_ACTIONS: Final = (
    "Expiration",
    "Transitions",
    "NoncurrentVersionExpiration",
    "NoncurrentVersionTransitions",
    "AbortIncompleteMultipartUpload",
)
_CLASSES: Final = frozenset(
    {
        "GLACIER",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    }
)
_SINGLE: Final = ("Prefix", "Tag", "And", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
_DAY: Final = 86400

Rule = Mapping[str, Any]


def check_lifecycle(document: Mapping[str, Any], make_id: Callable[[], str]) -> dict[str, Any]:
    """Lifecycle rules as they are stored; a rule without an id gets one."""
    rules = [dict(rule) for rule in document.get("Rules", ())]
    if not 1 <= len(rules) <= 1000:
        raise malformed_xml()
    for rule in rules:
        if rule.get("Status") not in ("Enabled", "Disabled"):
            raise malformed_xml()
        if ("Filter" in rule) == ("Prefix" in rule):
            raise malformed_xml()
        if len(rule.get("ID", "")) > 255:
            raise invalid_argument("ID length should not exceed allowed limit of 255", "ID")
        _check_filter(rule.get("Filter", {}))
        if not any(rule.get(action) for action in _ACTIONS):
            raise invalid_request("At least one action needs to be specified in a rule")
        _check_expiration(rule)
        _check_transitions(rule)
        _check_noncurrent(rule)
        _check_abort(rule)
        rule["ID"] = rule.get("ID") or make_id()
    if len({rule["ID"] for rule in rules}) != len(rules):
        raise invalid_argument("Rule ID must be unique. Found same ID for more than one rule", "ID")
    return {"Rules": rules}


def prefix_of(rule: Rule) -> str:
    """The prefix of the keys that a rule is for."""
    filters = rule.get("Filter", {})
    found = filters.get("Prefix", filters.get("And", {}).get("Prefix", rule.get("Prefix")))
    return str(found or "")


def tags_of(rule: Rule) -> dict[str, str]:
    """The tags that a rule's objects have."""
    filters = rule.get("Filter", {})
    listed = [filters["Tag"]] if "Tag" in filters else filters.get("And", {}).get("Tags", ())
    return {tag.get("Key", ""): tag.get("Value", "") for tag in listed}


def sizes_of(rule: Rule) -> tuple[int | None, int | None]:
    """The bytes that a rule's objects have more of, and fewer of."""
    filters = rule.get("Filter", {})
    both = {**filters.get("And", {}), **filters}
    return both.get("ObjectSizeGreaterThan"), both.get("ObjectSizeLessThan")


def _check_filter(filters: Mapping[str, Any]) -> None:
    if sum(name in filters for name in _SINGLE) > 1:
        raise malformed_xml()
    several = filters.get("And")
    if several is not None:
        tags = several.get("Tags", ())
        if len(tags) + sum(name in several for name in _SINGLE) < 2:
            raise malformed_xml()
        if len({tag.get("Key") for tag in tags}) != len(tags):
            raise invalid_request("Duplicate Tag Keys are not allowed.")
    more, less = sizes_of({"Filter": filters})
    if more is not None and less is not None and less <= more:
        raise invalid_request(
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'."
        )


def _check_expiration(rule: Rule) -> None:
    expiration = rule.get("Expiration")
    if expiration is None:
        return
    named = [n for n in ("Days", "Date", "ExpiredObjectDeleteMarker") if n in expiration]
    if len(named) != 1:
        raise malformed_xml()
    _check_positive(expiration, "Days", "Expiration")
    _check_date(expiration)
    if "ExpiredObjectDeleteMarker" in expiration and tags_of(rule):
        raise invalid_request("ExpiredObjectDeleteMarker cannot be specified with Tags.")


def _check_transitions(rule: Rule) -> None:
    transitions: Sequence[Rule] = rule.get("Transitions", ())
    for transition in transitions:
        if transition.get("StorageClass") not in _CLASSES:
            raise malformed_xml()
        if "Date" in transition and "Days" in transition:
            raise malformed_xml()
        _check_date(transition)
        if "Days" in transition:
            _check_transition_days(transition["Days"], transition["StorageClass"])
    if len({transition["StorageClass"] for transition in transitions}) != len(transitions):
        raise invalid_request(
            "'StorageClass' must be different for 'Transition' actions in same 'Rule' with "
            f"prefix '{prefix_of(rule)}'"
        )
    dated = [*transitions, *([rule["Expiration"]] if "Expiration" in rule else [])]
    if any("Date" in entry for entry in dated) and any("Days" in entry for entry in dated):
        raise invalid_request(
            "Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle "
            f"rule for prefix '{prefix_of(rule)}'"
        )
    for unit in ("Days", "Date"):
        end = rule.get("Expiration", {}).get(unit)
        if end is not None and any(entry.get(unit, 0) >= end for entry in transitions):
            raise invalid_argument(
                f"'{unit}' in the Expiration action for filter '(prefix={prefix_of(rule)})' must "
                f"be greater than '{unit}' in the Transition action",
                unit,
            )


def _check_transition_days(days: int, storage_class: str) -> None:
    least = 30 if storage_class in ("STANDARD_IA", "ONEZONE_IA") else 0
    if days < 0:
        raise invalid_argument(
            "'Days' in Transition action must be greater than or equal to 0", "Days", str(days)
        )
    if days < least:
        raise invalid_argument(
            f"'Days' in Transition action must be greater than or equal to {least} for "
            f"storageClass '{storage_class}'",
            "Days",
            str(days),
        )


def _check_noncurrent(rule: Rule) -> None:
    expiration = rule.get("NoncurrentVersionExpiration", {})
    _check_positive(expiration, "NoncurrentDays", "NoncurrentVersionExpiration")
    transitions = rule.get("NoncurrentVersionTransitions", ())
    for transition in transitions:
        if transition.get("StorageClass") not in _CLASSES:
            raise malformed_xml()
    for entry in (expiration, *transitions):
        kept = entry.get("NewerNoncurrentVersions")
        if kept is not None and not 1 <= kept <= 100:
            raise invalid_argument(
                "'NewerNoncurrentVersions' must be an integer between 1 and 100",
                "NewerNoncurrentVersions",
                str(kept),
            )


def _check_abort(rule: Rule) -> None:
    abort = rule.get("AbortIncompleteMultipartUpload")
    if abort is None:
        return
    if "DaysAfterInitiation" not in abort:
        raise malformed_xml()
    _check_positive(abort, "DaysAfterInitiation", "AbortIncompleteMultipartUpload")
    if tags_of(rule):
        raise invalid_request("AbortIncompleteMultipartUpload cannot be specified with Tags.")


def _check_positive(entry: Rule, name: str, action: str) -> None:
    if name in entry and entry[name] <= 0:
        raise invalid_argument(
            f"'{name}' for {action} action must be a positive integer", name, str(entry[name])
        )


def _check_date(entry: Rule) -> None:
    if "Date" in entry and float(entry["Date"]) % _DAY:
        raise invalid_argument("'Date' must be at midnight GMT", "Date")
