"""Looks through a queue's messages without taking them, page by page, each page a transaction
of its own so that others come in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from lambent.services.sqs.model import Queue
from lambent.services.sqs.recovery.letters import Letter, Overview, letter
from lambent.services.sqs.recovery.selection import Selection, matches
from lambent.services.sqs.retention import kept_since
from lambent.store.contract import Store, Transaction

_PAGE = 100
LOOKED_AT = 100_000
"""The most messages that a question looks at which is about many queues, or can be gone on with."""


@dataclass(frozen=True, slots=True)
class Page:
    """Letters that were meant, at `now`; `after` is the last item that was looked at, and
    `end` whether it was the queue's last."""

    letters: list[Letter]
    now: float
    after: int
    end: bool
    looked: int


async def pages(
    store: Store, queue: Queue, selection: Selection, after: int = 0, most: int | None = None
) -> AsyncIterator[Page]:
    """The queue's letters that are meant, in order, of `most` messages (None: of all)."""
    looked = 0
    while most is None or looked < most:
        start = after

        async def body(tx: Transaction, start: int = start) -> Page:
            items = await tx.browse(queue.work, after=start, limit=_PAGE)
            since = kept_since(tx.now, queue)
            found = [letter(work) for work in items if work.created > since]
            return Page(
                [one for one in found if matches(selection, one)],
                tx.now,
                items[-1].id if items else start,
                len(items) < _PAGE,
                len(items),
            )

        page = await store.transact(body)
        yield page
        looked += page.looked
        after = page.after
        if page.end:
            return


async def overview(
    store: Store, queue: Queue, selection: Selection, most: int | None = None
) -> tuple[Overview, float, bool]:
    """What lies there among `most` messages, when, and whether that is all of it."""
    found, now, end = Overview(), 0.0, False
    async for page in pages(store, queue, selection, most=most):
        found.add(page.letters, page.now)
        now, end = page.now, page.end
    return found, now, end
