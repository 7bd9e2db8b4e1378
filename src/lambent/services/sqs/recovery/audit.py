"""Who did what to dead letters: an entry per replay, discard and edit, kept for 90 days.

Source of the time: CloudTrail's event history keeps as long.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lambent.services.sqs.recovery.selection import EVERYTHING, Selection
from lambent.store.contract import Transaction

COLLECTION: Final = "sqs.recovery_audit"
"""Records by account and region, in order of their time."""

KEPT_SECONDS: Final = 90 * 86_400.0
_FORGOTTEN_AT_ONCE = 20


class Entry(msgspec.Struct, kw_only=True, frozen=True):
    """One act. `time` and `ended` in seconds since the epoch; `actor` is a principal's ARN.

    `matched` is how many messages the selection meant at first; the counts are final once
    `ended` is set. `steps` are what happened meanwhile: (when, who, what). `message` and
    `before` are an edited message's id and its body until then.
    """

    id: str
    time: float
    actor: str
    action: str
    queue: str
    selection: Selection = EVERYTHING
    to: str | None = None
    rate: int | None = None
    cap: int | None = None
    note: str = ""
    matched: int = 0
    moved: int = 0
    capped: int = 0
    unroutable: int = 0
    passed: int = 0
    status: str = ""
    failure: str | None = None
    ended: float | None = None
    steps: tuple[tuple[float, str, str], ...] = ()
    message: str | None = None
    before: str | None = None


def place(account: str, region: str) -> bytes:
    """The partition of an account's entries in a region."""
    return f"{account}/{region}".encode()


def _sort(time: float, id: str) -> bytes:
    return f"{int(time * 1000):015}/{id}".encode()


async def write(tx: Transaction, account: str, region: str, entry: Entry) -> None:
    """Add an entry, or write it anew; some that are too old are forgotten."""
    partition = place(account, region)
    await tx.put(COLLECTION, partition, _sort(entry.time, entry.id), msgspec.msgpack.encode(entry))
    oldest = _sort(max(tx.now - KEPT_SECONDS, 0.0), "")
    for record in await tx.scan(COLLECTION, partition, end=oldest, limit=_FORGOTTEN_AT_ONCE):
        await tx.delete(COLLECTION, partition, record.sort)


async def read(tx: Transaction, account: str, region: str, time: float, id: str) -> Entry | None:
    """The entry of a task that began at that time."""
    record = await tx.get(COLLECTION, place(account, region), _sort(time, id))
    return None if record is None else msgspec.msgpack.decode(record.value, type=Entry)


async def latest(tx: Transaction, account: str, region: str, limit: int) -> list[Entry]:
    """The last entries, newest first."""
    found = await tx.scan(COLLECTION, place(account, region), reverse=True, limit=limit)
    return [msgspec.msgpack.decode(record.value, type=Entry) for record in found]


def wire(entry: Entry) -> dict[str, Any]:
    """An entry as the API shows it, without what does not apply."""
    shown: dict[str, Any] = {
        name: value
        for name, value in msgspec.structs.asdict(entry).items()
        if value not in (None, "", ()) and name != "steps"
    }
    shown["selection"] = msgspec.to_builtins(entry.selection)
    shown["steps"] = [
        {"time": time, "actor": actor, "step": step} for time, actor, step in entry.steps
    ]
    return shown
