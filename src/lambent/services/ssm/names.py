"""Parameter names: validation, selectors and ARNs. Pure.

Source: Systems Manager user guide, "Parameter name requirements".
"""

from __future__ import annotations

import re

from lambent.core.errors import AwsError

MAX_LENGTH = 1011
MAX_DEPTH = 15
_NAME = re.compile(r"/?[A-Za-z0-9_.\-]+(/[A-Za-z0-9_.\-]+)*\Z")


def validation(message: str) -> AwsError:
    """A request that Systems Manager refuses."""
    return AwsError("ValidationException", message)


def check_new(name: str) -> None:
    """AwsError unless a parameter may be made under the name."""
    if name.strip("/").lower().startswith(("aws", "ssm")):
        if name.lower().startswith(("/aws/", "/ssm/", "/aws-", "aws/")):
            raise AwsError(
                "AccessDeniedException", f"No access to reserved parameter name: {name}."
            )
        raise validation(
            'Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive). '
            "If formed as a path, it can consist of sub-paths divided by slash symbol; each "
            "sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_"
        )
    if "/" in name and not name.startswith("/"):
        raise validation("Parameter name must be a fully qualified name.")
    if not _NAME.match(name):
        raise validation(
            "Invalid parameter name. Please use correct syntax for referencing a version/label "
            "<name>:<version/label>"
            if ":" in name
            else 'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). If formed as '
            "a path, it can consist of sub-paths divided by slash symbol; each sub-path can be "
            "formed as a mix of letters, numbers and the following 3 symbols .-_"
        )
    if len(name) > MAX_LENGTH:
        raise validation(f"Parameter name must be at most {MAX_LENGTH} characters long.")
    if name.count("/") > MAX_DEPTH:
        raise AwsError(
            "HierarchyLevelLimitExceededException",
            "The parameter's hierarchy exceeds the limit of 15 levels. Use fewer levels and try "
            "again.",
        )


def split(reference: str) -> tuple[str, str]:
    """(name, selector) of `name`, `name:3`, `name:label` or an ARN; the selector may be ""."""
    if reference.startswith("arn:"):
        resource = reference.split(":", 5)[-1]
        reference = resource.removeprefix("parameter")
        base, _, selector = reference.partition(":")
        # The ARN of a plain name has one slash, which is not part of the name.
        return (base[1:] if base.count("/") == 1 else base), selector
    name, _, selector = reference.partition(":")
    return name, selector


def resource(name: str) -> str:
    """The resource part of a parameter's ARN."""
    return f"parameter{name}" if name.startswith("/") else f"parameter/{name}"
