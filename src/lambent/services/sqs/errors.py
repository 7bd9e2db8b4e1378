"""The errors of SQS, with its own words.

Source: SQS API reference, common errors, and botocore's model for the shapes' names.
"""

from __future__ import annotations

from lambent.core.errors import AwsError


def no_such_queue() -> AwsError:
    """The queue is not there."""
    return AwsError("QueueDoesNotExist", "The specified queue does not exist.")


def hidden_queue() -> AwsError:
    """Another account's queue is not there, or not for the caller, who is not told which."""
    return AwsError(
        "QueueDoesNotExist", "The specified queue does not exist or you do not have access to it."
    )


def deleted_recently() -> AwsError:
    """A queue of that name was deleted within the last minute."""
    return AwsError(
        "QueueDeletedRecently",
        "You must wait 60 seconds after deleting a queue before you can create another with the "
        "same name.",
    )


def access_denied(caller: str, queue: str, action: str, *, denied: bool) -> AwsError:
    """The queue's policy does not let the caller do that, or forbids it (`denied`)."""
    action = f"sqs:{action.lower()}"
    why = (
        "with an explicit deny in a resource-based policy"
        if denied
        else f"because no resource-based policy allows the {action} action"
    )
    message = f"User: {caller} is not authorized to perform: {action} on resource: {queue} {why}"
    return AwsError("AccessDeniedException", message, 403)


def no_such_resource(message: str) -> AwsError:
    """A queue or task that a move task needs is not there."""
    return AwsError("ResourceNotFoundException", message, 404)


def missing(parameter: str) -> AwsError:
    """A required parameter is absent or empty."""
    return AwsError(
        "MissingRequiredParameterException",
        f"The request must contain the parameter {parameter}.",
        400,
    )


def invalid(message: str) -> AwsError:
    """A parameter is wrong in a way that needs its own sentence."""
    return AwsError("InvalidParameterValue", message, 400)


def invalid_value(value: object, parameter: str, reason: str) -> AwsError:
    """A parameter's value is wrong, in SQS's usual form."""
    return invalid(f"Value {value} for parameter {parameter} is invalid. Reason: {reason}")


def unknown_attribute(name: str) -> AwsError:
    """A queue attribute that SQS does not have, or that this kind of queue does not take."""
    return AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")


def invalid_attribute(name: str, reason: str = "") -> AwsError:
    """A queue attribute whose value is wrong."""
    why = f" Reason: {reason}" if reason else ""
    return AwsError("InvalidAttributeValue", f"Invalid value for the parameter {name}.{why}")


def too_many_in_flight() -> AwsError:
    """As many messages of the queue are in flight as may be."""
    return AwsError(
        "OverLimit",
        "The maximum number of in flight messages is reached. Reduce the number of messages "
        "that are in flight by deleting those that are processed.",
        403,
    )


def unsupported(message: str) -> AwsError:
    """What SQS names, and does not do."""
    return AwsError("UnsupportedOperation", message, 400)


def expired_token() -> AwsError:
    """A NextToken that no page ended with."""
    return invalid("Invalid or expired next token.")


def wrong_queue_type(value: object, parameter: str) -> AwsError:
    """A parameter that this kind of queue does not take."""
    return invalid_value(
        value,
        parameter,
        "The request include parameter that is not valid for this queue type.",
    )


def bad_receipt(handle: str) -> AwsError:
    """No receipt handle at all."""
    return AwsError(
        "ReceiptHandleIsInvalid",
        f'The input receipt handle "{handle}" is not a valid receipt handle.',
        404,
    )


def foreign_receipt(handle: str) -> AwsError:
    """A receipt handle that another queue gave."""
    return AwsError(
        "ReceiptHandleIsInvalid", f'The receipt handle "{handle}" is not valid for this queue.', 404
    )


def expired_receipt(handle: str, batched: bool) -> AwsError:
    """The receipt handle of a FIFO queue's message whose visibility has ended, which an entry
    of a batch is told in words of its own."""
    if batched:
        return AwsError("ReceiptHandleIsInvalid", "The receipt handle has expired", 404)
    return invalid_value(handle, "ReceiptHandle", "The receipt handle has expired.")
