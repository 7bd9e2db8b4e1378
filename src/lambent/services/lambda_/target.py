"""Functions as targets of events: accepted durably, run by the delivery engine."""

from __future__ import annotations

from lambent.core.arns import Arn
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.events.contract import Event, Sender
from lambent.services.lambda_ import asynchronous, policy_rules, records, tracing
from lambent.services.lambda_.asynchronous import Waiting
from lambent.services.lambda_.durable import config, starting
from lambent.services.lambda_.function_figures import FunctionFigures
from lambent.services.lambda_.names import from_arn
from lambent.store.contract import Transaction


class FunctionTarget:
    """See `events.contract.Target`."""

    def __init__(self, ids: Ids, figures: FunctionFigures) -> None:
        self._ids = ids
        self._figures = figures

    async def check(self, tx: Transaction, arn: Arn, sender: Sender) -> str | None:
        reference = from_arn(arn)
        function = await records.find_function(tx, reference)
        if function is None:
            return f"The function {arn} does not exist."
        if not policy_rules.takes(policy_rules.of(function, reference), sender, reference):
            return _refusal(arn, sender).message
        return None

    async def accept(self, tx: Transaction, arn: Arn, event: Event) -> None:
        reference = from_arn(arn)
        function = await records.get_function(tx, reference)
        if not policy_rules.takes(policy_rules.of(function, reference), event.sender, reference):
            raise _refusal(arn, event.sender)
        waiting = Waiting(
            request_id=self._ids.uuid(),
            payload=event.body,
            qualifier=reference.qualifier,
            trace=event.trace or tracing.new(self._ids, tx.now),
            history=event.history,
        )
        if config.of(function.latest.settings) is not None:
            version = await records.resolve(tx, reference, function, self._ids.random())
            await starting.accept(tx, self._ids, reference, version, waiting)
        else:
            await asynchronous.enqueue(tx, reference, waiting)
        self._figures.count(reference, "received")


def _refusal(arn: Arn, sender: Sender) -> AwsError:
    whom = sender.role or sender.principal
    message = f"Not authorized to invoke function [{arn}] as {whom} for {sender.source_arn}"
    return AwsError("AccessDeniedException", message, 403)
