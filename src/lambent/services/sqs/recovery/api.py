"""Lambent's own API for dead letters, below `/_lambent/dlq`.

| request | what it does |
| --- | --- |
| GET dlq | every dead-letter queue of the caller, each with its groups, as far as one looks |
| POST dlq/queues/NAME | one queue's groups, of the letters that are meant |
| POST dlq/queues/NAME/messages | the letters themselves, with their attempts |
| POST dlq/queues/NAME/replay, …/discard | begin a task, or with `dry_run` only count |
| POST dlq/queues/NAME/edit | change a letter's body |
| GET dlq/tasks, dlq/tasks/ID | tasks and how far they are |
| POST dlq/tasks/ID/pause, …/resume, …/cancel | control one |
| GET dlq/audit | who did what |

Bodies are JSON objects; a filter stands under `selection` (`selection.Selection`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote

import msgspec

from lambent.core.arns import Arn
from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.web import PREFIX, Asked, Route
from lambent.services.contract import Platform
from lambent.services.sqs import move_control, moves
from lambent.services.sqs.model import Queue
from lambent.services.sqs.moves import MoveTask
from lambent.services.sqs.queues import Queues
from lambent.services.sqs.recovery import audit, editing, letters, looking
from lambent.services.sqs.recovery.deadqueues import DeadQueues
from lambent.services.sqs.recovery.selection import EVERYTHING, Selection, check
from lambent.store.contract import Transaction

T = TypeVar("T")

DEFAULT_CAP = 3
"""How often a message is replayed before it is left alone, unless the caller says otherwise."""

_MAX_LISTED = 1000
_LAST = (1 << 63) - 1
"""What no item's id is greater than."""


class Look(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request that reads."""

    selection: Selection = EVERYTHING
    limit: int = 10
    after: Annotated[int, msgspec.Meta(ge=0, le=_LAST)] = 0


class Act(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a replay or discard. `rate` in messages per second."""

    selection: Selection = EVERYTHING
    to: str | None = None
    rate: int | None = None
    max_replays: int | None = DEFAULT_CAP
    dry_run: bool = False
    confirm: bool = False
    note: str = ""


class Edit(msgspec.Struct, forbid_unknown_fields=True):
    """The body of an edit."""

    id: str
    body: str
    note: str = ""


class RecoveryApi:
    """Answers the requests."""

    def __init__(self, platform: Platform, queues: Queues) -> None:
        self._store = platform.store
        self._ids = platform.ids
        self._queues = queues
        self._dead = DeadQueues(platform.store, queues, platform.registry)

    def routes(self) -> dict[str, Route]:
        """By path below `/_lambent/`."""
        return {"dlq": self._list, "dlq/": self._below}

    async def _below(self, asked: Asked) -> tuple[int, Any]:
        parts = [unquote(part) for part in asked.path.removeprefix(PREFIX + "dlq/").split("/")]
        match (asked.method, *parts):
            case ("POST", "queues", name):
                return await self._groups(asked, name)
            case ("POST", "queues", name, "messages"):
                return await self._messages(asked, name)
            case ("POST", "queues", name, ("replay" | "discard") as action):
                return await self._act(asked, name, action)
            case ("POST", "queues", name, "edit"):
                return await self._edit(asked, name)
            case ("GET", "tasks"):
                tasks = await self._store.transact(lambda tx: _tasks(tx, asked.context))
                return 200, {"tasks": [_wire(task) for task in tasks]}
            case ("GET", "tasks", id):
                return 200, _wire(
                    await self._store.transact(lambda tx: _task(tx, asked.context, id))
                )
            case ("POST", "tasks", id, ("pause" | "resume" | "cancel") as step):
                return await self._control(asked, id, step)
            case ("GET", "audit"):
                return await self._audit(asked)
        raise AwsError("NotFound", f"There is nothing at {asked.method} {asked.path}.", 404)

    # Reading -------------------------------------------------------------------------------

    async def _list(self, asked: Asked) -> tuple[int, Any]:
        shown = []
        for name, sources in (await self._dead.find(asked.context)).items():
            try:
                queue = await self._queue(asked.context, name)
            except AwsError:
                continue
            shown.append(await self._overview(queue, EVERYTHING, sources, looking.LOOKED_AT))
        return 200, {"queues": shown}

    async def _groups(self, asked: Asked, name: str) -> tuple[int, Any]:
        look = _read(asked, Look)
        queue = await self._queue(asked.context, name)
        sources = (await self._dead.find(asked.context)).get(name, [])
        return 200, await self._overview(queue, look.selection, sources)

    async def _overview(
        self, queue: Queue, selection: Selection, sources: list[str], most: int | None = None
    ) -> dict[str, Any]:
        check(selection)
        found, now, complete = await looking.overview(self._store, queue, selection, most)
        return {
            "queue": queue.name,
            "arn": queue.arn,
            "sources": sources,
            **found.wire(now),
            "complete": complete,
        }

    async def _messages(self, asked: Asked, name: str) -> tuple[int, Any]:
        look = _read(asked, Look)
        check(look.selection)
        queue = await self._queue(asked.context, name)
        limit = max(1, min(look.limit, _MAX_LISTED))
        shown: list[dict[str, Any]] = []
        after, end = look.after, False
        async for page in looking.pages(
            self._store, queue, look.selection, look.after, looking.LOOKED_AT
        ):
            for one in page.letters:
                if len(shown) == limit:
                    return 200, {"messages": shown, "next": after}
                shown.append(letters.wire(one, page.now))
                after = one.work.id
            after, end = page.after, page.end
        return 200, {"messages": shown, "next": None if end else after}

    # Acting --------------------------------------------------------------------------------

    async def _act(self, asked: Asked, name: str, action: str) -> tuple[int, Any]:
        act = _read(asked, Act)
        check(act.selection)
        context = asked.context
        queue = await self._queue(context, name)
        if act.rate is not None and not 1 <= act.rate <= moves.MAX_RATE:
            raise _invalid(f"The rate lies between 1 and {moves.MAX_RATE} messages a second.")
        if act.max_replays is not None and act.max_replays < 1:
            raise _invalid("A message may be replayed at least once.")
        if action == moves.DISCARD and act.to is not None:
            raise _invalid("What is discarded goes nowhere.")
        to = await self._target(context, queue, act.to) if act.to else None
        found, now, _ = await looking.overview(self._store, queue, act.selection)
        if act.dry_run:
            left = found.left(act.max_replays, to) if action == moves.REPLAY else {}
            return 200, {
                "dry_run": True,
                "queue": name,
                "to": to,
                "max_replays": act.max_replays,
                **left,
                **found.wire(now),
            }
        if action == moves.DISCARD and not act.confirm:
            raise _invalid(f"{found.count} messages would be gone for good: say so with confirm.")
        id = self._ids.uuid()

        async def body(tx: Transaction) -> MoveTask:
            present = await self._queues.get(tx, queue.account, queue.region, queue.name)
            live = await move_control.live(tx, present)
            if live is not None:
                raise AwsError(
                    "Conflict", f"A {live.action} of {name} is under way: task {live.id}.", 409
                )
            task = MoveTask(
                id=id,
                source=present.arn,
                incarnation=present.uid,
                destination=to,
                rate=act.rate,
                started=tx.now,
                to_move=found.count,
                action=action,
                selection=act.selection,
                cap=act.max_replays if action == moves.REPLAY else None,
            )
            entry = audit.Entry(
                id=id,
                time=tx.now,
                actor=context.principal,
                action=action,
                queue=present.arn,
                selection=act.selection,
                to=to,
                rate=act.rate,
                cap=task.cap,
                note=act.note,
                matched=found.count,
                status=moves.RUNNING,
            )
            await audit.write(tx, queue.account, queue.region, entry)
            return await move_control.begin(tx, present, task)

        return 200, _wire(await self._store.transact(body))

    async def _target(self, context: RequestContext, source: Queue, to: str) -> str:
        """The ARN of the queue, given by name or ARN, that messages are to go to."""
        try:
            name = Arn.parse(to).resource
        except ValueError:
            name = to
        target = await self._queue(context, name)
        if target.arn == source.arn or target.fifo != source.fifo:
            raise _invalid(f"{name} is the same queue, or not of the same type.")
        return target.arn

    async def _edit(self, asked: Asked, name: str) -> tuple[int, Any]:
        edit = _read(asked, Edit)
        context = asked.context
        queue = await self._queue(context, name)
        id = self._ids.uuid()
        work_id = await self._find(queue, edit.id)

        async def body(tx: Transaction) -> dict[str, Any]:
            before = await editing.rewrite(tx, queue, work_id, edit.id, edit.body)
            entry = audit.Entry(
                id=id,
                time=tx.now,
                actor=context.principal,
                action="edit",
                queue=queue.arn,
                note=edit.note,
                matched=1,
                status=moves.COMPLETED,
                ended=tx.now,
                message=edit.id,
                before=before,
            )
            await audit.write(tx, queue.account, queue.region, entry)
            return {"id": edit.id, "before": before, "audit": id}

        return 200, await self._store.transact(body)

    async def _find(self, queue: Queue, id: str) -> int:
        """Where in the queue the message lies."""
        async for page in looking.pages(self._store, queue, Selection(ids=[id])):
            for one in page.letters:
                return one.work.id
        raise editing.gone(queue, id)

    # Tasks ---------------------------------------------------------------------------------

    async def _control(self, asked: Asked, id: str, step: str) -> tuple[int, Any]:
        context = asked.context
        act: Callable[[Transaction, MoveTask], Awaitable[MoveTask]] = getattr(move_control, step)

        async def body(tx: Transaction) -> MoveTask:
            task = await _task(tx, context, id)
            account, region = task.place
            entry = await audit.read(tx, account, region, task.started, task.id)
            if entry is not None:
                steps = (*entry.steps, (tx.now, context.principal, step))
                await audit.write(tx, account, region, msgspec.structs.replace(entry, steps=steps))
            return await act(tx, task)

        return 200, _wire(await self._store.transact(body))

    async def _audit(self, asked: Asked) -> tuple[int, Any]:
        context = asked.context
        try:
            limit = int(asked.query.get("limit", "50"))
        except ValueError:
            raise _invalid("The limit is a number.") from None
        entries = await self._store.transact(
            lambda tx: audit.latest(
                tx, context.account, context.region, max(1, min(limit, _MAX_LISTED))
            )
        )
        return 200, {"entries": [audit.wire(entry) for entry in entries]}

    async def _queue(self, context: RequestContext, name: str) -> Queue:
        queue = await self._store.transact(
            lambda tx: self._queues.find(tx, context.account, context.region, name)
        )
        if queue is None:
            raise AwsError("NotFound", f"There is no queue {name} here.", 404)
        return queue


async def _tasks(tx: Transaction, context: RequestContext) -> list[MoveTask]:
    """The caller's tasks that are remembered, newest first."""
    beginning = context.arn("sqs", "")
    end = beginning.encode() + b"\xff"
    found = [
        moves.decode(record.value)
        for record in await tx.scan_all(
            moves.COLLECTION, after=(beginning.encode(), b""), until=end
        )
    ]
    return sorted(found, key=lambda task: task.started, reverse=True)


async def _task(tx: Transaction, context: RequestContext, id: str) -> MoveTask:
    """The caller's task by its id, or what its id alone begins with."""
    found = [task for task in await _tasks(tx, context) if id and task.id.startswith(id)]
    if len(found) != 1:
        what = "several tasks begin with" if found else "there is no task"
        raise AwsError("NotFound", f"{what.capitalize()} {id}.", 404)
    return found[0]


def _wire(task: MoveTask) -> dict[str, Any]:
    return {
        "task": task.id,
        "action": task.action,
        "queue": Arn.parse(task.source).resource,
        "status": task.status,
        "matched": task.to_move,
        "done": task.moved,
        "capped": task.capped,
        "in_flight": task.passed,
        "unroutable": task.unroutable,
        "to": task.destination,
        "rate": task.rate,
        "max_replays": task.cap,
        "selection": msgspec.to_builtins(task.selection),
        "started": task.started,
        "failure": task.failure,
    }


def _read(asked: Asked, type: type[T]) -> T:
    try:
        return msgspec.json.decode(asked.body or b"{}", type=type)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _invalid(str(error)) from None


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message, 400)
