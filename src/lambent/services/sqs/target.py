"""SQS queues as targets of events."""

from __future__ import annotations

from lambent.core.arns import Arn
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.events.contract import Event, Sender
from lambent.services.sqs import access, errors, sending
from lambent.services.sqs.figures import Figures
from lambent.services.sqs.model import Queue
from lambent.services.sqs.queues import Queues
from lambent.store.contract import Transaction


class QueueTarget:
    """Sends events as messages, in the producer's transaction; see `events.contract.Target`."""

    def __init__(self, ids: Ids, queues: Queues, figures: Figures) -> None:
        self._ids = ids
        self._queues = queues
        self._figures = figures

    async def check(self, tx: Transaction, arn: Arn, sender: Sender) -> str | None:
        queue = await self._queues.by_arn(tx, arn)
        if queue is None:
            return f"The queue {arn} does not exist."
        return None if access.takes(queue, sender) else _refusal(queue, sender).message

    async def accept(self, tx: Transaction, arn: Arn, event: Event) -> None:
        queue = await self._queues.by_arn(tx, arn)
        if queue is None:
            raise errors.no_such_queue()
        if not access.takes(queue, event.sender):
            raise _refusal(queue, event.sender)
        own = dict(event.attributes)
        params = {
            "MessageBody": event.body.decode(),
            "MessageGroupId": own.pop("MessageGroupId", None),
            "MessageDeduplicationId": own.pop("MessageDeduplicationId", None),
            "MessageAttributes": own,
        }
        draft = sending.draft(params, self._ids.uuid(), event.trace, event.sender.principal)
        told = await sending.send(tx, queue, draft, event.history)
        self._figures.of(queue).add_told(told, draft.message.id, draft.size)


def _refusal(queue: Queue, sender: Sender) -> AwsError:
    whom = sender.role or sender.principal
    return errors.access_denied(whom, queue.arn, "SendMessage", denied=False)
