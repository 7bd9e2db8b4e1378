"""Runs many bodies in one database transaction, as if one after the other.

A body is driven by hand. While it finds what it asks for in the shared state it runs without
a pause; a body that has run to its end did so at one moment, and that is its place in the
order. When it needs something of the database it is suspended, and the next one runs. Then
all that was asked is answered at once, by a statement for each kind of question, and the
suspended bodies go on; those that others' changes have overtaken meanwhile start again, and
find their first answers in memory. So a round trip serves all who wait, and nobody ever sees
half of another's work.

A body that needs its own changes written before it goes on, or removes whole ranges, runs
alone in a savepoint.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any

from lambent.store.backends.postgresql.alone import WRITES
from lambent.store.backends.postgresql.connecting import Connection
from lambent.store.backends.postgresql.known import Question
from lambent.store.backends.postgresql.links import BlobLinks
from lambent.store.backends.postgresql.log import Logs
from lambent.store.backends.postgresql.overlay import (
    ALONE,
    CLEAN,
    WRITABLE,
    Overlay,
)
from lambent.store.backends.postgresql.reads import answer
from lambent.store.backends.postgresql.records import Records
from lambent.store.backends.postgresql.work import WorkQueues
from lambent.store.backends.postgresql.writes import write


class PostgresTransaction(Records, WorkQueues, Logs, BlobLinks):
    """A transaction: its four parts side by side."""

    __slots__ = ()


class Job:
    """A body to be run, and what became of it.

    `wrote` is whether it changed anything, `asked` whether it had to ask the database. `asks`
    is whether it is expected to. `single` keeps it away from others: one of them
    was refused by the database. `tries` counts the transactions that were lost under it.
    """

    __slots__ = ("asked", "asks", "body", "error", "result", "single", "tries", "wrote")

    def __init__(self, body: Callable[[Any], Awaitable[Any]]) -> None:
        self.body = body
        self.result: Any = None
        self.error: BaseException | None = None
        self.wrote = False
        self.asked = False
        self.asks = True
        self.single = False
        self.tries = 0


class _Run:
    """A body on its way: suspended at `question`, unless it has to start (again)."""

    __slots__ = ("effects", "job", "question", "seen", "steps", "tx")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.steps: Generator[Any, Any, Any] | None = None
        self.tx: PostgresTransaction | None = None
        self.question: Question = CLEAN
        self.seen = 0
        self.effects = 0


class Shared:
    """One database transaction. `promoted` are the bodies that turned out to write.

    `closed` is when the transaction is over already, and no more can be asked: `asking` are the
    bodies that would have to.
    """

    def __init__(
        self, connection: Connection, state: Overlay, channel: str, closed: bool = False
    ) -> None:
        self.state = state
        self.promoted: list[Job] = []
        self.asking: list[Job] = []
        self._closed = closed
        self.wrote = False
        self._connection = connection
        self._channel = channel

    async def play(self, jobs: list[Job]) -> None:
        """Run all bodies to their ends."""
        waiting = [_Run(job) for job in jobs]
        while waiting:
            suspended: list[_Run] = []
            alone: list[_Run] = []
            for run in waiting:
                question = self._go_on(run)
                last = run is waiting[-1] and not suspended and not alone
                while question is not None:
                    run.job.asked = True
                    if question == WRITABLE:
                        self._stop(run)
                        self.promoted.append(run.job)
                    elif self._closed:
                        self._stop(run)
                        self.asking.append(run.job)
                    elif question == ALONE or (question == CLEAN and self._half_done(run)):
                        self._stop(run)
                        alone.append(run)
                    elif last:
                        # Nobody else can change anything before it goes on.
                        await self._answer([question])
                        question = self._go_on(run)
                        continue
                    else:
                        if self._half_done(run):
                            self._stop(run)
                        suspended.append(run)
                    break
            for run in alone:
                await self._alone(run)
            await self._answer([run.question for run in suspended])
            waiting = suspended

    async def write(self, notices: Sequence[str] = (), *, last: bool = False) -> None:
        """Write what is changed; see `writes.write`."""
        self.wrote = True
        await write(self._connection, self.state, self._channel, notices, last)

    async def _answer(self, questions: list[Question]) -> None:
        state = self.state
        if CLEAN in questions and state.changed:
            await self.write()
        asked = [
            question
            for question in dict.fromkeys(questions)
            if question != CLEAN and question not in state.base
        ]
        if asked:
            together = (other for question in asked for other in state.known.beside(question))
            asked = [other for other in dict.fromkeys(together) if other not in state.base]
            state.answered(await answer(self._connection, asked))

    def _go_on(self, run: _Run) -> Question | None:
        """Run a body until it asks for something; None once it has ended."""
        state = self.state
        found: Any = None
        if run.steps is not None and run.seen != state.changes:
            self._stop(run)
        if run.steps is None:
            run.tx = PostgresTransaction(state)
            run.seen = state.changes
            run.effects = len(state.effects)
            try:
                run.steps = run.job.body(run.tx).__await__()
            except BaseException as error:
                self._failed(run, error)
                return None
        elif run.question != CLEAN:
            if run.question not in state.base:
                return run.question
            found = state.base[run.question]
        return self._step(run, found)

    def _step(self, run: _Run, found: Any) -> Question | None:
        assert run.steps is not None
        try:
            question = run.steps.send(found)
        except StopIteration as stop:
            self._ended(run)
            run.job.result, run.job.error = stop.value, None
            return None
        except BaseException as error:
            self._failed(run, error)
            return None
        if not isinstance(question, tuple):
            run.steps.close()
            self._failed(
                run,
                RuntimeError(
                    "A transaction's body awaited something other than the transaction's"
                    " own methods"
                ),
            )
            return None
        run.question = question
        return question

    def _ended(self, run: _Run) -> None:
        state = self.state
        if self._half_done(run):
            run.job.wrote = True
            state.changes += 1
            state.journal.clear()
        _close(run)

    def _failed(self, run: _Run, error: BaseException) -> None:
        run.job.error = error
        self._undo(run)
        _close(run)

    def _stop(self, run: _Run) -> None:
        """End a run that will start again."""
        if run.steps is not None:
            run.steps.close()
        self._undo(run)
        _close(run)

    def _half_done(self, run: _Run) -> bool:
        state = self.state
        return bool(state.journal) or (
            run.seen == state.changes and len(state.effects) > run.effects
        )

    def _undo(self, run: _Run) -> None:
        if self._half_done(run):
            self.state.undo()
            del self.state.effects[run.effects :]

    async def _alone(self, run: _Run) -> None:
        """Run a body in a savepoint, with its changes written whenever it asks for that."""
        state, connection = self.state, self._connection
        if state.changed:
            await self.write()
        await connection.execute("SAVEPOINT alone")
        self.wrote = True
        named, effects = dict(state.named), len(state.effects)
        state.alone = True
        question = self._go_on(run)
        while question is not None:
            if question[0] in WRITES:
                if question[0] == "clear":
                    state.touch(question[1])
                found = await WRITES[question[0]](connection, *question[1:])
                state.base = {key: value for key, value in state.base.items() if key[0] == "name"}
                question = self._step(run, found)
            else:
                await self._answer([question])
                question = self._go_on(run)
        state.alone = False
        run.job.wrote = True
        if run.job.error is not None:
            await connection.execute("ROLLBACK TO alone")
            state.forget_changes()
            state.base.clear()
            state.named = named
            del state.effects[effects:]
        state.changes += 1
        await connection.execute("RELEASE alone")


def _close(run: _Run) -> None:
    run.steps = None
    if run.tx is not None:
        del run.tx._state  # it is valid inside the body only
        run.tx = None
