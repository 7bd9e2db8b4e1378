"""Whether Lambda may act as a function's role: what the role's trust policy says. Pure.

Source: Lambda Developer Guide, "Defining Lambda function permissions with an execution role".
A statement's conditions are taken to hold: they are about the function that is being made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from lambent.core.arns import Arn
from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.registry import Registry
from lambent.services.lambda_ import errors

_LAMBDA = "lambda.amazonaws.com"
_ACTION = "sts:assumerole"


async def require_assumable(registry: Registry, context: RequestContext, role: str) -> None:
    """AwsError when the role (its ARN) is not there or does not trust Lambda."""
    arn = Arn.parse(role)
    if arn.account != context.account:
        raise AwsError("AccessDeniedException", "Cross-account pass role is not allowed.", 403)
    try:
        answer: dict[str, Any] = await registry.call(
            context, "iam", "GetRole", {"RoleName": arn.resource.rpartition("/")[2]}
        )
    except AwsError as error:
        if error.code != "NoSuchEntityException":
            raise
        raise _refused() from None
    found = answer["Role"]
    if found["Arn"] != role or not trusts(unquote(found["AssumeRolePolicyDocument"])):
        raise _refused()


def trusts(document: str) -> bool:
    """Whether a trust policy (its JSON) lets Lambda assume the role."""
    statements = _listed(json.loads(document).get("Statement", ()))
    effects = {one["Effect"] for one in statements if _is_about_lambda(one)}
    return effects == {"Allow"}


def _is_about_lambda(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal", {})
    services = ["*"] if principal == "*" else _listed(dict(principal).get("Service", ()))
    actions = _listed(statement.get("Action", ()))
    return any(fnmatchcase(_LAMBDA, service) for service in services) and any(
        fnmatchcase(_ACTION, action.lower()) for action in actions
    )


def _listed(value: Any) -> list[Any]:
    return (
        list(value)
        if isinstance(value, Iterable) and not isinstance(value, str | dict)
        else [value]
    )


def _refused() -> AwsError:
    return errors.invalid("The role defined for the function cannot be assumed by Lambda.")
