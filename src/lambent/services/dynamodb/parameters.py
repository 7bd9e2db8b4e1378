"""Parameters that many operations share: table names and ARNs."""

from __future__ import annotations

import re

from lambent.core.arns import Arn
from lambent.core.context import RequestContext
from lambent.services.dynamodb.errors import invalid, table_not_found

_NAME = re.compile(r"[a-zA-Z0-9_.-]+\Z")


def table_name(context: RequestContext, given: str) -> str:
    """The table's name from a TableName parameter, which may be an ARN."""
    if 3 <= len(given) <= 255 and _NAME.match(given):
        return given
    if given.startswith("arn:"):
        return name_from_arn(context, given)
    check_name(given)
    return given


def check_name(given: str) -> None:
    """Raise unless it may be a table's name."""
    if not _NAME.match(given) and given:
        raise invalid(
            f"1 validation error detected: Value '{given}' at 'tableName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        )
    if not 3 <= len(given) <= 255:
        raise invalid(
            "TableName must be at least 3 characters long and at most 255 characters long"
        )


def name_from_arn(context: RequestContext, given: str) -> str:
    """The name of a table of this account and region from its ARN."""
    try:
        arn = Arn.parse(given)
    except ValueError:
        arn = None
    if arn is None or arn.service != "dynamodb" or not arn.resource.startswith("table/"):
        raise invalid(f"Invalid TableArn: Invalid ResourceArn provided as input {given}")
    if (arn.account, arn.region) != (context.account, context.region):
        raise table_not_found()
    return arn.resource.removeprefix("table/").split("/", 1)[0]
