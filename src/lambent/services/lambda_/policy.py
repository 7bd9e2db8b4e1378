"""Resource policies of functions and layers: how parameters and documents become statements.
Plain functions; what statements allow is `policy_rules`'.

Source: Lambda API Reference, AddPermission, GetPolicy and PutResourcePolicy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.core import conditions
from lambent.core.conditions import listed
from lambent.core.context import Params
from lambent.services.lambda_ import errors

INVOKE = "lambda:InvokeFunction"
INVOKE_URL = "lambda:InvokeFunctionUrl"
GET_LAYER = "lambda:GetLayerVersion"
MOST_BYTES = 20_480
"""Of a function's whole policy (Lambda quotas)."""
_MEMBERS = ("Effect", "Principal", "Action", "Resource")
_EFFECTS = ("Allow", "Deny")


def statement(params: Params, resource: str) -> dict[str, Any]:
    """The statement that AddPermission adds. `resource` is the function's ARN, qualified.

    InvalidParameterValueException when the parameters do not go together.
    """
    if params.get("FunctionUrlAuthType") and params["Action"] != INVOKE_URL:
        raise errors.invalid(f"FunctionUrlAuthType is only supported for {INVOKE_URL} action")
    made: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(params["Principal"]),
        "Action": params["Action"],
        "Resource": resource,
    }
    condition: dict[str, dict[str, str]] = {}
    equals: dict[str, str] = {}
    if params.get("FunctionUrlAuthType"):
        equals["lambda:FunctionUrlAuthType"] = params["FunctionUrlAuthType"]
    if params.get("SourceAccount"):
        equals["AWS:SourceAccount"] = params["SourceAccount"]
    if params.get("PrincipalOrgID"):
        equals["aws:PrincipalOrgID"] = params["PrincipalOrgID"]
    if params.get("EventSourceToken"):
        equals["lambda:EventSourceToken"] = params["EventSourceToken"]
    if equals:
        condition["StringEquals"] = equals
    if params.get("SourceArn"):
        condition["ArnLike"] = {"AWS:SourceArn": params["SourceArn"]}
    if params.get("InvokedViaFunctionUrl") is not None:
        condition["Bool"] = {
            "lambda:InvokedViaFunctionUrl": str(params["InvokedViaFunctionUrl"]).lower()
        }
    if condition:
        made["Condition"] = condition
    return made


def layer_statement(params: Params, resource: str) -> dict[str, Any]:
    """The statement that AddLayerVersionPermission adds."""
    made: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(params["Principal"]),
        "Action": params["Action"],
        "Resource": resource,
    }
    if params.get("OrganizationId"):
        made["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": params["OrganizationId"]}}
    return made


def _principal(text: str) -> Any:
    if text == "*":
        return text
    if re.fullmatch(r"\d{12}", text):
        return {"AWS": f"arn:aws:iam::{text}:root"}
    if text.startswith("arn:"):
        return {"AWS": text}
    if re.fullmatch(r"[a-z0-9.-]+\.(amazonaws\.com(\.cn)?|amazon\.com|alexa\.com)", text):
        return {"Service": text}
    if re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", text):
        return {"Service": text}
    raise errors.invalid(
        "The provided principal was invalid. Please check the principal and try again."
    )


def whole(
    statements: Sequence[Mapping[str, Any]], head: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The whole policy. `head` is what it has beside its statements, if it was put as a whole."""
    head = {"Version": "2012-10-17", "Id": "default"} if head is None else head
    return {**head, "Statement": list(statements)}


def compact(value: Mapping[str, Any]) -> str:
    """JSON as policies are written."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def check_size(text: str) -> None:
    """PolicyLengthExceededException when a policy is too long."""
    size = len(text.encode())
    if size > MOST_BYTES:
        raise errors.policy_too_long(size, MOST_BYTES)


def parse(text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A policy that is put as a whole: what it has beside its statements, and these.

    InvalidParameterValueException when it is none.
    """
    try:
        value = json.loads(text)
    except ValueError:
        raise errors.invalid("The policy is not valid JSON.") from None
    if not isinstance(value, dict):
        raise errors.invalid("The policy is not a JSON object.")
    statements = listed(value.pop("Statement", None))
    if not statements:
        raise errors.invalid("The policy has no statements.")
    for one in statements:
        missing = [name for name in _MEMBERS if not isinstance(one, dict) or not one.get(name)]
        if missing:
            raise errors.invalid(f"A statement of the policy lacks {', '.join(missing)}.")
        if one["Effect"] not in _EFFECTS:
            raise errors.invalid("The Effect of a statement must be Allow or Deny.")
        wrong = conditions.problem(one.get("Condition", {}))
        if wrong is not None:
            raise errors.invalid(f"The Condition of a statement has an invalid {wrong.kind}.")
    return value, statements
