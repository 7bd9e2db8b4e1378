"""Runs transaction bodies on the one connection, many of them in one commit.

Bodies run on the event loop's own thread. A body's coroutine is driven by hand and never
suspends, so bodies run one after the other and their transactions are serial. The first
that writes opens a group, which shares a transaction; each body that writes has a savepoint
in it, so that its failure undoes its own writes alone. `commit.py` decides when the group
ends, and where its end is written.

While that is another thread, the connection is away. A body that needs it fails with `Away`
and runs again once it is back. One that does not (it reads what is remembered, and adds work
that is kept in memory until the group ends) is the first of the next group:

    here ──end──▶ away ──back──▶ here
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Final, NoReturn, TypeVar

import apsw

from lambent.core.clock import Clock
from lambent.core.errors import StoreUnavailable
from lambent.store.backends.sqlite.depths import Depths, Row
from lambent.store.backends.sqlite.names import Names
from lambent.store.backends.sqlite.sequence import Sequence
from lambent.store.backends.sqlite.unwritten import Unwritten
from lambent.store.contract import Record

T = TypeVar("T")

UNAVAILABLE: Final = (
    apsw.FullError,
    apsw.IOError,
    apsw.NoMemError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.PermissionsError,
    apsw.InterruptError,
    apsw.CorruptError,
    apsw.AbortError,
)
"""What the machine may do to us; any other error of SQLite's is a defect of ours."""

REMEMBERED: Final = 2048
"""How many records are kept in memory, each of at most so many bytes."""


class Away(BaseException):
    """The connection is away: the body has to run again. No Exception, since no body is to
    take it for an error."""


class Effect(Enum):
    """What follows a commit."""

    ARRIVED = "work arrived in a queue"
    GREW = "a log grew"
    LINKED = "a blob was linked"
    UNLINKED = "a blob was unlinked"


_ARRIVED, _GREW, _LINKED = Effect.ARRIVED, Effect.GREW, Effect.LINKED


class Effects:
    """What follows the commit of a group: the names of queues and logs; blobs, linked or not."""

    __slots__ = ("arrived", "grew", "links")

    def __init__(self) -> None:
        self.arrived: dict[str, None] = {}
        self.grew: dict[str, None] = {}
        self.links: dict[str, bool] = {}

    def add(self, effect: Effect, name: str) -> None:
        """A body of the group was kept."""
        if effect is _ARRIVED:
            self.arrived[name] = None
        elif effect is _GREW:
            self.grew[name] = None
        else:
            self.links[name] = effect is _LINKED


class Ending:
    """What is left to be done of a group: its last statements, for any one thread."""

    __slots__ = ("_begun", "_db", "_depths", "_unwritten", "effects", "size")

    def __init__(
        self,
        db: apsw.Connection,
        begun: bool,
        unwritten: Unwritten,
        depths: list[Row],
        effects: Effects,
    ) -> None:
        self._db = db
        self._begun = begun
        self._unwritten = unwritten
        self._depths = depths
        self.effects = effects
        self.size = unwritten.size

    def write(self, written: Callable[[], None]) -> None:
        """Make the group durable; calls `written` when nothing is left but the commit.
        StoreUnavailable: all of it is undone."""
        cursor = self._db.cursor()
        try:
            if not self._begun:
                cursor.execute("BEGIN IMMEDIATE")
            self._unwritten.write(cursor.execute)
            if self._depths:
                cursor.executemany(Depths.WRITE, self._depths)
            written()
            cursor.execute("COMMIT")
        except Exception as error:
            # Whatever it is: those who wait are told, and the connection comes back.
            if self._db.in_transaction:
                cursor.execute("ROLLBACK")
            raise StoreUnavailable(f"The store cannot write now: {error}.") from error


class Engine:
    """The connection, what is kept in memory beside it, and the group that is open.

    `appended` are the logs whose last time is known not to lie after the store's.
    `wrote` is whether the last body changed anything. `opened` is called when a group begins and
    `lost` when SQLite undid one on its own (a full
    disk does that).
    """

    __slots__ = (
        "_begun",
        "_clock",
        "_cursor",
        "_group",
        "_last",
        "_remembered",
        "appended",
        "away",
        "db",
        "depths",
        "effects",
        "execute",
        "executemany",
        "lost",
        "names",
        "open",
        "opened",
        "running",
        "saved",
        "sequence",
        "undo",
        "unwritten",
        "wrote",
    )

    def __init__(self, db: apsw.Connection, clock: Clock) -> None:
        self.db = db
        self._cursor = db.cursor()
        self.execute: Callable[..., Any] = self._cursor.execute
        self.executemany: Callable[..., Any] = self._cursor.executemany
        self.undo: list[Callable[[], None]] = []
        self.unwritten = Unwritten()
        self.names = Names(self._look, self.begin, self.undo)
        self.sequence = Sequence(self._look, self.begin, self.undo)
        self.depths = Depths(self._look, self.undo)
        self.effects: list[tuple[Effect, str]] = []
        self.appended: set[int] = set()
        self.open = False
        self.away = False
        self.saved = False
        self.running = False
        self.wrote = False
        self.opened: Callable[[], None] = lambda: None
        self.lost: Callable[[StoreUnavailable], None] = lambda _: None
        self._group = Effects()
        self._begun = False
        self._remembered: dict[tuple[str, bytes, bytes], Record] = {}
        self._clock = clock
        self._last = 0.0

    def now(self) -> float:
        """The store's time: the clock's, but it never goes back."""
        now = self._clock.now()
        if now < self._last:
            return self._last
        self._last = now
        return now

    def not_before(self, time: float) -> None:
        """From the next transaction on, the store's time is `time` or later."""
        self._last = max(self._last, time)

    # Statements ------------------------------------------------------------------------

    def query(self, statement: str, bindings: tuple[object, ...]) -> apsw.Cursor:
        """Rows with a cursor of their own, for those that are not all read at once."""
        if self.away:
            raise Away
        return self.db.execute(statement, bindings)

    def catch_up(self) -> None:
        """To be called before work is looked at: nothing of it is left unwritten."""
        if self.unwritten.items:
            self.begin()
            try:
                self.unwritten.write(self.execute)
            except apsw.Error:
                # It is others' work too, which they were told is in the group.
                if self.db.in_transaction:
                    self.execute("ROLLBACK")
                raise
            self.unwritten.clear()

    def writing(self) -> None:
        """To be called before each write: opens the group and the body's savepoint."""
        if self.saved and self.db.in_transaction:
            return
        self.joining()
        self.begin()
        self.catch_up()
        self.execute("SAVEPOINT body")
        self.saved = True

    def joining(self) -> None:
        """The same without a savepoint, which costs as much as a write does, and without a
        transaction yet (see `begin`): for writes whose undoing is added to `undo` first."""
        if not self.open:
            self.open = True
            self.opened()
        elif self._begun and not self.db.in_transaction:
            raise StoreUnavailable("The store undid the transaction.")

    def begin(self) -> None:
        """Begin the group's transaction, for a write after `joining`."""
        if not self._begun:
            self.execute("BEGIN IMMEDIATE")
            self._begun = True

    def _look(self, statement: str, bindings: tuple[object, ...] = ()) -> Any:
        self.catch_up()
        return self.execute(statement, bindings)

    # Records that are read again and again ---------------------------------------------

    def recall(self, collection: str, partition: bytes, sort: bytes) -> Record | None:
        """The record, if it is remembered."""
        return self._remembered.get((collection, partition, sort))

    def remember(self, collection: str, record: Record) -> None:
        """Keep a record that was read; not what a body sees of its own writes."""
        if self.saved or len(record.value) > REMEMBERED:
            return
        if len(self._remembered) >= REMEMBERED:
            self._remembered.clear()
        self._remembered[collection, record.partition, record.sort] = record

    def forget(self, collection: str, partition: bytes, sort: bytes) -> None:
        """The record changes."""
        self._remembered.pop((collection, partition, sort), None)

    def forget_all(self) -> None:
        """Many records change."""
        self._remembered.clear()

    # Bodies ----------------------------------------------------------------------------

    def run(self, body: Callable[[Any], Awaitable[T]], tx: object) -> T:
        """Drive a body to its end; undo its writes if it fails. Not while `running`. Away:
        the body has to run again."""
        self.running = True
        self.wrote = False
        self.depths.body += 1
        try:
            result = _drive(body(tx))
            self.wrote = self.saved or bool(self.undo or self.effects)
            if self.open:
                self._keep()
        except UNAVAILABLE as error:
            self.wrote = self.saved or bool(self.undo)
            unavailable = StoreUnavailable(f"The store cannot do this now: {error}.")
            self._discard(unavailable)
            raise unavailable from error
        except BaseException:
            self._discard(StoreUnavailable("The store undid the transaction."))
            raise
        finally:
            self.saved = False
            self.running = False
            self.undo.clear()
        return result

    # Groups ----------------------------------------------------------------------------

    def end(self) -> Ending:
        """End the open group. The connection is away until `back`: for what is returned."""
        ending = Ending(self.db, self._begun, self.unwritten, self.depths.take(), self._group)
        self.open = self._begun = False
        self.unwritten = Unwritten()
        self._group = Effects()
        self.away = True
        self.execute = self.executemany = _away
        return ending

    def back(self) -> None:
        """The connection is here again."""
        self.away = False
        self.execute = self._cursor.execute
        self.executemany = self._cursor.executemany

    def undone(self) -> None:
        """The group that was ended is not on disk, and what came after it stood on it."""
        self.open = self._begun = False
        self.unwritten.clear()
        self.appended.clear()
        self.names.reset()
        self.sequence.reset()
        self.depths.reset()
        self._group = Effects()
        self._remembered.clear()

    def _keep(self) -> None:
        if self._begun and not self.db.in_transaction:
            raise StoreUnavailable("The store undid the transaction.")
        if self.saved:
            self.execute("RELEASE body")
        if self.effects:
            for effect, name in self.effects:
                self._group.add(effect, name)
            self.effects.clear()

    def _discard(self, reason: StoreUnavailable) -> None:
        self.effects.clear()
        if not self.open:
            return
        if not self._begun or self.db.in_transaction:
            try:
                if self.saved:
                    self.execute("ROLLBACK TO body")
                    self.execute("RELEASE body")
                for undo in reversed(self.undo):
                    undo()
                return
            except apsw.Error:
                if self.db.in_transaction:
                    self.execute("ROLLBACK")
        self.undone()
        self.lost(reason)


def _away(*_: object) -> NoReturn:
    raise Away


def _drive(steps: Awaitable[T]) -> T:
    """The result of an awaitable that must not suspend."""
    iterator = steps.__await__()
    try:
        next(iterator)
    except StopIteration as stop:
        result: T = stop.value
        return result
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
    raise RuntimeError(
        "A transaction's body awaited something other than the transaction's own methods"
    )
