"""The delivery engine: from a source to a function, for everything asynchronous.

One event, top to bottom, is `Lane._run` and `Lane._deliver`: ask the scaling decision for a
place, and flow control for leave → claim a batch → filter → invoke → outcome → settle, retry
later or dead-letter, in one transaction. Both are asked before the claim, so that nothing
waits under a lease, and what is not to be called yet keeps its receive count.

A lane owns no durable state: everything it does is in the store, so a lane that dies with
its node is made again and goes on, and what it had in flight comes back when its lease
ends, or at once where `in_flight` knows of it. It wakes when a commit brings work, when
something becomes due, when a call ends, or when it is told to; it never polls.

The states of a lane:

    running ⇄ paused     no more claims; what runs goes on
       └──────┴──→ stopped   the same for good; what was claimed and not called yet goes back
                             uncounted, to sources that can; `stop` waits until nothing runs
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from lambent.core.arns import Arn
from lambent.core.clock import Clock
from lambent.core.errors import AwsError, StoreError
from lambent.events import claiming, scaling, settling
from lambent.events.contract import Batch, Event, Outcome, Postponing, Source, Targets
from lambent.events.control import Control, Fence, Grant, Permits
from lambent.events.in_flight import Note
from lambent.events.load import Claim, Load, slices
from lambent.events.observer import SILENT, Observer
from lambent.events.policy import Attempt, Policy, Verdict
from lambent.events.retry import after_system_error
from lambent.events.settling import PutAside
from lambent.store.contract import Store, Transaction

log = logging.getLogger(__name__)

CHUNK = 100
"""The most items claimed at once, so that a large batch is bounded in bytes as it fills."""

_TROUBLE_PAUSE = 10.0
"""The longest wait, in seconds, after the source could not be read."""

_BLOCKED_PAUSE = 1.0
"""The longest wait, in seconds, when something is due but cannot be claimed."""


class Lane:
    """Delivers what comes from one source by one policy. Made per mapping, or per function.

    With `noted_as` (the node's id), what is in flight is written down for
    `in_flight.give_back`; for sources with long leases, and tickets of plain data.
    `permits` is asked for one before each claim. `share` gives this node's rank among how many
    that serve the source together: the policy's rule is divided then. `put_aside` is what
    becomes of items that the policy or `control` puts aside; without it they come again.
    `fence` is asked in the transaction of each claim.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        store: Store,
        targets: Targets,
        source: Source,
        arn: Arn,
        policy: Policy,
        name: str = "",
        noted_as: Callable[[], str] | None = None,
        observer: Observer = SILENT,
        control: Control | None = None,
        permits: Permits | None = None,
        share: Callable[[], tuple[int, int]] | None = None,
        put_aside: PutAside | None = None,
        fence: Fence | None = None,
    ) -> None:
        self.problem: str | None = None
        self.last_result: str | None = None
        self._clock = clock
        self._store = store
        self._targets = targets
        self._source = source
        self._arn = arn
        self._policy = policy
        self._name = name or str(arn)
        self._noted_as = noted_as
        self._observer = observer
        self._control = control
        self._permits = permits
        self._put_aside = put_aside
        self._fence = fence
        self._share = share
        self._scale = scaling.begin(self._rule())
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._paused = False
        self._running: set[asyncio.Task[None]] = set()
        self._settling: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        if control is not None:
            control.attach(self._changed.set)

    # Control ---------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, or go on after `pause`."""
        self._paused = False
        self._changed.set()
        if self._loop is None:
            self._loop = asyncio.create_task(self._run(), name=f"lane {self._name}")
            self._loop.add_done_callback(self._report)

    def pause(self) -> None:
        """Claim no more; what runs goes on."""
        self._paused = True
        self._changed.set()

    def regulate(self, control: Control | None) -> None:
        """Ask this control from now on; what runs goes on under the one that granted it."""
        if self._control is not None and self._control is not control:
            self._control.detach(self._changed.set)
        self._control = control
        if control is not None:
            control.attach(self._changed.set)
        self._changed.set()

    async def stop(self) -> None:
        """Claim no more, and return once nothing runs."""
        self._stopping.set()
        if self._control is not None:
            self._control.detach(self._changed.set)
        self._changed.set()
        if self._loop is not None:
            await self._loop
        await self.drained()

    async def drained(self) -> None:
        """Return once no call is in flight."""
        while self._running:
            await asyncio.wait(set(self._running))

    @property
    def in_flight(self) -> int:
        """How many places are taken. One whose call is over is free: what comes next is claimed
        while that is settled, in one transaction on stores that share them."""
        return len(self._running) - len(self._settling)

    @property
    def places(self) -> int:
        """How many calls may run at once now."""
        return self._scale.places

    # The loop --------------------------------------------------------------------------

    async def _run(self) -> None:
        troubles = 0
        blocked = 0
        while not self._stopping.is_set():
            self._changed.clear()
            control = self._control
            if self._paused or not self._has_place():
                if control is not None:
                    control.withdraw()
                pause = None if self._paused else self._next_place()
                await self._clock.wait(self._changed, pause)
                continue
            limit = min(self._policy.batch_size, CHUNK)
            grant: Grant | None = None
            if control is not None:
                grant = control.grant(limit, self.in_flight)
                if grant is None:
                    await self._clock.wait(self._changed, control.wait())
                    continue
                limit = grant.items
            if self._permits is not None and not await self._permitted(self._permits):
                self._let_go(control, grant, permitted=False)
                await self._wait(self._permits.freed, _BLOCKED_PAUSE)
                continue
            arrived = self._source.arrived(self._arn)
            try:
                claim = await self._claim(limit)
            except Exception as error:
                self._let_go(control, grant)
                troubles += 1
                self._note_trouble(error)
                # Not on `arrived`: a source that is gone may have no news to wait for.
                await self._clock.wait(self._changed, after_system_error(troubles, _TROUBLE_PAUSE))
                continue
            troubles = 0
            self.problem = None
            if claim is None:
                self._let_go(control, grant)
                await self._clock.wait(self._changed, _TROUBLE_PAUSE)
                continue
            self._heard(claim)
            if claim.batch.tickets:
                await self._dispatch(claim, control, grant)
            else:
                self._let_go(control, grant)
            if claim.claimed >= limit:
                blocked = 0
                continue
            if claim.claimed == 0 and not self.in_flight:
                self._scale = scaling.idle(self._scale, self._rule())
            wait = claim.wait
            if wait == 0.0:
                # Due, but not to be had: moved to a dead-letter queue in the claim, or
                # held back by an earlier one of its group.
                wait = min(0.05 * blocked, _BLOCKED_PAUSE)
                blocked += 1
            if await self._wait(arrived, wait):
                blocked = 0

    async def _permitted(self, permits: Permits) -> bool:
        try:
            return await permits.enter()
        except StoreError as error:
            self._note_trouble(error)
            return False

    def _let_go(
        self, control: Control | None, grant: Grant | None, *, permitted: bool = True
    ) -> None:
        """What was taken for one more call is not needed (any more)."""
        if control is not None and grant is not None:
            control.release(grant)
        if permitted and self._permits is not None:
            self._permits.leave()

    def _rule(self) -> scaling.Rule:
        """What the policy's rule gives this node. Permits bound all nodes together already."""
        rule = self._policy.rule
        if self._share is None:
            return rule
        part = scaling.part(rule, *self._share())
        return part if self._permits is None else replace(part, maximum=rule.maximum)

    def _has_place(self) -> bool:
        if self.in_flight < self._scale.places:
            self._scale = scaling.free(self._scale)
            return len(self._settling) <= self._scale.places
        self._scale = scaling.saturated(self._scale, self._rule(), self._clock.now())
        return self.in_flight < self._scale.places

    def _next_place(self) -> float | None:
        return scaling.next_place(self._scale, self._rule(), self._clock.now())

    async def _wait(self, arrived: asyncio.Event, timeout: float | None) -> bool:
        """Wait until work arrives, the lane is told something, or time is up; whether it
        was an arrival."""
        if arrived.is_set() or self._changed.is_set() or (timeout is not None and timeout <= 0):
            await self._clock.sleep(0)
            return arrived.is_set()
        waits = [
            asyncio.create_task(self._clock.wait(arrived, timeout)),
            asyncio.create_task(self._changed.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
        return arrived.is_set()

    def _heard(self, claim: Claim) -> None:
        batch = claim.batch
        seen = claim.claimed - batch.suppressed - batch.following
        if seen:
            self._observer.claimed(batch, seen - len(batch.tickets), claim.at)
        if batch.suppressed:
            self._observer.suppressed(batch.suppressed, claim.at)
        if batch.dead_lettered:
            self._observer.dead_lettered(batch.dead_lettered, claim.at)

    def _note_trouble(self, error: Exception) -> None:
        self.problem = error.message if isinstance(error, AwsError) else str(error)
        if isinstance(error, (AwsError, StoreError)):
            log.warning("%s: cannot claim: %s", self._name, error)
        else:
            log.exception("%s: cannot claim", self._name, exc_info=error)

    # Claim and gather ------------------------------------------------------------------

    async def _claim(self, limit: int) -> Claim | None:
        claim = await self._store.transact(
            lambda tx: claiming.claim(
                tx,
                self._source,
                self._arn,
                self._policy,
                limit,
                fence=self._fence,
                control=self._control,
                put_aside=self._put_aside,
                noted_as=self._noted_as,
            )
        )
        if claim is None and self._fence is not None:
            self._fence.lost()
        return claim

    async def _dispatch(self, claim: Claim, control: Control | None, grant: Grant | None) -> None:
        load = Load(claim.at, claim.lease, control=control, grant=grant)
        self._add(load, claim)
        load.keeper = asyncio.create_task(self._keep(load))
        stopped = self._policy.window > 0 and not await self._gather(load)
        if (stopped or self._stopping.is_set()) and isinstance(self._source, Postponing):
            await self._give_back(load, self._source)
            return
        if load.following:
            self._observer.suppressed(load.following, load.claimed)
        task = asyncio.create_task(self._deliver(load), name=f"delivery {self._name}")
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if task not in self._settling or len(self._settling) > self._scale.places:
            self._changed.set()
        self._settling.discard(task)
        self._report(task)

    def _report(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: broke off", self._name, exc_info=error)

    def _add(self, load: Load, claim: Claim) -> None:
        batch = claim.batch
        if load.control is not None:
            load.control.took(batch, claim.at)
        if claim.note is not None:
            load.notes.append(claim.note)
        for record in batch.records:
            part = self._policy.encode(record)
            load.parts.append(part)
            load.size += len(part)
        load.following += batch.following
        load.records.extend(batch.records)
        load.identifiers.extend(batch.identifiers)
        load.tickets.extend(batch.tickets)

    async def _gather(self, load: Load) -> bool:
        """Fill the batch until it is full or the window, begun by its first item, closes.
        False: the lane may not go on with it."""
        policy = self._policy
        closes = self._clock.monotonic() + policy.window
        while (
            len(load.tickets) < policy.batch_size
            and load.size < policy.max_bytes
            and not self._stopping.is_set()
        ):
            left = closes - self._clock.monotonic()
            if left <= 0:
                return True
            self._changed.clear()
            arrived = self._source.arrived(self._arn)
            limit = min(policy.batch_size - len(load.tickets), CHUNK)
            if load.control is not None and load.grant is not None:
                limit = load.control.more(load.grant, limit)
                if limit <= 0:
                    pause = load.control.wait()
                    if pause is None:
                        return True
                    await self._clock.wait(self._changed, min(left, pause))
                    continue
            try:
                claim = await self._claim(limit)
            except Exception as error:
                self._note_trouble(error)
                return True
            if claim is None:
                return False
            self._heard(claim)
            self._add(load, claim)
            if claim.claimed < limit:
                if claim.wait == 0.0:
                    left = min(left, _BLOCKED_PAUSE)
                await self._wait(arrived, left if not claim.wait else min(left, claim.wait))
        return True

    async def _give_back(self, load: Load, source: Postponing) -> None:
        """The lane stops before the call was made: as if nothing had been claimed."""
        load.finished.set()
        if load.keeper is not None:
            await load.keeper
        try:
            await self._store.transact(
                lambda tx: settling.give_back(tx, source, self._arn, load.tickets, load.notes)
            )
        except (AwsError, StoreError) as error:
            # It comes again when the leases end.
            log.warning("%s: cannot give back what was not tried: %s", self._name, error)
        self._let_go(load.control, load.grant)

    async def _keep(self, load: Load) -> None:
        """Extend the leases at half their life for as long as the work goes on."""
        while not await self._clock.wait(load.finished, load.lease / 2):
            try:
                await self._store.transact(
                    lambda tx: self._source.extend(tx, self._arn, tuple(load.tickets), load.lease)
                )
                load.extended = True
            except (AwsError, StoreError) as error:
                log.warning("%s: cannot extend the leases: %s", self._name, error)

    # Invoke and settle -----------------------------------------------------------------

    async def _deliver(self, load: Load) -> None:
        try:
            for begin, end in slices(load.parts, self._policy.max_bytes):
                if not await self._deliver_slice(load, begin, end):
                    # Order within a group: what follows a failure waits with it.
                    rest = load.batch(end, len(load.parts))
                    if rest.tickets:
                        again = Verdict(again=[(ticket, None) for ticket in rest.tickets])
                        await self._conclude(rest, again, load.notes)
                    break
        finally:
            self._let_go(load.control, load.grant)
            load.finished.set()
            if load.keeper is not None:
                await load.keeper

    async def _deliver_slice(self, load: Load, begin: int, end: int) -> bool:
        """One call; whether it went well."""
        batch = load.batch(begin, end)
        tries = 0
        while True:
            tries += 1
            self._observer.called(batch, self._clock.now())
            began = self._clock.monotonic()
            outcome = await self._call(batch, load.parts[begin:end])
            attempt = Attempt(
                batch,
                outcome,
                tries,
                load.claimed,
                load.lease,
                self._clock.now(),
                load.extended,
                self._clock.monotonic() - began,
            )
            verdict = self._policy.judge(attempt)
            control = load.control
            if control is not None:
                verdict = control.ended(attempt, verdict, len(self._running))
            self._learn(verdict, outcome, control is not None and control.adapts)
            self._observer.ended(attempt, verdict, attempt.seconds)
            if verdict.retry_after is None:
                break
            if await self._clock.wait(self._stopping, verdict.retry_after):
                verdict = Verdict(again=[(ticket, 0.0) for ticket in batch.tickets])
                break
        last = end == len(load.parts)
        task = asyncio.current_task()
        # Permits are held until what was called is settled.
        if last and task is not None and self._permits is None:
            self._settling.add(task)
            self._changed.set()
        await self._conclude(batch, verdict, load.notes if last else ())
        return verdict.healthy

    async def _call(self, batch: Batch, parts: Sequence[bytes]) -> Outcome:
        try:
            return await self._policy.call(batch, parts)
        except AwsError as error:
            return Outcome(b"", error="Failed", message=error.message)
        except Exception as error:
            log.exception("%s: the call could not be made", self._name)
            return Outcome(b"", error="Failed", message=str(error))

    def _learn(self, verdict: Verdict, outcome: Outcome, adapted: bool) -> None:
        # A control with a limit of its own answers failures; the scale only bounds it then.
        if not adapted:
            if verdict.healthy:
                self._scale = scaling.succeeded(self._scale, self._rule())
            else:
                self._scale = scaling.failed(self._scale)
        self.last_result = "OK" if outcome.error is None else "PROBLEM: Function call failed"

    async def _conclude(self, batch: Batch, verdict: Verdict, notes: Sequence[Note]) -> None:
        """Settle, release and send, in one transaction; while the store is unavailable, try
        again (the leases are being kept)."""
        tries = 0
        while True:
            try:
                refused = await self._store.transact(lambda tx: self._settle(tx, verdict, notes))
                self._observer.settled(batch, verdict, self._clock.now())
                for event in refused:
                    self._observer.refused(event)
                return
            except StoreError as error:
                tries += 1
                log.warning("%s: cannot settle: %s", self._name, error)
            except AwsError as error:
                log.warning("%s: the source is gone: %s", self._name, error.message)
                return
            if await self._clock.wait(self._stopping, after_system_error(tries, _TROUBLE_PAUSE)):
                return

    async def _settle(
        self, tx: Transaction, verdict: Verdict, notes: Sequence[Note]
    ) -> Sequence[Event]:
        return await settling.settle(
            tx,
            self._source,
            self._arn,
            self._targets,
            verdict,
            notes,
            self._put_aside,
            self._name,
        )
