"""The operations on dashboards, which are kept as they are given.

Source: CloudWatch API Reference, PutDashboard, GetDashboard, ListDashboards,
DeleteDashboards.
"""

from __future__ import annotations

import json
import re
from typing import Final

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.cloudwatch import errors, listing
from lambent.services.cloudwatch.model import (
    DASHBOARDS,
    Dashboard,
    decode_dashboard,
    encode,
)
from lambent.store.contract import Store, Transaction

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")
_PAGE: Final = 1000


def arn(account: str, name: str) -> str:
    """A dashboard's ARN; dashboards belong to no region."""
    return f"arn:aws:cloudwatch::{account}:dashboard/{name}"


class DashboardOperations:
    """Put, get, list, delete."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put_dashboard(self, context: RequestContext, params: Params) -> Result:
        name, text = params["DashboardName"], params["DashboardBody"]
        problems: list[str] = []
        if not _NAME.fullmatch(name):
            problems.append("The name may have letters, digits, - and _ only.")
        try:
            if not isinstance(json.loads(text), dict):
                problems.append("The body must be a JSON object.")
        except (ValueError, RecursionError):
            problems.append("The body is not valid JSON.")
        if problems:
            raise AwsError(
                "DashboardInvalidInputError",
                f"The dashboard is not valid: {' '.join(problems)}",
                members={
                    "dashboardValidationMessages": [
                        {"DataPath": "/", "Message": problem} for problem in problems
                    ]
                },
            )

        async def body(tx: Transaction) -> None:
            dashboard = Dashboard(name, text, tx.now)
            await tx.put(DASHBOARDS, context.account.encode(), name.encode(), encode(dashboard))

        await self._store.transact(body)
        return {"DashboardValidationMessages": []}

    async def get_dashboard(self, context: RequestContext, params: Params) -> Result:
        name = params["DashboardName"]
        record = await self._store.transact(
            lambda tx: tx.get(DASHBOARDS, context.account.encode(), name.encode())
        )
        if record is None:
            raise _missing(name)
        return {
            "DashboardArn": arn(context.account, name),
            "DashboardBody": decode_dashboard(record.value).body,
            "DashboardName": name,
        }

    async def list_dashboards(self, context: RequestContext, params: Params) -> Result:
        prefix = (params.get("DashboardNamePrefix") or "").encode()
        start = listing.token_read(params.get("NextToken")) or prefix
        records = await self._store.transact(
            lambda tx: tx.scan(
                DASHBOARDS,
                context.account.encode(),
                start=start,
                end=prefix + b"\xff" if prefix else None,
                limit=_PAGE + 1,
            )
        )
        found = [decode_dashboard(record.value) for record in records[:_PAGE]]
        more = len(records) > _PAGE
        return {
            "DashboardEntries": [
                {
                    "DashboardName": one.name,
                    "DashboardArn": arn(context.account, one.name),
                    "LastModified": one.modified,
                    "Size": len(one.body.encode()),
                }
                for one in found
            ],
            "NextToken": listing.token_made(records[_PAGE].sort) if more else None,
        }

    async def delete_dashboards(self, context: RequestContext, params: Params) -> Result:
        names = params.get("DashboardNames") or []
        if not names:
            raise errors.missing("DashboardNames")

        async def body(tx: Transaction) -> None:
            for name in names:
                if not await tx.delete(DASHBOARDS, context.account.encode(), name.encode()):
                    raise _missing(name)

        await self._store.transact(body)
        return None


def _missing(name: str) -> AwsError:
    return AwsError("DashboardNotFoundError", f"Dashboard {name} does not exist")
