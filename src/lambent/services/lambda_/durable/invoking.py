"""Invokes a durable function and waits for its execution's end."""

from __future__ import annotations

from dataclasses import dataclass

from lambent.core.clock import Clock
from lambent.core.ids import Ids
from lambent.services.lambda_ import errors
from lambent.services.lambda_.durable import naming, starting, waiting
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


async def execute(
    store: Store,
    clock: Clock,
    ids: Ids,
    reference: Reference,
    resolved: Resolved,
    wanted: Wanted,
) -> Executed:
    """Begin an execution of what was resolved, or find the one of that name, and wait for it.

    A caller who goes away does not stop it. AwsError when it cannot be begun.
    """
    version = resolved.version
    starting.check(reference, version, wanted.asynchronous)
    if resolved.function.reserved == 0:
        raise errors.throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
    key, execution = await store.transact(
        lambda tx: starting.start(tx, ids, reference, version, wanted)
    )
    result = await waiting.result(store, clock, key)
    return Executed(naming.arn(key, execution), execution.version, result)
