"""How callers name functions: by name, partial ARN or full ARN, with or without qualifier.

Source: Lambda API Reference, "FunctionName" of each operation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from lambent.core.arns import Arn
from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.services.lambda_ import errors

LATEST = "$LATEST"

_REFERENCE = re.compile(
    r"(?:arn:(?P<partition>aws[a-zA-Z-]*)?:lambda:)?"
    r"(?:(?P<region>[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?"
    r"(?:function:)?"
    r"(?P<name>[a-zA-Z0-9_-]+)"
    r"(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]+))?"
)
_PATTERN = (
    r"Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?"
    r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?"
    r"([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
MAXIMUM_NAME = 64


@dataclass(frozen=True, slots=True)
class Reference:
    """A function, and which of its versions: None when the caller did not say."""

    account: str
    region: str
    name: str
    qualifier: str | None = None

    @property
    def arn(self) -> str:
        """The function's ARN, without qualifier."""
        return _arn(self.region, self.account, self.name)

    @property
    def qualified(self) -> str:
        """The ARN as the caller asked for it."""
        return self.arn if self.qualifier is None else f"{self.arn}:{self.qualifier}"


@lru_cache(maxsize=4096)
def _arn(region: str, account: str, name: str) -> str:
    return str(Arn("lambda", region, account, f"function:{name}"))


def parse(
    context: RequestContext, text: str, qualifier: str | None = None, action: str = ""
) -> Reference:
    """What `text`, with a separate `qualifier`, refers to.

    AwsError when it is no function name, when the two qualifiers differ, or when the
    function would lie in another region or account.
    """
    reference = read(context, text, qualifier)
    if reference.account != context.account:
        raise foreign(context, reference, action)
    return reference


def foreign(context: RequestContext, reference: Reference, action: str) -> AwsError:
    """The function is another account's, and its policy does not allow the action."""
    return _refused(
        context,
        reference,
        action,
        f"because no resource-based policy allows the lambda:{action} action",
    )


def denied(context: RequestContext, reference: Reference, action: str) -> AwsError:
    """The function's policy denies the action."""
    why = "with an explicit deny in a resource-based policy"
    return _refused(context, reference, action, why)


def _refused(context: RequestContext, reference: Reference, action: str, why: str) -> AwsError:
    return AwsError(
        "AccessDeniedException",
        f"User: {context.principal} is not authorized to perform: lambda:{action} on "
        f"resource: {reference.qualified} {why}",
        403,
    )


def read(context: RequestContext, text: str, qualifier: str | None = None) -> Reference:
    """The same, of whichever account."""
    parts = _parts(text)
    if parts is None:
        raise errors.validation(text, "functionName", _PATTERN)
    region, account, name, own = parts
    if len(name) > MAXIMUM_NAME:
        raise errors.validation(
            name, "functionName", f"Member must have length less than or equal to {MAXIMUM_NAME}"
        )
    region = region or context.region
    account = account or context.account
    if region != context.region:
        raise errors.not_found(
            f"Functions from '{region}' are not reachable in this region ('{context.region}')"
        )
    if own is not None and qualifier is not None and own != qualifier:
        raise errors.invalid(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return Reference(account, region, name, qualifier or own)


@lru_cache(maxsize=4096)
def _parts(text: str) -> tuple[str | None, str | None, str, str | None] | None:
    """Region, account, name and qualifier, as far as the text has them; None when it is no
    function's name."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        return None
    return match["region"], match["account"], match["name"], match["qualifier"]


def from_arn(arn: Arn) -> Reference:
    """What a full ARN refers to, from inside. AwsError when it is no function's."""
    kind, _, rest = arn.resource.partition(":")
    name, _, qualifier = rest.partition(":")
    if arn.service != "lambda" or kind != "function" or not name:
        raise errors.not_found()
    return Reference(arn.account, arn.region, name, qualifier or None)
