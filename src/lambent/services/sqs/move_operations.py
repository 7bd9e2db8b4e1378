"""The operations on message move tasks."""

from __future__ import annotations

from lambent.core.arns import Arn
from lambent.core.context import Params, RequestContext, Result
from lambent.core.ids import Ids
from lambent.services.sqs import errors, move_control, moves
from lambent.services.sqs.lookup import check, sources_of
from lambent.services.sqs.model import Queue
from lambent.services.sqs.moves import MoveTask
from lambent.services.sqs.queues import Queues
from lambent.store.contract import Store, Transaction


class MoveOperations:
    """Start, list and cancel tasks that move messages out of a dead-letter queue."""

    def __init__(self, store: Store, ids: Ids, queues: Queues) -> None:
        self._store = store
        self._ids = ids
        self._queues = queues

    async def start_message_move_task(self, context: RequestContext, params: Params) -> Result:
        source_arn = _arn(params, "SourceArn")
        destination_arn = _arn(params, "DestinationArn") if params.get("DestinationArn") else None
        rate = params.get("MaxNumberOfMessagesPerSecond")
        if rate is not None and not 1 <= rate <= moves.MAX_RATE:
            raise errors.invalid_value(
                rate,
                "MaxNumberOfMessagesPerSecond",
                f"Must be between 1 and {moves.MAX_RATE}, if provided.",
            )

        async def body(tx: Transaction) -> MoveTask:
            source = await self._queue(tx, context, source_arn, "SourceArn")
            check(source, context, "StartMessageMoveTask")
            if destination_arn is not None:
                if destination_arn == source_arn:
                    raise errors.invalid(
                        "Source queue arn and destination queue arn cannot be the same."
                    )
                target = await self._queue(tx, context, destination_arn, "DestinationArn")
                if target.fifo != source.fifo:
                    raise errors.invalid(
                        "Source queue and destination queue must be of the same type."
                    )
            if not await sources_of(tx, self._queues, source, limit=1):
                raise errors.invalid("Source queue must be configured as a Dead Letter Queue.")
            task = MoveTask(
                id=self._ids.uuid(),
                source=source.arn,
                incarnation=source.uid,
                destination=str(destination_arn) if destination_arn else None,
                rate=rate,
                started=tx.now,
                to_move=(await tx.work_counts(source.work)).ready,
            )
            return await move_control.begin(tx, source, task)

        return {"TaskHandle": moves.handle(await self._store.transact(body))}

    async def list_message_move_tasks(self, context: RequestContext, params: Params) -> Result:
        arn = _arn(params, "SourceArn")
        limit = params.get("MaxResults")
        if limit is not None and not 1 <= limit <= moves.MAX_KEPT:
            raise errors.invalid_value(
                limit, "MaxResults", f"Must be between 1 and {moves.MAX_KEPT}, if provided."
            )

        async def body(tx: Transaction) -> list[MoveTask]:
            source = await self._queue(tx, context, arn, "SourceArn")
            check(source, context, "ListMessageMoveTasks")
            found = await tx.scan(moves.COLLECTION, source.arn.encode(), reverse=True)
            tasks = [moves.decode(record.value) for record in found]
            return [task for task in tasks if task.action != moves.DISCARD][: limit or 1]

        return {"Results": [moves.wire(task) for task in await self._store.transact(body)]}

    async def cancel_message_move_task(self, context: RequestContext, params: Params) -> Result:
        handle = params.get("TaskHandle")
        if not handle:
            raise errors.missing("TaskHandle")
        id, source_arn = moves.parse_handle(handle)
        arn = _arn({"SourceArn": source_arn}, "SourceArn")

        async def body(tx: Transaction) -> int:
            source = await self._queue(tx, context, arn, "SourceArn")
            check(source, context, "CancelMessageMoveTask")
            records = await tx.scan(moves.COLLECTION, source.arn.encode())
            tasks = [moves.decode(record.value) for record in records]
            task = next((task for task in tasks if task.id == id), None)
            if task is None:
                raise errors.no_such_resource("Task does not exist.")
            task = await move_control.cancel(tx, task)
            return task.moved

        return {"ApproximateNumberOfMessagesMoved": await self._store.transact(body)}

    async def _queue(
        self, tx: Transaction, context: RequestContext, arn: Arn, parameter: str
    ) -> Queue:
        queue = None
        if (arn.service, arn.account, arn.region) == ("sqs", context.account, context.region):
            queue = await self._queues.by_arn(tx, arn)
        if queue is None:
            raise errors.no_such_resource(
                f"The resource that you specified for the {parameter} parameter doesn't exist."
            )
        return queue


def _arn(params: Params, name: str) -> Arn:
    text = params.get(name)
    if not text:
        raise errors.missing(name)
    try:
        return Arn.parse(text)
    except ValueError:
        raise errors.invalid(
            f"You must use this format to specify the {name}: "
            "arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
        ) from None
