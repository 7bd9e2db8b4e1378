"""The errors that the gateway itself answers with, in each service's own words."""

from __future__ import annotations

from lambent.core.errors import AwsError

_INTERNAL = {
    "s3": ("InternalError", "We encountered an internal error. Please try again."),
    "dynamodb": ("InternalServerError", "Internal server error"),
    "dynamodbstreams": ("InternalServerError", "Internal server error"),
    "lambda": ("ServiceException", "An error occurred and the request cannot be processed."),
    "secretsmanager": ("InternalServiceError", "An error occurred on the server side."),
    "ssm": ("InternalServerError", "An error occurred on the server side."),
}

_ALLOWED = {
    "SERVICE": "GET",
    "BUCKET": "GET, HEAD, PUT, POST, DELETE",
    "OBJECT": "HEAD, DELETE, GET, PUT",
}

_NO_VERSION = "NO_VERSION_SPECIFIED"


def internal(service: str) -> AwsError:
    """A defect of ours, told without its inside."""
    code, message = _INTERNAL.get(
        service,
        (
            "InternalFailure",
            "The request processing has failed because of an unknown error, exception or failure.",
        ),
    )
    return AwsError(code, message, 500)


def unavailable(service: str) -> AwsError:
    """The store is away: nothing was done, and a retry may succeed."""
    if service == "s3":
        return AwsError("SlowDown", "Please reduce your request rate.", 503)
    return AwsError(
        "ServiceUnavailable",
        "The request has failed due to a temporary failure of the server.",
        503,
    )


def too_large(service: str, limit: int) -> AwsError:
    """The document that was sent is longer than the service takes; `limit` in bytes."""
    if service == "s3":
        return AwsError("MaxMessageLengthExceeded", "Your request was too big.", 400)
    return AwsError(
        "RequestEntityTooLargeException", f"Request must be smaller than {limit} bytes", 413
    )


def not_implemented(service: str, operation: str) -> AwsError:
    """AWS has it; this node does not."""
    return AwsError(
        "NotImplemented", f"The operation {operation} of {service} is not implemented here.", 501
    )


def no_service(service: str) -> AwsError:
    """No model of that name is known."""
    return AwsError("NotImplemented", f"The service {service} is not implemented here.", 501)


def unknown_action(service: str, action: str, version: str | None) -> AwsError:
    """A form of the query protocol names an action that AWS does not have."""
    if service == "sqs":
        message = f"The action {action} is not valid for this endpoint."
    else:
        message = f"Could not find operation {action} for version {version or _NO_VERSION}"
    return AwsError("InvalidAction", message, 400)


def unknown_operation(target: str | None) -> AwsError:
    """The request names no operation of the service, or one that AWS does not have."""
    return AwsError("UnknownOperationException", "", 404 if target is None else 400)


def no_such_method(method: str, path: str) -> AwsError:
    """S3 has no operation of that method for what lies at the path."""
    bucket, _, key = path.lstrip("/").partition("/")
    resource = "OBJECT" if key else "BUCKET" if bucket else "SERVICE"
    return AwsError(
        "MethodNotAllowed",
        "The specified method is not allowed against this resource.",
        405,
        {"Method": method, "ResourceType": resource},
        headers={"Allow": _ALLOWED[resource]},
    )
