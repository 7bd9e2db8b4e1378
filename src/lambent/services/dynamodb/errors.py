"""The errors that DynamoDB answers with, under its own codes and messages."""

from __future__ import annotations

from typing import Any

from lambent.core.errors import AwsError

INVALID_PARAMETER = "One or more parameter values were invalid: "


def invalid(message: str) -> AwsError:
    """A ValidationException."""
    return AwsError("ValidationException", message, 400)


def invalid_parameter(message: str) -> AwsError:
    """A ValidationException with the prefix that most of them have."""
    return AwsError("ValidationException", INVALID_PARAMETER + message, 400)


class EmptyKey(AwsError):
    """The ValidationException of an empty key attribute, which in a transaction is the whole
    request's, while other faults of a key are reasons for its cancellation."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message, 400)


def table_not_found(name: str | None = None) -> AwsError:
    """ResourceNotFoundException: data operations do not name the table, others do."""
    message = "Requested resource not found"
    if name is not None:
        message += f": Table: {name} not found"
    return AwsError("ResourceNotFoundException", message, 400)


def condition_failed(item: dict[str, Any] | None = None) -> AwsError:
    """ConditionalCheckFailedException, with the item when the caller asked for it."""
    return AwsError(
        "ConditionalCheckFailedException",
        "The conditional request failed",
        400,
        members={"Item": item} if item is not None else None,
    )
