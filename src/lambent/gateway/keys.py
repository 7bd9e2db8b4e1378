"""Access keys in the store: found for the gateway, made for the node itself.

IAM and STS make keys of their own in their own transactions; see core.credentials for the
record that all agree on. A key is read anew for each request that names one, so what IAM
ends has ended.
"""

from __future__ import annotations

from lambent.core import credentials
from lambent.core.clock import Clock
from lambent.core.credentials import AccessKey
from lambent.core.ids import Ids
from lambent.store.contract import Store, Transaction

_SETTINGS = "lambent.node"
_ADMINISTRATOR = b"administrator"


class StoredKeys:
    """The keys of one store (a `core.credentials.KeySource`)."""

    def __init__(self, store: Store, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def find(self, access_key_id: str) -> AccessKey | None:
        async def body(tx: Transaction) -> AccessKey | None:
            record = await tx.get(credentials.COLLECTION, credentials.partition(access_key_id))
            return credentials.decode(record.value) if record else None

        return await self._store.transact(body)

    async def put(self, key: AccessKey) -> AccessKey:
        """Store a key."""

        async def body(tx: Transaction) -> None:
            await _put(tx, key)

        await self._store.transact(body)
        return key

    async def administrator(self, account: str) -> AccessKey | None:
        """The administrator's key, if it is made by this very call; None when there was one.

        It is told once: afterwards only the store has it.
        """
        principal = f"arn:aws:iam::{account}:root"
        key = credentials.permanent(self._ids, self._clock.now(), account, principal, account)

        async def body(tx: Transaction) -> AccessKey | None:
            if await tx.get(_SETTINGS, _ADMINISTRATOR) is not None:
                return None
            await tx.put(_SETTINGS, _ADMINISTRATOR, b"", key.id.encode())
            await _put(tx, key)
            return key

        return await self._store.transact(body)


async def _put(tx: Transaction, key: AccessKey) -> None:
    await tx.put(
        credentials.COLLECTION, credentials.partition(key.id), b"", credentials.encode(key)
    )
