"""Lambda's own errors, with its codes and messages in one place."""

from __future__ import annotations

from lambent.core.errors import AwsError

_USER = {"Type": "User"}

RECURSIVE = "RecursiveInvocationException"
"""The code when a function invokes itself over and over."""
FINAL = frozenset({"ResourceNotFoundException", RECURSIVE})
"""Why an invocation failed when it is no use to try it again."""


def function_not_found(arn: str) -> AwsError:
    """No such function, version or alias."""
    return AwsError("ResourceNotFoundException", f"Function not found: {arn}", 404, _USER)


def alias_not_found(arn: str) -> AwsError:
    """No such alias, in the words of the operations that are about aliases."""
    return not_found(f"Cannot find alias arn: {arn}")


def not_found(message: str = "The resource you requested does not exist.") -> AwsError:
    """Something else of a function is not there."""
    return AwsError("ResourceNotFoundException", message, 404, _USER)


def invalid(message: str) -> AwsError:
    """A parameter has a value that Lambda does not take."""
    return AwsError("InvalidParameterValueException", message, 400, _USER)


def conflict(message: str) -> AwsError:
    """The resource is there already, or is in another state."""
    return AwsError("ResourceConflictException", message, 409, _USER)


def validation(value: object, member: str, constraint: str) -> AwsError:
    """A constraint of the API's model does not hold."""
    return AwsError(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy "
        f"constraint: {constraint}",
        400,
    )


def stale_revision(shown_by: str) -> AwsError:
    """The caller's RevisionId is not the present one, which `shown_by` tells."""
    return AwsError(
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the "
        f"{shown_by} API to retrieve the latest Revision Id",
        412,
        _USER,
    )


def recursive() -> AwsError:
    """The function invokes itself over and over."""
    return AwsError(
        RECURSIVE,
        "Lambda has detected your function being invoked in a recursive loop with other AWS "
        "resources and stopped your function's invocation.",
        400,
        _USER,
    )


def throttled(reason: str = "ConcurrentInvocationLimitExceeded") -> AwsError:
    """There is no place for the invocation."""
    return AwsError("TooManyRequestsException", "Rate Exceeded.", 429, {**_USER, "Reason": reason})


def code_signing_not_found(arn: str) -> AwsError:
    """The code signing configuration that a function is to have is not there."""
    return AwsError(
        "CodeSigningConfigNotFoundException",
        "The code signing configuration cannot be found. Check that the provided configuration "
        f"is not deleted: {arn}.",
        404,
        _USER,
    )


def unsigned(deployed: str) -> AwsError:
    """Code, or a layer, that no allowed publisher has signed is not deployed."""
    return AwsError(
        "CodeVerificationFailedException",
        "Lambda cannot deploy the function. The function or layer might be signed using a "
        "signature that the client is not configured to accept. Check the provided signature for "
        f"{deployed}.",
        400,
        _USER,
    )


def policy_too_long(size: int, most: int) -> AwsError:
    """A resource policy has too many bytes."""
    return AwsError(
        "PolicyLengthExceededException",
        f"The final policy size ({size}) is bigger than the limit ({most}).",
        400,
        _USER,
    )
