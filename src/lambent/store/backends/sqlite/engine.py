"""Runs transaction bodies on the one connection, many of them in one commit.

All statements run on the event loop's own thread. A body's coroutine is driven by hand and
never suspends, so bodies run one after the other and their transactions are serial. The
first write since the last commit opens the shared transaction; each body that writes has a
savepoint in it, so that its failure undoes its own writes alone. `commit.py` decides when
the shared transaction ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
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


class Effects:
    """What follows a commit: who wakes, and which blobs came and went (True: linked)."""

    __slots__ = ("arrived", "blobs", "grew")

    def __init__(self) -> None:
        self.arrived: set[str] = set()
        self.grew: set[str] = set()
        self.blobs: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self.arrived or self.grew or self.blobs)

    def add(self, other: Effects) -> None:
        """Take over another's, which came later."""
        self.arrived |= other.arrived
        self.grew |= other.grew
        self.blobs.update(other.blobs)

    def clear(self) -> None:
        """Forget them."""
        self.arrived.clear()
        self.grew.clear()
        self.blobs.clear()


class Engine:
    """The connection, what is kept in memory beside it, and the transaction that is open.

    `opened` is called when a shared transaction begins and `lost` when SQLite undid one on
    its own (a full disk does that).
    """

    __slots__ = (
        "_clock",
        "_last",
        "_undo",
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
    )

    def __init__(self, db: apsw.Connection, clock: Clock) -> None:
        cursor = db.cursor()
        self.db = db
        self.execute: Callable[..., Any] = cursor.execute
        self.executemany: Callable[..., Any] = cursor.executemany
        self._undo: list[Callable[[], None]] = []
        self.names = Names(self.execute, self._undo)
        self.sequence = Sequence(self.execute, self._undo)
        self.depths = Depths(self.execute, self._undo)
        self.effects = Effects()
        self.committed = Effects()
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

    def writing(self) -> None:
        """To be called before each write: opens the transaction and the body's savepoint."""
        if self.saved and self.db.in_transaction:
            return
        if self.open:
            if not self.db.in_transaction:
                raise StoreUnavailable("The store undid the transaction.")
        else:
            self.execute("BEGIN IMMEDIATE")
            self.open = True
            self.opened()
        self.execute("SAVEPOINT body")
        self.saved = True

    def run(self, body: Callable[[Any], Awaitable[T]], tx: object) -> T:
        """Drive a body to its end; undo its writes if it fails."""
        if self.running:
            raise RuntimeError("transact was called inside a transaction's body")
        self.running = True
        self.depths.body += 1
        try:
            result = _drive(body(tx))
            if self.saved:
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
            self._undo.clear()
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
        self.execute("RELEASE body")
        if self.effects:
            self.committed.add(self.effects)
            self.effects.clear()

    def _discard(self, reason: StoreUnavailable) -> None:
        self.effects.clear()
        if self.open and not self.db.in_transaction:
            self.open = False
            self._forget()
            self.lost(reason)
            return
        if self.saved:
            self.execute("ROLLBACK TO body")
            self.execute("RELEASE body")
        for undo in reversed(self._undo):
            undo()

    def _forget(self) -> None:
        self.committed.clear()
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
