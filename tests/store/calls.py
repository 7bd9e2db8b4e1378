"""Short ways to call one transaction method in a transaction of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from lambent.store.contract import Store, Transaction


async def call(store: Store, method: str, *args: Any, **kwargs: Any) -> Any:
    async def body(tx: Transaction) -> Any:
        return await getattr(tx, method)(*args, **kwargs)

    return await store.transact(body)


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def whole(store: Store, id: str, start: int = 0, length: int | None = None) -> bytes:
    return b"".join([piece async for piece in store.blobs.read(id, start, length)])
