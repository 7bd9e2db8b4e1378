"""IAM's errors, in IAM's words. Source: IAM API Reference and recorded answers."""

from __future__ import annotations

from lambent.core.errors import AwsError


def no_such(message: str) -> AwsError:
    """What was named is not there."""
    return AwsError("NoSuchEntityException", message, 404)


def exists(message: str) -> AwsError:
    """The name is taken."""
    return AwsError("EntityAlreadyExistsException", message, 409)


def conflict(message: str) -> AwsError:
    """Something still hangs on what was to be deleted."""
    return AwsError("DeleteConflictException", message, 409)


def limit(message: str) -> AwsError:
    """A quota is reached."""
    return AwsError("LimitExceededException", message, 409)


def malformed(message: str) -> AwsError:
    """A policy document is wrong."""
    return AwsError("MalformedPolicyDocumentException", message, 400)


def invalid(message: str) -> AwsError:
    """A parameter is wrong."""
    return AwsError("ValidationError", message, 400)
