"""The policy document of a form upload: does the form keep to it? Pure.

Source: "Creating a POST policy" of the Amazon S3 API Reference.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lambent.core.errors import AwsError

_FREE = frozenset(
    {"policy", "file", "x-amz-signature", "signature", "awsaccesskeyid", "x-amz-security-token"}
)


def _invalid_document(message: str) -> AwsError:
    return AwsError("InvalidPolicyDocument", f"Invalid Policy: {message}", 400)


def _denied(message: str) -> AwsError:
    return AwsError("AccessDenied", f"Invalid according to Policy: {message}", 403)


def _expiration(value: Any) -> float:
    try:
        moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        raise _invalid_document(f"Invalid 'expiration' value: '{value}'") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def check_policy(
    encoded: str, fields: Mapping[str, str], bucket: str, now: float
) -> tuple[int, int] | None:
    """Hold the form's fields against the policy; the allowed range of the file's size.

    InvalidPolicyDocument for what is no policy; AccessDenied when it expired, when one of
    its conditions fails, or when a field is covered by none.
    """
    try:
        policy = json.loads(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        raise _invalid_document("Invalid JSON.") from None
    if not isinstance(policy, dict):
        raise _invalid_document("Invalid JSON.")
    if "expiration" not in policy:
        raise _invalid_document("Policy missing expiration.")
    if not isinstance(policy.get("conditions"), list):
        raise _invalid_document("Policy missing conditions.")
    if _expiration(policy["expiration"]) <= now:
        raise _denied("Policy expired.")
    values = {**fields, "bucket": bucket}
    covered = {"bucket"}
    size: tuple[int, int] | None = None
    for condition in policy["conditions"]:
        kind, name, wanted = _parse(condition)
        if kind == "content-length-range":
            size = _size_range(name, wanted)
            continue
        covered.add(name)
        value = values.get(name, "")
        holds = value.startswith(wanted) if kind == "starts-with" else value == wanted
        if kind == "starts-with" and name == "content-type" and "," in value:
            holds = all(part.strip().startswith(wanted) for part in value.split(","))
        if not holds:
            raise _denied(f'Policy Condition failed: ["{kind}", "${name}", "{wanted}"]')
    extra = [
        name
        for name in fields
        if name not in covered and name not in _FREE and not name.startswith("x-ignore-")
    ]
    if extra:
        raise _denied(f"Extra input fields: {', '.join(extra)}")
    return size


def _parse(condition: Any) -> tuple[str, Any, Any]:
    if isinstance(condition, dict) and len(condition) == 1:
        [(name, wanted)] = condition.items()
        return "eq", str(name).lower(), _unescaped(wanted)
    if isinstance(condition, list) and len(condition) == 3:
        kind = str(condition[0]).lower()
        if kind == "content-length-range":
            return kind, condition[1], condition[2]
        if kind in ("eq", "starts-with") and str(condition[1]).startswith("$"):
            return kind, str(condition[1])[1:].lower(), _unescaped(condition[2])
    raise _invalid_document(
        "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."
    )


def _unescaped(value: Any) -> str:
    return str(value).replace("\\$", "$")


def _size_range(low: Any, high: Any) -> tuple[int, int]:
    try:
        least, most = int(low), int(high)
    except (TypeError, ValueError):
        raise _invalid_document("Invalid content-length-range.") from None
    if least < 0 or most < 0:
        raise _invalid_document("Invalid content-length-range.")
    return least, most
