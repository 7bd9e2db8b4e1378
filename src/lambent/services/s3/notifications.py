"""Which events a bucket reports, and whether a configuration is sound. Pure.

Source: "Configuring event notifications using object key name filtering" and the
PutBucketNotificationConfiguration reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from lambent.core.arns import Arn
from lambent.services.s3.errors import invalid_argument
from lambent.services.s3.model import Rule

_CREATED: Final = ("Put", "Post", "Copy", "CompleteMultipartUpload")
_GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "s3:ObjectCreated": _CREATED,
    "s3:ObjectRemoved": ("Delete", "DeleteMarkerCreated"),
    "s3:ObjectRestore": ("Post", "Completed", "Delete"),
    "s3:Replication": (
        "OperationFailedReplication",
        "OperationNotTracked",
        "OperationMissedThreshold",
        "OperationReplicatedAfterThreshold",
    ),
    "s3:LifecycleExpiration": ("Delete", "DeleteMarkerCreated"),
    "s3:ObjectTagging": ("Put", "Delete"),
    "s3:ObjectAnnotation": ("Put", "Delete"),
}
_SINGLE: Final = (
    "s3:ReducedRedundancyLostObject",
    "s3:LifecycleTransition",
    "s3:IntelligentTiering",
    "s3:ObjectAcl:Put",
    "s3:ObjectRetention:Put",
)
_EXPANSION: Final[Mapping[str, frozenset[str]]] = {
    **{name: frozenset([name]) for name in _SINGLE},
    **{
        f"{group}:{kind}": frozenset([f"{group}:{kind}"])
        for group, k in _GROUPS.items()
        for kind in k
    },
    **{f"{group}:*": frozenset(f"{group}:{kind}" for kind in k) for group, k in _GROUPS.items()},
}

KINDS: Final = (
    ("TopicConfigurations", "TopicArn", "sns"),
    ("QueueConfigurations", "QueueArn", "sqs"),
    ("LambdaFunctionConfigurations", "LambdaFunctionArn", "lambda"),
)


def covers(event: str, name: str) -> bool:
    """Whether a configured event ("s3:ObjectCreated:*") covers one ("s3:ObjectCreated:Put")."""
    return name in _EXPANSION.get(event, ())


def matching(rules: Iterable[Rule], event: str, key: str) -> list[Rule]:
    """The rules that report `event` of `key`."""
    return [
        rule
        for rule in rules
        if key.startswith(rule.prefix)
        and key.endswith(rule.suffix)
        and any(covers(configured, event) for configured in rule.events)
    ]


def overlap(one: Rule, other: Rule) -> bool:
    """Whether some event of some key would be reported by both."""
    first = frozenset().union(*(_EXPANSION[event] for event in one.events))
    second = frozenset().union(*(_EXPANSION[event] for event in other.events))
    if not first & second:
        return False
    prefixes = one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix)
    suffixes = one.suffix.endswith(other.suffix) or other.suffix.endswith(one.suffix)
    return prefixes and suffixes


def _filters(entry: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    found: dict[str, str] = {}
    for rule in entry.get("Filter", {}).get("Key", {}).get("FilterRules", ()):
        name = str(rule.get("Name", "")).lower()
        value = str(rule.get("Value", ""))
        if name not in ("prefix", "suffix"):
            raise invalid_argument(
                "filter rule name must be either prefix or suffix",
                "FilterRule.Name",
                rule.get("Name", ""),
            )
        if name in found:
            raise invalid_argument(
                f"Cannot specify more than one {name} rule in a filter.",
                "FilterRule.Name",
                rule["Name"],
            )
        if len(value.encode()) > 1024:
            raise invalid_argument(
                "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation",
                "FilterRule.Value",
                value,
            )
        found[name] = value
    return found.get("prefix", ""), found.get("suffix", ""), tuple(found)


def read_rules(
    configuration: Mapping[str, Any], region: str, make_id: Callable[[], str]
) -> tuple[Rule, ...]:
    """The rules of a NotificationConfiguration, checked among themselves.

    InvalidArgument for a bad ARN, an unknown event, a bad or ambiguous filter. Whether the
    destinations exist and permit is the caller's to ask.
    """
    rules: list[Rule] = []
    for member, arn_member, service in KINDS:
        for entry in configuration.get(member, ()):
            text = str(entry.get(arn_member, ""))
            try:
                arn = Arn.parse(text)
            except ValueError:
                raise invalid_argument("The ARN could not be parsed", arn_member, text) from None
            if arn.service != service:
                raise invalid_argument("The ARN is not well formed", arn_member, text)
            if arn.region != region:
                raise invalid_argument(
                    "The notification destination service region is not valid for the bucket "
                    "location constraint",
                    arn_member,
                    text,
                )
            events = tuple(str(event) for event in entry.get("Events", ()))
            for event in events:
                if event not in _EXPANSION:
                    raise invalid_argument(
                        "The event is not supported for notifications", "Event", event
                    )
            prefix, suffix, filters = _filters(entry)
            rules.append(Rule(entry.get("Id") or make_id(), text, events, prefix, suffix, filters))
    if len({rule.id for rule in rules}) != len(rules):
        raise invalid_argument("Same ID used for multiple configurations. IDs must be unique", "Id")
    for index, rule in enumerate(rules):
        if any(overlap(rule, other) for other in rules[index + 1 :]):
            raise invalid_argument(
                "Configuration is ambiguously defined. Cannot have overlapping suffixes in two "
                "rules if the prefixes are overlapping for the same event type.",
                "NotificationConfiguration",
            )
    return tuple(rules)


def as_configuration(rules: Sequence[Rule], event_bridge: bool) -> dict[str, Any]:
    """The rules as GetBucketNotificationConfiguration shows them."""
    shown: dict[str, Any] = {}
    for member, arn_member, service in KINDS:
        entries = []
        for rule in rules:
            if Arn.parse(rule.arn).service != service:
                continue
            entry: dict[str, Any] = {
                "Id": rule.id,
                arn_member: rule.arn,
                "Events": list(rule.events),
            }
            if rule.filters:
                values = {"prefix": rule.prefix, "suffix": rule.suffix}
                entry["Filter"] = {
                    "Key": {
                        "FilterRules": [
                            {"Name": name.capitalize(), "Value": values[name]}
                            for name in rule.filters
                        ]
                    }
                }
            entries.append(entry)
        if entries:
            shown[member] = entries
    if event_bridge:
        shown["EventBridgeConfiguration"] = {}
    return shown
