"""Invokes a durable function and waits for its execution's end."""

from __future__ import annotations

from dataclasses import dataclass

from lambent.core.clock import Clock
from lambent.core.ids import Ids
from lambent.services.lambda_ import errors
from lambent.services.lambda_.durable import config, naming, starting, waiting
from lambent.services.lambda_.durable.starting import Wanted
from lambent.services.lambda_.durable.waiting import Result
from lambent.services.lambda_.invoking import Resolved
from lambent.services.lambda_.names import Reference
from lambent.store.contract import Store


@dataclass(frozen=True, slots=True)
class Executed:
    """An execution that has ended: its ARN, the version that ran, and what came of it."""

    arn: str
    version: str
    result: Result


class Executor:
    """Runs executions for callers who wait for them."""

    def __init__(self, store: Store, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def execute(
        self,
        reference: Reference,
        resolved: Resolved,
        payload: bytes,
        *,
        request_id: str,
        name: str | None = None,
        trace: str | None = None,
    ) -> Executed | None:
        """Begin an execution of what was resolved, or find the one of that name, and wait for
        it; None when it is no durable function.

        A caller who goes away does not stop it. AwsError when it cannot be begun.
        """
        version = resolved.version
        if config.of(version.settings) is None:
            return None
        starting.check(reference, version, asynchronous=False)
        if resolved.function.reserved == 0:
            raise errors.throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        wanted = Wanted(payload.decode(), request_id, False, name, trace)
        key, execution = await self._store.transact(
            lambda tx: starting.start(tx, self._ids, reference, version, wanted)
        )
        result = await waiting.result(self._store, self._clock, key)
        return Executed(naming.arn(key, execution), execution.version, result)
