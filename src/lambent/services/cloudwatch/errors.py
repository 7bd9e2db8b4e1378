"""CloudWatch's errors, in its own words.

Source: CloudWatch API Reference, and what its operations answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lambent.core.errors import AwsError


def missing(name: str) -> AwsError:
    """A parameter that must be there."""
    return AwsError("MissingRequiredParameterException", f"The parameter {name} is required.")


def required(params: Mapping[str, Any], *names: str) -> None:
    """MissingParameter unless all of them are there."""
    for name in names:
        if params.get(name) in (None, "", []):
            raise missing(name)


def invalid(message: str) -> AwsError:
    """A value that cannot be."""
    return AwsError("InvalidParameterValueException", message)


def invalid_value(value: object, name: str) -> AwsError:
    """The same, by its name."""
    return invalid(f"The value {value} for parameter {name} is invalid.")


def not_one_of(name: str, allowed: Collection[str]) -> AwsError:
    """A value that is not one of those allowed."""
    return invalid(f"The parameter {name} must be a value in the set [ {', '.join(allowed)} ].")


def combination(message: str) -> AwsError:
    """Values that do not go together."""
    return AwsError("InvalidParameterCombinationException", message)


def exclusive(one: str, other: str) -> AwsError:
    """Two of which only one may be given."""
    return combination(
        f"The parameters {one} and {other} are mutually exclusive and you have specified both."
    )


def validation(message: str) -> AwsError:
    """What is wrong with an alarm or a query."""
    return AwsError("ValidationException", message)


def bad_token() -> AwsError:
    """A NextToken that was not given out."""
    return AwsError("InvalidNextToken", "The token specified is invalid.")


def not_found(message: str) -> AwsError:
    """A resource that is not there."""
    return AwsError("ResourceNotFound", message)
