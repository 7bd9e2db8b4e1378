"""Functions as targets of events: accepted durably, run by the delivery engine."""

from __future__ import annotations

from lambent.core.arns import Arn
from lambent.core.ids import Ids
from lambent.events.contract import Event
from lambent.services.lambda_ import asynchronous, policy_rules, records, tracing
from lambent.services.lambda_.asynchronous import Waiting
from lambent.services.lambda_.durable import config, starting
from lambent.services.lambda_.function_figures import FunctionFigures
from lambent.services.lambda_.names import LATEST, from_arn
from lambent.store.contract import Transaction


class FunctionTarget:
    """See `events.contract.Target`."""

    def __init__(self, ids: Ids, figures: FunctionFigures) -> None:
        self._ids = ids
        self._figures = figures

    async def check(
        self, tx: Transaction, arn: Arn, event_source: str, principal: str
    ) -> str | None:
        reference = from_arn(arn)
        function = await records.find_function(tx, reference)
        if function is None:
            return f"The function {arn} does not exist."
        statements = function.policies.get(reference.qualifier or LATEST, [])
        if not policy_rules.allows(statements, principal, event_source, reference.qualified):
            return f"{principal} may not invoke {arn} from {event_source}."
        return None

    async def accept(self, tx: Transaction, arn: Arn, event: Event) -> None:
        reference = from_arn(arn)
        function = await records.get_function(tx, reference)
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
