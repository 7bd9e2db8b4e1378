"""Stack policies: which resources an update may touch. Pure.

Source: AWS CloudFormation User Guide, "Prevent updates to stack resources". What no statement
allows is denied; a denial outweighs. Without a policy all updates are allowed.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable
from typing import Any, Literal

Change = Literal["Update:Modify", "Update:Replace", "Update:Delete"]

DENIED = "Action denied by stack policy: Statement does not allow [{}] for resource [{}]"


def allows(policy: str | None, change: Change, logical_id: str, kind: str) -> bool:
    """Whether the policy lets an update do that to a resource of that type."""
    if policy is None:
        return True
    statements = json.loads(policy).get("Statement") or []
    listed = statements if isinstance(statements, list) else [statements]
    effects = {one.get("Effect") for one in listed if _meant(one, change, logical_id, kind)}
    return "Allow" in effects and "Deny" not in effects


def _meant(statement: dict[str, Any], change: str, logical_id: str, kind: str) -> bool:
    asked = f"LogicalResourceId/{logical_id}"
    return (
        _named(statement, "Action", change)
        and _named(statement, "Resource", asked)
        and _conditioned(statement.get("Condition") or {}, kind)
    )


def _named(statement: dict[str, Any], member: str, value: str) -> bool:
    if f"Not{member}" in statement:
        return not _matches(statement[f"Not{member}"], value)
    return _matches(statement.get(member, []), value)


def _matches(patterns: Any, value: str) -> bool:
    listed = patterns if isinstance(patterns, list) else [patterns]
    return any(fnmatch.fnmatchcase(value, str(one)) for one in listed)


def _conditioned(condition: dict[str, Any], kind: str) -> bool:
    """Conditions compare `ResourceType` by StringEquals or StringLike, or their negations."""
    for operator, compared in condition.items():
        wanted: Iterable[Any] = _all(compared.get("ResourceType"))
        if operator.startswith("StringNot"):
            if any(fnmatch.fnmatchcase(kind, str(one)) for one in wanted):
                return False
        elif not any(fnmatch.fnmatchcase(kind, str(one)) for one in wanted):
            return False
    return True


def _all(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
