"""AddPermission and RemovePermission as changes of the queue's policy document. Pure.

Source: SQS API reference, AddPermission and RemovePermission.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from lambent.core import conditions
from lambent.core.conditions import listed
from lambent.core.errors import AwsError
from lambent.services.sqs import errors
from lambent.services.sqs.model import Queue

Change = Callable[[Queue, dict[str, Any] | None], dict[str, Any]]

_ACCOUNT = re.compile(r"[0-9]{12}\Z")
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")
SHARED = frozenset(
    (
        "SendMessage",
        "ReceiveMessage",
        "DeleteMessage",
        "ChangeMessageVisibility",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ListDeadLetterSourceQueues",
        "PurgeQueue",
    )
)
"""What the owner can let other accounts do. Batches are covered by the single action."""

UNLOCKING = frozenset(("GetQueueAttributes", "GetQueueUrl", "SetQueueAttributes"))
"""What the root of the queue's account can do whatever the policy says."""

_OWNERS = frozenset(
    (
        "AddPermission",
        "CancelMessageMoveTask",
        "CreateQueue",
        "DeleteQueue",
        "ListMessageMoveTasks",
        "ListQueueTags",
        "ListQueues",
        "RemovePermission",
        "SetQueueAttributes",
        "StartMessageMoveTask",
        "TagQueue",
        "UntagQueue",
    )
)
_KNOWN = {name.lower() for name in SHARED | _OWNERS}

MAX_BYTES = 8192
MAX_STATEMENTS = 20
MAX_PRINCIPALS = 50
MAX_CONDITIONS = 10
MAX_ACTIONS = 7
"""What a policy may have; the last three in each statement. Source: SQS Developer Guide,
"Amazon SQS policy quotas"."""


def well_formed(document: object) -> bool:
    """Whether it is a policy document as far as its outline goes."""
    if not isinstance(document, dict):
        return False
    statements = document.get("Statement", [])
    if isinstance(statements, dict):
        statements = [statements]
    return isinstance(statements, list) and all(map(_is_statement, statements))


def _is_statement(statement: object) -> bool:
    return (
        isinstance(statement, dict)
        and statement.get("Effect") in ("Allow", "Deny")
        and ("Principal" in statement or "NotPrincipal" in statement)
        and ("Action" in statement or "NotAction" in statement)
        and conditions.problem(statement.get("Condition", {})) is None
    )


def check_actions(document: dict[str, Any]) -> None:
    """AwsError when a statement names an action that SQS does not have."""
    for statement in _statements(document):
        for action in map(str, listed(statement.get("Action"))):
            service, _, name = action.partition(":")
            plain = service.lower() == "sqs" and not set("*?") & set(name)
            # Names of batches are of no effect, but stand in many templates.
            if plain and name.lower().removesuffix("batch") not in _KNOWN:
                raise _no_such_action(name)


def check_limits(document: dict[str, Any]) -> None:
    """AwsError OverLimit when a policy has more of something than it may."""
    statements = _statements(document)
    _at_most(MAX_STATEMENTS, len(statements), "Statements")
    for statement in statements:
        _at_most(MAX_ACTIONS, len(listed(statement.get("Action"))), "Actions")
        principal = statement.get("Principal")
        if isinstance(principal, dict):
            _at_most(MAX_PRINCIPALS, sum(len(listed(p)) for p in principal.values()), "Principals")
        if isinstance(block := statement.get("Condition"), dict):
            keys = sum(map(len, block.values()))
            _at_most(MAX_CONDITIONS, keys, "Conditions")


def _at_most(most: int, count: int, what: str) -> None:
    if count > most:
        raise AwsError("OverLimit", f"{count} {what} were found, maximum allowed is {most}.", 403)


def _no_such_action(action: str) -> AwsError:
    return errors.invalid_value(
        f"SQS:{action}",
        "ActionName",
        "Please refer to the appropriate WSDL for a list of valid actions.",
    )


def _statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    statements = document.get("Statement", [])
    return [statements] if isinstance(statements, dict) else list(statements)


def add(
    document: dict[str, Any] | None,
    arn: str,
    label: str,
    accounts: Sequence[str],
    actions: Sequence[str],
) -> dict[str, Any]:
    """The policy with one more statement, named by its label."""
    if not label:
        raise errors.missing("Label")
    if not _LABEL.match(label):
        raise errors.invalid_value(
            label,
            "Label",
            "Label can only include alphanumeric characters, hyphens, or underscores. "
            "1 to 80 in length.",
        )
    if not accounts:
        raise errors.missing("AWSAccountIds")
    if not actions:
        raise errors.missing("Actions")
    _at_most(MAX_ACTIONS, len(actions), "Actions")
    for action in actions:
        if action in _OWNERS:
            raise errors.invalid_value(
                f"SQS:{action}",
                "ActionName",
                "Only the queue owner is allowed to invoke this action.",
            )
        if action != "*" and action not in SHARED:
            raise _no_such_action(action)
    present = document or {
        "Version": "2008-10-17",
        "Id": f"{arn}/SQSDefaultPolicy",
        "Statement": [],
    }
    if any(statement.get("Sid") == label for statement in _statements(present)):
        raise errors.invalid_value(label, "Label", "Already exists.")
    unverified = [account for account in accounts if not _ACCOUNT.match(account)]
    if unverified:
        raise errors.invalid_value(f"[{', '.join(unverified)}]", "PrincipalId", "Unable to verify.")
    principals = [f"arn:aws:iam::{account}:root" for account in accounts]
    names = [f"SQS:{action}" for action in actions]
    statement = {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": principals[0] if len(principals) == 1 else principals},
        "Action": names[0] if len(names) == 1 else names,
        "Resource": arn,
    }
    return {**present, "Statement": [*_statements(present), statement]}


def remove(document: dict[str, Any] | None, label: str) -> dict[str, Any]:
    """The policy without the statement of that label."""
    if not label:
        raise errors.missing("Label")
    statements = _statements(document or {})
    kept = [statement for statement in statements if statement.get("Sid") != label]
    if len(kept) == len(statements):
        raise errors.invalid_value(label, "Label", "can't find label.")
    return {**(document or {}), "Statement": kept}
