"""One execution within a transaction: what is read of it, and what is written at the end.

Everything that changes an execution goes through a book, so that its counts, its history and
the work that follows from a change are one commit with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from lambent.services.lambda_.durable import machine
from lambent.services.lambda_.durable.machine import Change
from lambent.services.lambda_.durable.model import (
    DATA,
    EXECUTIONS,
    NAMES,
    OPERATIONS,
    ORDER,
    PAUSED,
    TIMERS,
    Execution,
    Key,
    Operation,
    Run,
    Timer,
)
from lambent.services.lambda_.names import Reference
from lambent.services.lambda_.records import find_function_record
from lambent.store import removal
from lambent.store.contract import NewWork, Record, Transaction
from lambent.store.removal import Gone

_encode = msgspec.msgpack.Encoder().encode

T = TypeVar("T")


def queue_of(account: str, region: str, function: str) -> str:
    """The work queue of what a function is to be invoked for."""
    return f"lambda.durable/{account}/{region}/{function}"


def decode(record: Record, kind: type[T]) -> T:
    """A record's value."""
    return msgspec.msgpack.decode(record.value, type=kind)


async def find(tx: Transaction, key: Key) -> Execution | None:
    """The execution, or None; to look at. Those of a function that is gone are gone with it."""
    function = Reference(key.account, key.region, key.function)
    if await find_function_record(tx, function) is None:
        return None
    record = await tx.get(EXECUTIONS, key.owner, key.id.encode())
    return None if record is None else decode(record, Execution)


async def datum(tx: Transaction, key: Key, name: str) -> str | None:
    """The execution's "input" or "result"; None when it has none."""
    record = await tx.get(DATA, key.own, name.encode())
    return None if record is None else record.value.decode()


async def operation(tx: Transaction, key: Key, id: str) -> Operation | None:
    """An operation, or None."""
    record = await tx.get(OPERATIONS, key.own, id.encode())
    return None if record is None else decode(record, Operation)


async def operations(tx: Transaction, key: Key) -> list[Operation]:
    """All operations, in the order of their start; the execution's own first, with its input."""
    execution = await find(tx, key)
    if execution is None:
        return []
    root = Operation(
        id=key.id,
        type="EXECUTION",
        status="STARTED",
        started=execution.started,
        input=await datum(tx, key, "input"),
    )
    by_id = {
        record.sort: decode(record, Operation) for record in await tx.scan(OPERATIONS, key.own)
    }
    order = [by_id[record.value] for record in await tx.scan(ORDER, key.own)]
    return [root, *order]


async def remove(tx: Transaction, key: Key, execution: Execution) -> None:
    """Delete all that there is of an execution."""
    await _remove_entry(tx, key, execution)
    await removal.remove(tx, *_held(key))


async def remove_some(tx: Transaction, function: Reference, limit: int) -> int:
    """Remove up to so much of the executions of a function that is gone, and of what they wait
    for; how much. Fewer than that: it was all."""
    queue = removal.work(queue_of(function.account, function.region, function.name))
    removed = await queue.remove(tx, limit)
    if removed == limit:
        return removed
    owner = Key(function.account, function.region, function.name, "").owner
    for record in await tx.scan(EXECUTIONS, owner, limit=limit - removed):
        key = Key(function.account, function.region, function.name, record.sort.decode())
        removed += await removal.remove_some(tx, _held(key), limit - removed)
        if removed == limit:
            break
        await _remove_entry(tx, key, decode(record, Execution))
        removed += 1
        if removed == limit:
            break
    return removed


def _held(key: Key) -> list[Gone]:
    """What an execution holds beside its own record."""
    collections = (DATA, OPERATIONS, ORDER)
    return [*(removal.records(one, key.own) for one in collections), removal.log(key.history)]


async def _remove_entry(tx: Transaction, key: Key, execution: Execution) -> None:
    await tx.delete(EXECUTIONS, key.owner, key.id.encode())
    named = await tx.get(NAMES, key.owner, execution.name.encode())
    if named is not None and named.value == key.id.encode():
        await tx.delete(NAMES, key.owner, execution.name.encode())


class Book:
    """An execution that is about to change. `close` writes what changed."""

    def __init__(self, tx: Transaction, key: Key, execution: Execution) -> None:
        self.tx = tx
        self.key = key
        self.execution = execution
        self.changed: dict[str, Operation] = {}
        self._events: list[bytes] = []

    @classmethod
    async def open(cls, tx: Transaction, key: Key) -> Book | None:
        """The execution's book; None when there is no such execution."""
        execution = await find(tx, key)
        return None if execution is None else cls(tx, key, execution)

    async def operation(self, id: str) -> Operation | None:
        """An operation as it is now."""
        return self.changed.get(id) or await operation(self.tx, self.key, id)

    async def change(self, change: Change) -> Operation:
        """An operation becomes what the change says, with what follows from it."""
        execution, new = self.execution, change.operation
        before = await self.operation(new.id) if new.order else None
        if before is None:
            execution.operations += 1
            new = msgspec.structs.replace(new, order=execution.operations)
            order = f"{new.order:08d}".encode()
            await self.tx.put(ORDER, self.key.own, order, new.id.encode())
        execution.waiting += machine.outstanding(new) - machine.outstanding(before)
        self.changed[new.id] = new
        if change.event is not None:
            self.tell(*change.event, new)
        for kind, delay in change.timers:
            await self.timer(kind, delay, new.id, new.attempt)
        return new

    async def complete(self, change: Change) -> None:
        """Something from outside changed an operation: the function is to hear of it."""
        new = await self.change(change)
        self.execution.unseen.append(new.id)
        await self.stir()

    async def stir(self) -> None:
        """The function has something to go on with: let it run, now or after what runs."""
        execution = self.execution
        execution.stirred = True
        if not execution.active and not execution.over and execution.status != PAUSED:
            await self.run()

    async def run(self) -> None:
        """Have the function invoked."""
        self.execution.active = True
        await self.enqueue(Run(self.key.id))

    async def enqueue(self, run: Run) -> None:
        """Add to what the function is invoked for."""
        queue = queue_of(self.key.account, self.key.region, self.key.function)
        await self.tx.enqueue(queue, [NewWork(_encode(run))])

    async def timer(
        self, kind: str, delay: float, operation: str | None = None, attempt: int = 0
    ) -> None:
        """Something becomes due after so many seconds."""
        timer = Timer(self.key, kind, operation, attempt)
        await self.tx.enqueue(TIMERS, [NewWork(_encode(timer), delay)])

    def tell(self, type: str, details: Mapping[str, Any], of: Operation | None = None) -> None:
        """Add an event to the history."""
        self.execution.events += 1
        event: dict[str, Any] = {"EventType": type, "EventId": self.execution.events}
        members = (
            ("Id", of.id if of else self.key.id),
            ("Name", of.name if of else self.execution.name),
            ("ParentId", of.parent if of else None),
            ("SubType", of.sub_type if of else None),
        )
        event.update((member, value) for member, value in members if value is not None)
        event[f"{type}Details"] = dict(details)
        self._events.append(_encode(event))

    async def put_datum(self, name: str, value: str) -> None:
        """Keep the execution's "input" or "result"."""
        await self.tx.put(DATA, self.key.own, name.encode(), value.encode())

    async def close(self) -> None:
        """Write what changed."""
        for id, one in self.changed.items():
            await self.tx.put(OPERATIONS, self.key.own, id.encode(), _encode(one))
        if self._events:
            await self.tx.append(self.key.history, self._events)
        value = _encode(self.execution)
        await self.tx.put(EXECUTIONS, self.key.owner, self.key.id.encode(), value)
