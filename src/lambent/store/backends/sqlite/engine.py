"""Runs transaction bodies on the one connection, many of them in one commit.

All statements run on the event loop's own thread. A body's coroutine is driven by hand and
never suspends, so bodies run one after the other and their transactions are serial. The
first write since the last commit opens the shared transaction; each body that writes has a
savepoint in it, so that its failure undoes its own writes alone. `commit.py` decides when
the shared transaction ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Final, TypeVar

import apsw

from lambent.core.clock import Clock
from lambent.core.errors import StoreUnavailable
from lambent.store.backends.sqlite.depths import Depths
from lambent.store.backends.sqlite.names import Names
from lambent.store.backends.sqlite.sequence import Sequence

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


class Effect(Enum):
    """What follows a commit."""

    ARRIVED = "work arrived in a queue"
    GREW = "a log grew"
    LINKED = "a blob was linked"
    UNLINKED = "a blob was unlinked"


class Engine:
    """The connection, what is kept in memory beside it, and the transaction that is open.

    `appended` are the logs whose last time is known not to lie after the store's.
    `opened` is called when a shared transaction begins and `lost` when SQLite undid one on
    its own (a full disk does that).
    """

    __slots__ = (
        "_clock",
        "_last",
        "appended",
        "committed",
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
    )

    def __init__(self, db: apsw.Connection, clock: Clock) -> None:
        cursor = db.cursor()
        self.db = db
        self.execute: Callable[..., Any] = cursor.execute
        self.executemany: Callable[..., Any] = cursor.executemany
        self.undo: list[Callable[[], None]] = []
        self.names = Names(self.execute, self.undo)
        self.sequence = Sequence(self.execute, self.undo)
        self.depths = Depths(self.execute, self.undo)
        self.effects: list[tuple[Effect, str]] = []
        self.committed: list[tuple[Effect, str]] = []
        self.appended: set[int] = set()
        self.open = False
        self.saved = False
        self.running = False
        self.opened: Callable[[], None] = lambda: None
        self.lost: Callable[[StoreUnavailable], None] = lambda _: None
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

    def writing(self) -> None:
        """To be called before each write: opens the transaction and the body's savepoint."""
        if self.saved and self.db.in_transaction:
            return
        self.joining()
        self.execute("SAVEPOINT body")
        self.saved = True

    def joining(self) -> None:
        """The same without a savepoint, which costs as much as a write does: for writes
        whose undoing is added to `undo` first."""
        if not self.open:
            self.execute("BEGIN IMMEDIATE")
            self.open = True
            self.opened()
        elif not self.db.in_transaction:
            raise StoreUnavailable("The store undid the transaction.")

    def run(self, body: Callable[[Any], Awaitable[T]], tx: object) -> T:
        """Drive a body to its end; undo its writes if it fails. Not while `running`."""
        self.running = True
        self.depths.body += 1
        try:
            result = _drive(body(tx))
            if self.open:
                self._keep()
        except UNAVAILABLE as error:
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

    def commit(self) -> None:
        """Make the shared transaction durable. StoreUnavailable: all of it is undone."""
        self.open = False
        try:
            self.depths.write()
            self.execute("COMMIT")
        except apsw.Error as error:
            if self.db.in_transaction:
                self.execute("ROLLBACK")
            self._forget()
            raise StoreUnavailable(f"The store cannot write now: {error}.") from error

    def _keep(self) -> None:
        if not self.db.in_transaction:
            raise StoreUnavailable("The store undid the transaction.")
        if self.saved:
            self.execute("RELEASE body")
        if self.effects:
            self.committed += self.effects
            self.effects.clear()

    def _discard(self, reason: StoreUnavailable) -> None:
        self.effects.clear()
        if self.open and self.db.in_transaction:
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
        if self.open:
            self.open = False
            self._forget()
            self.lost(reason)

    def _forget(self) -> None:
        self.committed.clear()
        self.appended.clear()
        self.names.reset()
        self.sequence.reset()
        self.depths.reset()


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
