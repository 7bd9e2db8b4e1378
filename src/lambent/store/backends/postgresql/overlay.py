"""What one database transaction knows and has changed: the state that bodies work on.

A database transaction is shared by many bodies. What was read from the database lies in
`base`, under the question that was asked (`reads.py`); what bodies changed lies in `records`,
`work`, `logs` and `blobs` until it is written in one statement (`writes.py`). So a body that
finds everything here runs without waiting for the database at all.

What did not change since it was read in an earlier transaction is `known` (`known.py`).

A body that needs more awaits `ask`, which hands the question to the driver (`shared.py`).
Every change is journalled, so that a body's own changes can be undone. Knows no SQL.
"""

from __future__ import annotations

from collections.abc import Generator
from enum import Enum
from typing import Any, Final

import msgspec

from lambent.store.backends.postgresql.known import UNKNOWN, Known, Question, bucket
from lambent.store.contract import Work

CLEAN: Final[Question] = ("clean",)
"""Asks that everything be written first: the next question goes over what was changed."""
ALONE: Final[Question] = ("alone",)
"""Asks to run alone in a savepoint: what follows is written at once, statement by statement."""
WRITABLE: Final[Question] = ("writable",)
"""Asks for a transaction that may write."""

KEPT: Final = ("get", "name", "head")
"""Kinds of questions whose answers are known after a write, too."""
ABSENT: Final = object()


class Effect(Enum):
    """What follows a commit."""

    ARRIVED = "w"
    GREW = "l"
    TOLD_LATER = "t"
    LINKED = "linked"
    UNLINKED = "unlinked"


class Item(Work, frozen=True):
    """A work item as it is stored: `leased` is whether a claim set `due`, even when that has
    passed. `tenant` is empty for those without one in a queue of tenants."""

    tenant: str | None = None

    def seen(self, now: float) -> Work:
        """As the contract shows it."""
        return Work(
            self.id,
            self.payload,
            self.group,
            self.created,
            self.due,
            self.attempts,
            self.first_claimed,
            self.token,
            self.leased and self.due > now,
        )


class Change(msgspec.Struct, frozen=True):
    """A work item that was changed: as it lies in the database (None: not there), and as it
    is now (None: removed). `payload` is None while it is the database's."""

    base: Item | None
    item: Item | None
    payload: bytes | None


class Ask:
    """Awaits the answer to a question."""

    __slots__ = ("_question",)

    def __init__(self, question: Question) -> None:
        self._question = question

    def __await__(self) -> Generator[Question, Any, Any]:
        return (yield self._question)


class Overlay:
    """One database transaction's state. `number` is the next of the store's one sequence;
    `stamps` are those that the transaction began with, and `touched` which of them are not
    the database's any more.

    `alone` is whether the body that runs may write statement by statement. `changes` counts
    the bodies that changed something.
    """

    __slots__ = (
        "alone",
        "base",
        "blobs",
        "changes",
        "effects",
        "journal",
        "known",
        "logs",
        "named",
        "now",
        "number",
        "records",
        "reserved",
        "stamps",
        "touched",
        "turns",
        "work",
        "writable",
    )

    def __init__(
        self, now: float, number: int, writable: bool, known: Known, stamps: list[int]
    ) -> None:
        self.now = now
        self.number = number
        self.writable = writable
        self.known = known
        self.stamps = stamps
        self.touched: set[int] = set()
        self.alone = False
        self.changes = 0
        self.base: dict[Question, Any] = {}
        self.named: dict[str, int] = {}
        self.reserved: dict[str, int] = {}
        self.records: dict[int, dict[tuple[bytes, bytes], tuple[int, bytes] | None]] = {}
        self.work: dict[int, dict[int, Change]] = {}
        self.turns: dict[int, dict[str, int]] = {}
        self.logs: dict[int, dict[int, bytes]] = {}
        self.blobs: dict[str, tuple[int, bytes | None] | None] = {}
        self.effects: list[tuple[Effect, str]] = []
        self.journal: list[tuple[dict[Any, Any], Any, Any]] = []

    async def ask(self, question: Question) -> Any:
        """The database's answer."""
        try:
            return self.base[question]
        except KeyError:
            pass
        if question[0] == "get" and bucket(question[1]) not in self.touched:
            found = self.known.find(question, self.stamps)
            if found is not UNKNOWN:
                self.base[question] = found
                return found
        return await Ask(question)

    def answered(self, answers: dict[Question, Any]) -> None:
        """The database gave these answers."""
        self.base.update(answers)
        for question, answer in answers.items():
            if question[0] != "get" or bucket(question[1]) not in self.touched:
                self.known.learn(question, answer, self.stamps)

    def touch(self, collection: int) -> None:
        """Records of this collection are being changed in the database."""
        self.touched.add(bucket(collection))

    async def clean(self, changed: dict[int, Any], number: int) -> None:
        """Return once nothing under `number` is unwritten."""
        while changed.get(number):
            await Ask(CLEAN)

    async def writing(self) -> None:
        """To be awaited before the first change."""
        if not self.writable:
            await Ask(WRITABLE)

    async def writing_alone(self) -> None:
        """To be awaited before a change that is written at once."""
        await self.writing()
        if not self.alone:
            await Ask(ALONE)

    def set(self, changed: dict[Any, Any], key: Any, value: Any) -> None:
        """Change something, so that it can be undone."""
        self.journal.append((changed, key, changed.get(key, ABSENT)))
        changed[key] = value

    def take(self, count: int) -> int:
        """The first of `count` new numbers in a row."""
        first = self.number
        self.number = first + count
        return first

    def undo(self) -> None:
        """Undo what the journal holds."""
        for changed, key, before in reversed(self.journal):
            if before is ABSENT:
                del changed[key]
            else:
                changed[key] = before
        self.journal.clear()

    async def find(self, name: str) -> int | None:
        """The number of a name; None when it was never written to."""
        number = self.known.names.get(name) or self.named.get(name)
        if number is None:
            number = await self.ask(("name", name))
        return number

    async def numbered(self, name: str) -> int:
        """The number of a name, given now if it has none."""
        number = await self.find(name)
        if number is None:
            # The same whenever a body starts again: it asks the same, and finds its answers.
            number = self.reserved.get(name)
            if number is None:
                number = self.reserved[name] = self.take(1)
            self.set(self.named, name, number)
        return number

    @property
    def changed(self) -> bool:
        """Whether anything is to be written."""
        return (
            any(self.records.values())
            or any(self.work.values())
            or any(self.logs.values())
            or bool(self.blobs)
        )

    def written(self) -> None:
        """Everything was written: it is the database's now."""
        base = {key: value for key, value in self.base.items() if key[0] in KEPT}
        for collection, rows in self.records.items():
            for (partition, sort), row in rows.items():
                base["get", collection, partition, sort] = row
        for queue, items in self.work.items():
            for id, change in items.items():
                base["head", queue, id] = change.item
        for name, number in self.named.items():
            base["name", name] = number
        self.base = base
        self.forget_changes()

    def forget_changes(self) -> None:
        """Nothing is changed any more."""
        for changed in (self.records, self.work, self.turns, self.logs, self.blobs):
            changed.clear()
        self.journal.clear()
