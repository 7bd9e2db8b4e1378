"""Begins executions, once for each name.

Source: Lambda API Reference, Invoke (DurableExecutionName); Lambda Developer Guide,
"Idempotency" of durable functions and "Invoking durable Lambda functions".
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.services.lambda_ import errors
from lambent.services.lambda_.asynchronous import Waiting
from lambent.services.lambda_.durable import config, naming
from lambent.services.lambda_.durable.book import Book, find
from lambent.services.lambda_.durable.machine import shown_payload
from lambent.services.lambda_.durable.model import NAMES, Chained, Execution, Key
from lambent.services.lambda_.model import Version
from lambent.services.lambda_.names import Reference
from lambent.store.contract import Transaction


@dataclass(frozen=True, slots=True)
class Wanted:
    """An execution that somebody asks for. `asynchronous`: nobody waits for its end."""

    payload: str
    request_id: str
    asynchronous: bool
    name: str | None = None
    trace: str | None = None
    chained: Chained | None = None


def check(reference: Reference, version: Version, asynchronous: bool) -> None:
    """AwsError when a durable function cannot be invoked so."""
    if reference.qualifier is None:
        raise errors.invalid("You cannot invoke a durable function using an unqualified ARN.")
    wanted = config.of(version.settings)
    timeout = wanted["ExecutionTimeout"] if wanted is not None else 0
    if not asynchronous and timeout > config.SYNCHRONOUS:
        raise errors.invalid(
            "You cannot synchronously invoke a durable function with an executionTimeout greater "
            "than 15 minutes."
        )


async def start(
    tx: Transaction, ids: Ids, reference: Reference, version: Version, wanted: Wanted
) -> tuple[Key, Execution]:
    """The execution that was begun, or the one that has the name and the payload already.

    DurableExecutionAlreadyStartedException when the one of that name has another payload.
    """
    digest = hashlib.sha256(wanted.payload.encode()).hexdigest()
    key = Key(reference.account, reference.region, reference.name, naming.new_id(tx.now, ids))
    name = wanted.name or ids.uuid()
    if wanted.name is not None:
        taken = await tx.get(NAMES, key.owner, name.encode())
        if taken is not None:
            return await _existing(tx, key, taken.value.decode(), digest, name)
    settings = config.of(version.settings)
    assert settings is not None, "only durable functions are executed durably"
    timeout = settings["ExecutionTimeout"]
    execution = Execution(
        id=key.id,
        name=name,
        version=version.number,
        qualifier=reference.qualifier or version.number,
        started=tx.now,
        deadline=tx.now + timeout,
        timeout=timeout,
        retention=settings["RetentionPeriodInDays"],
        kms_key=settings.get("KMSKeyArn"),
        input_digest=digest,
        asynchronous=wanted.asynchronous,
        request_id=wanted.request_id,
        trace=wanted.trace,
        chained=wanted.chained,
    )
    book = Book(tx, key, execution)
    await tx.put(NAMES, key.owner, name.encode(), key.id.encode())
    await book.put_datum("input", wanted.payload)
    book.tell(
        "ExecutionStarted", {"Input": shown_payload(wanted.payload), "ExecutionTimeout": timeout}
    )
    await book.timer("timeout", float(timeout))
    await book.run()
    await book.close()
    return key, execution


async def accept(
    tx: Transaction,
    ids: Ids,
    reference: Reference,
    version: Version,
    waiting: Waiting,
    name: str | None = None,
) -> str:
    """Begin what an event asks for, in the transaction that accepts it; its ARN."""
    check(reference, version, asynchronous=True)
    wanted = Wanted(waiting.payload.decode(), waiting.request_id, True, name, waiting.trace)
    return naming.arn(*await start(tx, ids, reference, version, wanted))


async def _existing(
    tx: Transaction, key: Key, id: str, digest: str, name: str
) -> tuple[Key, Execution]:
    present = Key(key.account, key.region, key.function, id)
    execution = await find(tx, present)
    assert execution is not None, "a name goes with its execution"
    if execution.input_digest != digest:
        raise AwsError(
            "DurableExecutionAlreadyStartedException",
            f"A durable execution named {name} was already started with another payload.",
            409,
            {"Type": "User"},
        )
    return present, execution
