"""Which stacks may be made and changed. Pure; messages are CloudFormation's."""

from __future__ import annotations

import re

from lambent.services.cloudformation.model import Definition, Stack
from lambent.services.cloudformation.template import invalid

_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]*")
_UPDATABLE = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_FAILED",
        "CREATE_FAILED",
        "IMPORT_COMPLETE",
    }
)


def check_name(name: str) -> None:
    """AwsError ValidationError for what can be no stack's name."""
    if not _NAME.fullmatch(name):
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )
    if len(name) > 128:
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy "
            "constraint: Member must have length less than or equal to 128"
        )


def check_updatable(stack: Stack) -> None:
    """AwsError ValidationError for a stack that is busy or beyond repair."""
    if stack.status not in _UPDATABLE:
        raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def check_types(previous: Definition, new: Definition) -> None:
    """AwsError ValidationError when a resource would become one of another type."""
    before = previous.processed.get("Resources") or {}
    moved = [
        name
        for name, resource in new.processed["Resources"].items()
        if name in before and before[name]["Type"] != resource["Type"]
    ]
    if moved:
        raise invalid(
            "Update of resource type is not permitted. The new template modifies resource type "
            f"of the following resources: [{', '.join(moved)}]"
        )
