"""What an account may have of Lambda in a region, and what it has.

Source: Lambda API Reference, GetAccountSettings; Lambda Developer Guide, "Lambda quotas".
"""

from __future__ import annotations

from lambent.core.context import Params, RequestContext, Result
from lambent.host.archive import MAX_UNZIPPED
from lambent.services.lambda_ import records
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.code import MAXIMUM_ZIPPED
from lambent.services.lambda_.concurrency import REGIONAL
from lambent.services.lambda_.model import Function
from lambent.services.lambda_.names import Reference
from lambent.store.contract import Transaction

_STORAGE = 80_530_636_800
"""Bytes of archives that an account is shown to may have."""


class AccountOperations(Base):
    """The account's settings."""

    async def get_account_settings(self, context: RequestContext, params: Params) -> Result:
        """GetAccountSettings. Each version's code counts, and each layer's."""
        account, region = context.account, context.region

        async def body(tx: Transaction) -> tuple[int, int, int]:
            stored = await tx.scan(records.FUNCTIONS, records.place(account, region))
            reserved = size = 0
            for record in stored:
                function = records.decode(record, Function)
                reserved += function.reserved or 0
                reference = Reference(account, region, record.sort.decode())
                versions = [function.latest, *await records.versions(tx, reference)]
                size += sum(version.size for version in versions)
            for name in await records.layer_names(tx, account, region):
                size += sum(one.size for one in await records.layers(tx, account, region, name))
            return len(stored), reserved, size

        functions, reserved, size = await self._store.transact(body)
        return {
            "AccountLimit": {
                "TotalCodeSize": _STORAGE,
                "CodeSizeUnzipped": MAX_UNZIPPED,
                "CodeSizeZipped": MAXIMUM_ZIPPED,
                "ConcurrentExecutions": REGIONAL,
                "UnreservedConcurrentExecutions": REGIONAL - reserved,
            },
            "AccountUsage": {"TotalCodeSize": size, "FunctionCount": functions},
        }
