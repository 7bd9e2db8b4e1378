"""Resource policies of functions: how AddPermission's parameters become statements, and
what statements allow. Plain functions.

Source: Lambda API Reference, AddPermission and GetPolicy; IAM User Guide, condition
operators.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import translate
from typing import Any

from lambent.core.arns import Arn
from lambent.core.context import Params
from lambent.services.lambda_ import errors

INVOKE = "lambda:InvokeFunction"
INVOKE_URL = "lambda:InvokeFunctionUrl"


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


def allows_layer(statements: Iterable[Mapping[str, Any]], account: str) -> bool:
    """Whether another account may use a layer's version. There are no organisations here, so
    what is for one alone is for nobody."""
    return any(
        "Condition" not in one
        and (one["Principal"] == "*" or account in str(one["Principal"].get("AWS")).split(":"))
        for one in statements
    )


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


def document(statements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The whole policy, as GetPolicy gives it."""
    return {"Version": "2012-10-17", "Id": "default", "Statement": list(statements)}


def allows(statements: Iterable[Mapping[str, Any]], principal: str, source: str) -> bool:
    """Whether a service `principal` may invoke the function for the resource `source`.

    An ARN that names no account (a bucket's) meets any SourceAccount: who owns the bucket is
    for the caller to know.
    """
    return any(_allows(one, principal, source) for one in statements)


def allows_url(
    statements: Iterable[Mapping[str, Any]], account: str | None, auth_type: str
) -> bool:
    """Whether a function's URL may be called by `account`; None is anyone, unsigned.

    It takes both: to invoke the URL, and to invoke the function (Lambda Developer Guide,
    "Control access to Lambda function URLs": for all URLs made since October 2025).
    """
    met = [one for one in statements if _meets_url(one, account, auth_type)]
    return all(
        any(one["Action"] in (action, "lambda:*", "*") for one in met)
        for action in (INVOKE_URL, INVOKE)
    )


def _meets_url(one: Mapping[str, Any], account: str | None, auth_type: str) -> bool:
    """Whether a statement is about such a call, whatever it allows."""
    who = one["Principal"]
    if who != "*":
        named = str(who.get("AWS", ""))
        if account is None or account not in (named, *named.split(":")[4:5]):
            return False
    carried = {"lambda:functionurlauthtype": auth_type, "lambda:invokedviafunctionurl": "true"}
    return all(
        carried.get(key.lower()) == value
        for wanted in one.get("Condition", {}).values()
        for key, value in wanted.items()
    )


def allows_caller(statements: Iterable[Mapping[str, Any]], account: str, principal: str) -> bool:
    """Whether a caller of another account (`principal` is its ARN) may invoke the function.
    Conditions are about what such calls do not carry."""
    return any(
        one["Action"] in (INVOKE, "lambda:*", "*")
        and "Condition" not in one
        and (
            one["Principal"] == "*"
            or one["Principal"].get("AWS") in (account, f"arn:aws:iam::{account}:root", principal)
        )
        for one in statements
    )


def _allows(one: Mapping[str, Any], principal: str, source: str) -> bool:
    if one["Action"] not in (INVOKE, "lambda:*", "*"):
        return False
    who = one["Principal"]
    if who != "*" and who.get("Service") != principal:
        return False
    try:
        account = Arn.parse(source).account
    except ValueError:
        account = ""
    for operator, wanted in one.get("Condition", {}).items():
        for key, value in wanted.items():
            lowered = key.lower()
            if operator == "ArnLike" and lowered == "aws:sourcearn":
                if re.match(translate(value), source) is None:
                    return False
            elif operator == "StringEquals" and lowered == "aws:sourceaccount":
                if account not in ("", value):
                    return False
            else:
                # A condition on something that service calls do not carry.
                return False
    return True
