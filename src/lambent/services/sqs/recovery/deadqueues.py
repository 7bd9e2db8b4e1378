"""Which queues hold dead letters, and whose: those that a redrive policy names, and those that
a function's dead-letter queue or on-failure destination is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from lambent.core.arns import Arn
from lambent.core.context import Params, RequestContext
from lambent.core.errors import AwsError
from lambent.core.registry import Registry
from lambent.services.sqs import redrive
from lambent.services.sqs.queues import Queues
from lambent.store.contract import Store, Transaction


class DeadQueues:
    """Finds them, by the queues' and functions' own settings."""

    def __init__(self, store: Store, queues: Queues, registry: Registry) -> None:
        self._store = store
        self._queues = queues
        self._registry = registry

    async def find(self, context: RequestContext) -> dict[str, list[str]]:
        """The caller's dead-letter queues by name, each with the ARNs whose letters it gets."""

        async def body(tx: Transaction) -> tuple[set[str], list[tuple[str, str]]]:
            queues = await self._queues.list(tx, context.account, context.region)
            policies = [(queue.arn, redrive.policy_of(queue)) for queue in queues]
            uses = [(str(policy.target), arn) for arn, policy in policies if policy]
            return {queue.arn for queue in queues}, uses

        present, uses = await self._store.transact(body)
        uses += [use async for use in self._of_functions(context)]
        found: dict[str, list[str]] = {}
        for target, source in uses:
            if target in present:
                sources = found.setdefault(Arn.parse(target).resource, [])
                if source not in sources:
                    sources.append(source)
        return dict(sorted(found.items()))

    async def _of_functions(self, context: RequestContext) -> AsyncIterator[tuple[str, str]]:
        """(queue or other destination, function) for each that gets a function's failures."""
        async for function in self._pages(context, "ListFunctions", "Functions", {}):
            arn = function["FunctionArn"]
            dead_letter = (function.get("DeadLetterConfig") or {}).get("TargetArn")
            if dead_letter:
                yield dead_letter, arn
            configs = self._pages(
                context,
                "ListFunctionEventInvokeConfigs",
                "FunctionEventInvokeConfigs",
                {"FunctionName": function["FunctionName"]},
            )
            async for config in configs:
                wanted = (config.get("DestinationConfig") or {}).get("OnFailure") or {}
                if wanted.get("Destination"):
                    yield wanted["Destination"], arn

    async def _pages(
        self, context: RequestContext, operation: str, member: str, params: Params
    ) -> AsyncIterator[dict[str, Any]]:
        marker: object = None
        while True:
            more = {"Marker": marker} if marker else {}
            try:
                page: Any = await self._registry.call(
                    context, "lambda", operation, {**params, **more}
                )
            except AwsError as error:
                # Deleted meanwhile, or there is no Lambda on this node.
                if error.code in ("ResourceNotFoundException", "NotImplemented"):
                    return
                raise
            for one in page[member]:
                yield one
            marker = page.get("NextMarker")
            if not marker:
                return
