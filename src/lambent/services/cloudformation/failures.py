"""Why a resource failed, in CloudFormation's words. Pure."""

from __future__ import annotations

import re

from lambent.core.errors import AwsError

INTERNAL = "Internal Failure"
_TAKEN = re.compile(r"Exist|AlreadyOwned|InUse|Conflict")
_ABSENT = re.compile(r"NotFound|NoSuch|NonExistent|DoesNotExist")


def is_taken(error: AwsError) -> bool:
    """Whether the error says that the resource is already there."""
    return bool(_TAKEN.search(error.code)) and not _ABSENT.search(error.code)


def is_absent(error: AwsError) -> bool:
    """Whether the error says that the resource is not there."""
    return bool(_ABSENT.search(error.code))


def handler_code(error: AwsError) -> str:
    """CloudFormation's own name for a kind of failure."""
    if is_absent(error):
        return "NotFound"
    if is_taken(error):
        return "AlreadyExists"
    if error.code in ("AccessDenied", "AccessDeniedException"):
        return "AccessDenied"
    if "LimitExceeded" in error.code:
        return "ServiceLimitExceeded"
    if error.status is not None and error.status >= 500:
        return "ServiceInternalError"
    return "InvalidRequest"


def reason(error: AwsError, kind: str, token: str) -> str:
    """The status reason for an error of a service's operation.

    `kind` is the resource type ("AWS::SQS::Queue"), `token` the request's id.
    """
    if error.code == "ValidationError" and error.message.startswith(
        ("Template ", "No export ", "CustomResource ")
    ):
        return error.message
    service = kind.split("::")[1] if kind.count("::") >= 2 else kind
    return (
        f'Resource handler returned message: "{error.message} (Service: {service}, '
        f'Status Code: {error.status or 400}, Error Code: {error.code})" '
        f"(RequestToken: {token}, HandlerErrorCode: {handler_code(error)})"
    )


def invalid_properties(name: str, faults: list[str]) -> str:
    """What is wrong with a resource's properties."""
    listed = "\n".join(faults)
    return f"Properties validation failed for resource {name} with message:\n{listed}"


def failed_to(verb: str, names: list[str]) -> str:
    """`The following resource(s) failed to create: [A, B]. `"""
    return f"The following resource(s) failed to {verb}: [{', '.join(sorted(names))}]. "
