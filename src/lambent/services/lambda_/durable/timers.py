"""What becomes due of executions: the end of a wait, a step's next attempt, timeouts, and the
end of an ended execution's retention.

Timers are work with a due time in the one queue of the store, so they outlive any node, and
take no place while they wait. Each goes off in one transaction with what it changes.
"""

from __future__ import annotations

import functools
import logging

import msgspec

from lambent.core.duty import Duty
from lambent.core.errors import StoreError
from lambent.events.contract import Targets
from lambent.services.contract import Platform
from lambent.services.lambda_.durable import ending, machine
from lambent.services.lambda_.durable.book import Book, remove
from lambent.services.lambda_.durable.model import PAUSED, PAUSING, TIMED_OUT, TIMERS, Timer
from lambent.store.contract import NewWork, Store, Transaction

_AT_ONCE = 50
_LEASE = 30.0
_PUT_OFF = 60.0
"""Seconds until a timer is tried again that stands in the others' way."""
_RETRY = 5.0
_log = logging.getLogger(__name__)


def duty(platform: Platform) -> Duty:
    """What a node does about timers."""
    store = platform.store
    return Duty(
        platform.clock,
        "letting timers of durable executions go off",
        Timers(store, platform.targets).step,
        retry=_RETRY,
        woken_by=functools.partial(store.work_arrived, TIMERS),
    )


class Timers:
    """Lets timers go off, one transaction for those that are due."""

    def __init__(self, store: Store, targets: Targets) -> None:
        self._store = store
        self._targets = targets

    async def step(self) -> float | None:
        """Let go off what is due; seconds until the next one is, None when there is none."""
        try:
            return await self._let_off(_AT_ONCE)
        except StoreError:
            raise
        except Exception:
            _log.exception("timers could not go off together: now one by one")
        for _ in range(_AT_ONCE):
            try:
                due = await self._let_off(1)
            except StoreError:
                raise
            except Exception:
                _log.exception("a timer could not go off, and is put off")
                await self._store.transact(lambda tx: tx.claim(TIMERS, 1, _PUT_OFF))
            else:
                if due is None or due > 0:
                    return due
        return 0.0

    async def _let_off(self, most: int) -> float | None:
        async def body(tx: Transaction) -> float | None:
            for work in await tx.claim(TIMERS, most, _LEASE):
                await self._fire(tx, msgspec.msgpack.decode(work.payload, type=Timer))
                await tx.settle(TIMERS, work.id, work.token)
            due = await tx.next_due(TIMERS)
            return None if due is None else max(due - tx.now, 0.0)

        return await self._store.transact(body)

    async def _fire(self, tx: Transaction, timer: Timer) -> None:
        book = await Book.open(tx, timer.key)
        if book is None:
            return
        execution = book.execution
        if timer.kind == "retention":
            await remove(tx, timer.key, execution)
            return
        if execution.over:
            return
        if timer.operation is None:
            await self._time_out(book)
            return
        operation = await book.operation(timer.operation)
        change = machine.fired(operation, timer, tx.now) if operation is not None else None
        if isinstance(change, float):
            again = msgspec.msgpack.encode(timer)
            await tx.enqueue(TIMERS, [NewWork(again, change)])
        elif change is not None:
            await book.complete(change)
            await book.close()

    async def _time_out(self, book: Book) -> None:
        execution = book.execution
        pause = execution.pause
        if execution.status in (PAUSED, PAUSING) and pause is not None and pause.holds_timeout:
            return  # resuming sets another timer
        left = execution.deadline - book.tx.now
        if left > 0:
            await book.timer("timeout", left)
            return
        error = {
            "ErrorType": "DurableExecution.TimedOut",
            "ErrorMessage": f"The durable execution timed out after {execution.timeout} seconds.",
        }
        await ending.end(book, self._targets, TIMED_OUT, error=error)
        await book.close()
