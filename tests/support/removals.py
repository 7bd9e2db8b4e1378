"""What tests know of the removal of what is gone (`lambent.store.removal`)."""

from __future__ import annotations

from tests.crash.killing import until
from tests.support.nodes import ThreadNode

from lambent.store import removal
from lambent.store.contract import Store, Transaction


async def left(store: Store) -> int:
    """How many notes there are of what is to be removed."""

    async def body(tx: Transaction) -> int:
        return len(await tx.browse(removal.QUEUE))

    return await store.transact(body)


def all_removed(node: ThreadNode) -> None:
    """Wait until nothing is left to be removed."""
    store = node.node._store
    assert store is not None
    until(lambda: node.run(left(store)), lambda notes: notes == 0)
