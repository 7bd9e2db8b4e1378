"""Whether Lambda may act as a function's role: what the role's trust policy says. Pure.

Source: Lambda Developer Guide, "Defining Lambda function permissions with an execution role".
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from lambent.core import policy_keys
from lambent.core.arns import Arn
from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.policies import Ask, decide
from lambent.core.registry import Registry
from lambent.services.lambda_ import errors

_LAMBDA = "lambda.amazonaws.com"


async def require_assumable(
    registry: Registry, context: RequestContext, role: str, function: str
) -> None:
    """AwsError when the role (its ARN) is not there or does not trust Lambda with the function."""
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
    if found["Arn"] != role or not trusts(unquote(found["AssumeRolePolicyDocument"]), function):
        raise _refused()


def trusts(document: str, function: str) -> bool:
    """Whether a trust policy (its JSON) lets Lambda assume the role for a function (its ARN)."""
    arn = Arn.parse(function)
    keys = policy_keys.of_service(_LAMBDA, function, arn.account, arn.region)
    ask = Ask("sts:AssumeRole", "", service=_LAMBDA, keys=keys)
    return decide(json.loads(document), ask) is True


def _refused() -> AwsError:
    return errors.invalid("The role defined for the function cannot be assumed by Lambda.")
