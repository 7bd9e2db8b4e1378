"""The engine: claims stack operations and carries each to its end, crash or no crash.

An operation is one item of work, leased while it runs and settled with its last write. A
node that dies leaves the item; the lease runs out and the next claim goes on from the
records. `wait` lets callers in this process wait for an end.
"""

from __future__ import annotations

import asyncio
import logging
from weakref import WeakValueDictionary

import msgspec

from lambent.core.duty import Duty
from lambent.services.cloudformation import deployment, records
from lambent.services.cloudformation.model import QUEUE, Leftover, Resource, Stack
from lambent.services.cloudformation.session import LEASE, Overtaken, Session
from lambent.services.contract import Platform
from lambent.store.contract import Transaction, Work

log = logging.getLogger(__name__)

_ATTEMPTS = 20
"""Claims after which an operation that always breaks is given up."""
_BATCH = 16

_GIVEN_UP = {
    "create": "CREATE_FAILED",
    "update": "UPDATE_ROLLBACK_FAILED",
    "delete": "DELETE_FAILED",
}


class Engine:
    """Runs the stack operations that this node claims."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._claiming = Duty(
            platform.clock,
            "looking for stack operations",
            self._claim,
            retry=LEASE,
            woken_by=lambda: platform.store.work_arrived(QUEUE),
        )
        self._running: dict[int, asyncio.Task[None]] = {}
        self._claims: dict[int, Work] = {}
        self._waiters: dict[str, set[asyncio.Event]] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def start(self) -> None:
        """Begin to claim."""
        self._claiming.start()

    async def stop(self) -> None:
        """Let go: what runs is given back and goes on at the next start."""
        await self._claiming.stop()
        tasks = [*self._running.values()]
        claims = [*self._claims.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

        async def give_back(tx: Transaction) -> None:
            for work in claims:
                await tx.release(QUEUE, work.id, work.token, 0)

        if claims:
            await self._platform.store.transact(give_back)

    async def wait(self, account: str, region: str, stack_id: str, timeout: float) -> bool:
        """Wait until the stack has no operation in work; False when `timeout` seconds
        passed first."""

        async def busy(tx: Transaction) -> bool:
            stack = await records.get_stack(tx, account, region, stack_id)
            return stack is not None and stack.status.endswith("_IN_PROGRESS")

        ended = asyncio.Event()
        waiting = self._waiters.setdefault(stack_id, set())
        waiting.add(ended)
        try:
            if not await self._platform.store.transact(busy):
                return True
            return await self._platform.clock.wait(ended, timeout)
        finally:
            waiting.discard(ended)
            if not waiting:
                self._waiters.pop(stack_id, None)

    async def _claim(self) -> float | None:
        async def look(tx: Transaction) -> tuple[list[Work], float | None]:
            claimed = await tx.claim(QUEUE, _BATCH, LEASE)
            due = await tx.next_due(QUEUE)
            return claimed, None if due is None else due - tx.now

        claimed, due = await self._platform.store.transact(look)
        for work in claimed:
            # Claimed again while still running here: the older run was overtaken.
            if (older := self._running.get(work.id)) is not None:
                older.cancel()
            self._claims[work.id] = work
            self._running[work.id] = asyncio.create_task(self._run(work))
        if claimed:
            return 0.0
        return None if due is None else max(due, 0.05)

    async def _run(self, work: Work) -> None:
        ticket = msgspec.json.decode(work.payload, type=records.Ticket)
        beat = asyncio.create_task(self._beat(work, asyncio.current_task()))
        # A deletion can begin while a creation is under way: the overtaken run ends first.
        turn = self._turns.setdefault(ticket.stack_id, asyncio.Lock())
        try:
            async with turn:
                session = await self._open(work, ticket)
                if session is not None:
                    await self._carry(session)
        except Overtaken:
            log.info("operation %s of %s was overtaken", ticket.operation, ticket.stack_id)
        except Exception:
            # The lease runs out and the operation is taken up again.
            log.exception("operation %s of %s broke", ticket.operation, ticket.stack_id)
        finally:
            beat.cancel()
            if self._running.get(work.id) is asyncio.current_task():
                del self._running[work.id]
                self._claims.pop(work.id, None)
            for ended in self._waiters.get(ticket.stack_id, ()):
                ended.set()

    async def _carry(self, session: Session) -> None:
        if session.work.attempts > _ATTEMPTS:
            status = _GIVEN_UP[session.operation.kind]
            await session.finish(status, "Internal Failure", keep_operation=False)
            return
        await deployment.run(session)

    async def _open(self, work: Work, ticket: records.Ticket) -> Session | None:
        async def read(
            tx: Transaction,
        ) -> tuple[Stack | None, dict[str, Resource], list[Leftover]]:
            stack = await records.get_stack(tx, ticket.account, ticket.region, ticket.stack_id)
            if stack is None or stack.operation is None or stack.operation.id != ticket.operation:
                await tx.settle(QUEUE, work.id, work.token)
                return None, {}, []
            return (
                stack,
                await records.get_resources(tx, stack.id),
                await records.get_leftovers(tx, stack.id),
            )

        stack, resources, leftovers = await self._platform.store.transact(read)
        if stack is None or stack.operation is None:
            return None
        return Session(self._platform, work, stack, stack.operation, resources, leftovers)

    async def _beat(self, work: Work, run: asyncio.Task[None] | None) -> None:
        """Hold the lease while `run` goes on; end it when the claim is lost, since whatever
        it waits for may never come."""

        async def extend(tx: Transaction) -> bool:
            return await tx.extend(QUEUE, work.id, work.token, LEASE)

        while True:
            await self._platform.clock.sleep(LEASE / 3)
            if not await self._platform.store.transact(extend):
                if run is not None:
                    run.cancel()
                return
