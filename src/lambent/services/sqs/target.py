"""SQS queues as targets of events."""

from __future__ import annotations

from lambent.core.arns import Arn
from lambent.core.ids import Ids
from lambent.events.contract import Event
from lambent.services.sqs import errors, sending
from lambent.services.sqs.figures import Figures
from lambent.services.sqs.queues import Queues
from lambent.store.contract import Transaction


class QueueTarget:
    """Sends events as messages, in the producer's transaction; see `events.contract.Target`."""

    def __init__(self, ids: Ids, queues: Queues, figures: Figures) -> None:
        self._ids = ids
        self._queues = queues
        self._figures = figures

    async def check(
        self, tx: Transaction, arn: Arn, event_source: str, principal: str
    ) -> str | None:
        if await self._queues.by_arn(tx, arn) is None:
            return f"The queue {arn} does not exist."
        return None

    async def accept(self, tx: Transaction, arn: Arn, event: Event) -> None:
        queue = await self._queues.by_arn(tx, arn)
        if queue is None:
            raise errors.no_such_queue()
        own = dict(event.attributes)
        params = {
            "MessageBody": event.body.decode(),
            "MessageGroupId": own.pop("MessageGroupId", None),
            "MessageDeduplicationId": own.pop("MessageDeduplicationId", None),
            "MessageAttributes": own,
        }
        draft = sending.draft(params, self._ids.uuid(), event.trace, event.principal)
        told = await sending.send(tx, queue, draft, event.history)
        self._figures.of(queue).add_told(told, draft.message.id, draft.size)
