"""What the groups of operations share."""

from __future__ import annotations

from dataclasses import dataclass

from lambent.core.context import Params, RequestContext
from lambent.services.contract import Platform
from lambent.services.lambda_ import errors, names, records
from lambent.services.lambda_.code import CodeStore
from lambent.services.lambda_.downloads import Downloads
from lambent.services.lambda_.durable.invoking import Executor
from lambent.services.lambda_.durable.lanes import DurableLanes
from lambent.services.lambda_.invoking import Runner
from lambent.services.lambda_.keeping import Keeping
from lambent.services.lambda_.lanes import Lanes
from lambent.services.lambda_.names import LATEST, Reference
from lambent.store.contract import Transaction


@dataclass(frozen=True, slots=True)
class Parts:
    """The working parts of the service."""

    platform: Platform
    code: CodeStore
    runner: Runner
    lanes: Lanes
    durable: DurableLanes
    executor: Executor
    keeping: Keeping
    downloads: Downloads


class Base:
    """A group of operations."""

    def __init__(self, parts: Parts) -> None:
        self._platform = parts.platform
        self._store = parts.platform.store
        self._ids = parts.platform.ids
        self._code = parts.code
        self._runner = parts.runner
        self._lanes = parts.lanes
        self._durable = parts.durable
        self._executor = parts.executor
        self._keeping = parts.keeping
        self._downloads = parts.downloads

    def _reference(self, context: RequestContext, params: Params, action: str) -> Reference:
        """What FunctionName, with Qualifier if there is one, refers to."""
        return names.parse(context, params["FunctionName"], params.get("Qualifier"), action)

    def _latest_reference(self, context: RequestContext, params: Params, action: str) -> Reference:
        """The same, for operations that are about $LATEST alone."""
        reference = self._reference(context, params, action)
        if reference.qualifier not in (None, LATEST):
            raise errors.invalid("Current operation does not support versions other than $LATEST")
        return Reference(reference.account, reference.region, reference.name)

    async def _role_of(self, reference: Reference) -> str:
        """The ARN of the role of the function, or of the version that is meant."""

        async def body(tx: Transaction) -> str:
            function = await records.get_function(tx, reference)
            version = await records.resolve(tx, reference, function)
            return str(version.settings["Role"])

        return await self._store.transact(body)
