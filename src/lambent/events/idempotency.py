"""Outcomes by key: what was begun or done under a key is not done again until it expires.

    (nothing) ──begin──▶ in progress ──finish──▶ done ──expires──▶ (nothing)
        ▲                    │ abandon, or its deadline passes
        └────────────────────┘

Whoever begins holds the key until it finishes, abandons, or its deadline passes; so a holder
that died blocks others no longer than its work could have lasted. An owner that begins again
(a message that comes again) takes over what it held itself. Every function here is part of the
caller's transaction, and transactions are serialisable: of two that begin at once, one does.

| collection | partition | sort |
| --- | --- | --- |
| idempotency | scope | SHA-256 of the key |
| idempotency.expiry | empty | when (seconds), scope and key: what `sweep` looks at |
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import Final, NamedTuple

import msgspec

from lambent.store.contract import Transaction

COLLECTION: Final = "idempotency"
EXPIRY: Final = "idempotency.expiry"


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What is known of a key. Times in seconds since the epoch.

    While it is in progress, `holder` may finish it, and `deadline` is when others may begin;
    `deadline` None means done, with `outcome`. It is forgotten at `expires`. `digest` is that
    of the payload it was begun with ("" when nobody said).
    """

    key: str
    owner: str
    holder: str
    begun: float
    deadline: float | None
    expires: float
    digest: str = ""
    outcome: bytes = b""


class State(Enum):
    """What `begin` found."""

    STARTED = "started"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    MISMATCH = "mismatch"


class Begun(NamedTuple):
    """What `begin` found, and the entry as it is now."""

    state: State
    entry: Entry


def decide(entry: Entry | None, owner: str, digest: str, now: float) -> State:
    """What someone who wants to begin finds. Pure."""
    if entry is None or entry.expires <= now:
        return State.STARTED
    if entry.deadline is not None:
        free = entry.deadline <= now or (bool(owner) and entry.owner == owner)
        return State.STARTED if free else State.IN_PROGRESS
    if digest and entry.digest and digest != entry.digest:
        return State.MISMATCH
    return State.DONE


def _sort(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


async def find(tx: Transaction, scope: str, key: str) -> Entry | None:
    """What is known of a key, None when nothing (any more)."""
    record = await tx.get(COLLECTION, scope.encode(), _sort(key))
    entry = msgspec.msgpack.decode(record.value, type=Entry) if record else None
    if entry is None or entry.expires <= tx.now:
        return None
    if entry.deadline is not None and entry.deadline <= tx.now:
        return None
    return entry


async def begin(
    tx: Transaction,
    scope: str,
    key: str,
    *,
    owner: str,
    holder: str,
    hold: float,
    keep: float,
    digest: str = "",
) -> Begun:
    """Begin under a key, held for `hold` seconds, unless someone else has it or it is done.

    What stays unfinished is forgotten `keep` seconds after its deadline.
    """
    record = await tx.get(COLLECTION, scope.encode(), _sort(key))
    entry = msgspec.msgpack.decode(record.value, type=Entry) if record else None
    state = decide(entry, owner, digest, tx.now)
    if state is State.STARTED:
        deadline = tx.now + hold
        entry = Entry(key, owner, holder, tx.now, deadline, deadline + keep, digest)
        await _put(tx, scope, entry)
        await _expect(tx, scope, entry)
    assert entry is not None, "only a new entry is begun without one"
    return Begun(state, entry)


async def finish(
    tx: Transaction, scope: str, key: str, holder: str, keep: float, outcome: bytes = b""
) -> bool:
    """It is done, and remembered for `keep` seconds; False when `holder` holds it no more."""
    entry = await _held(tx, scope, key, holder)
    if entry is None:
        return False
    done = msgspec.structs.replace(entry, deadline=None, expires=tx.now + keep, outcome=outcome)
    await _put(tx, scope, done)
    return True


async def prolong(tx: Transaction, scope: str, key: str, holder: str, hold: float) -> bool:
    """The work goes on: hold it for `hold` seconds from now. False as for `finish`."""
    entry = await _held(tx, scope, key, holder)
    if entry is None:
        return False
    more = tx.now + hold - (entry.deadline or tx.now)
    longer = msgspec.structs.replace(
        entry, deadline=tx.now + hold, expires=entry.expires + max(more, 0.0)
    )
    await _put(tx, scope, longer)
    return True


async def abandon(tx: Transaction, scope: str, key: str, holder: str) -> bool:
    """It was not done: anyone may begin. False as for `finish`."""
    if await _held(tx, scope, key, holder) is None:
        return False
    return await tx.delete(COLLECTION, scope.encode(), _sort(key))


async def forget(tx: Transaction, scope: str, key: str) -> bool:
    """Let it be done again, whatever is known; whether anything was."""
    return await tx.delete(COLLECTION, scope.encode(), _sort(key))


async def sweep(tx: Transaction, limit: int) -> int:
    """Remove what has expired, looking at `limit` keys at most; how many were looked at."""
    end = f"{tx.now:017.6f}".encode()
    due = await tx.scan(EXPIRY, b"", end=end, limit=limit)
    for record in due:
        scope, sort = msgspec.msgpack.decode(record.value, type=tuple[str, bytes])
        await tx.delete(EXPIRY, b"", record.sort)
        found = await tx.get(COLLECTION, scope.encode(), sort)
        if found is None:
            continue
        entry = msgspec.msgpack.decode(found.value, type=Entry)
        if entry.expires <= tx.now:
            await tx.delete(COLLECTION, scope.encode(), sort)
        else:
            await _expect(tx, scope, entry)
    return len(due)


async def _held(tx: Transaction, scope: str, key: str, holder: str) -> Entry | None:
    record = await tx.get(COLLECTION, scope.encode(), _sort(key))
    entry = msgspec.msgpack.decode(record.value, type=Entry) if record else None
    if entry is None or entry.deadline is None or entry.holder != holder:
        return None
    return entry


async def _put(tx: Transaction, scope: str, entry: Entry) -> None:
    value = msgspec.msgpack.encode(entry)
    await tx.put(COLLECTION, scope.encode(), _sort(entry.key), value)


async def _expect(tx: Transaction, scope: str, entry: Entry) -> None:
    """Let `sweep` look at it once it has expired."""
    sort = _sort(entry.key)
    when = f"{entry.expires:017.6f}/{scope}/".encode() + sort
    await tx.put(EXPIRY, b"", when, msgspec.msgpack.encode((scope, sort)))
