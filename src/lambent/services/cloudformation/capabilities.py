"""What a template needs the caller to acknowledge. Pure.

Source: AWS CloudFormation API Reference, CreateStack, "Capabilities".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lambent.core.errors import AwsError

_NAMES = {
    "AWS::IAM::AccessKey": None,
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": None,
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::UserToGroupAddition": None,
}
IAM, NAMED_IAM, AUTO_EXPAND = "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"


def iam_types(resources: Mapping[str, Any]) -> list[str]:
    """The IAM resource types that a template has, in order of first use."""
    return list(dict.fromkeys(one["Type"] for one in resources.values() if one["Type"] in _NAMES))


def required(resources: Mapping[str, Any], transforms: Iterable[str] = ()) -> list[str]:
    """The capabilities that the template needs."""
    needed: list[str] = []
    named = False
    for resource in resources.values():
        if resource["Type"] in _NAMES:
            name = _NAMES[resource["Type"]]
            named |= name is not None and name in (resource.get("Properties") or {})
            needed = [NAMED_IAM if named else IAM]
    if any(True for _ in transforms):
        needed.append(AUTO_EXPAND)
    return needed


def check(needed: Iterable[str], given: Iterable[str]) -> None:
    """AwsError InsufficientCapabilitiesException when some are not acknowledged."""
    held = set(given)
    if NAMED_IAM in held:
        held.add(IAM)
    if lacking := [one for one in needed if one not in held]:
        raise AwsError(
            "InsufficientCapabilitiesException",
            f"Requires capabilities : [{', '.join(lacking)}]",
            400,
        )
