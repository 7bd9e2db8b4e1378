"""What flow control is set for: an event source mapping, or a function's asynchronous
invocations.

To flow control these are a mapping too, from the function's own waiting events to the function,
and its id is the function's ARN. It has no deadline and no rule about loops, as AWS has its own
for them (MaximumEventAgeInSeconds, recursion detection).
"""

from __future__ import annotations

import msgspec

from lambent.core.arns import Arn
from lambent.core.errors import AwsError
from lambent.events.flow.settings import Flow, parse
from lambent.services.lambda_ import records
from lambent.services.lambda_.model import Function, Mapping
from lambent.services.lambda_.names import Reference, from_arn
from lambent.store.contract import Transaction


def of_function(reference: Reference, function: Function) -> Mapping:
    """A function's asynchronous invocations."""
    return Mapping(
        uuid=reference.arn,
        source=reference.arn,
        function=reference.arn,
        settings={},
        enabled=True,
        modified=0.0,
        flow=function.flow,
        parked=function.parked,
    )


def is_function(subject: Mapping) -> bool:
    """Whether it is a function's asynchronous invocations."""
    return subject.uuid == subject.function


def rules(subject: Mapping) -> Flow:
    """The settings that hold for it."""
    flow = parse(subject.flow)
    if is_function(subject):
        flow = msgspec.structs.replace(flow, deadline=None, loop=None)
    return flow


async def find(tx: Transaction, account: str, region: str, id: str) -> Mapping:
    """The mapping of that UUID, or the function of that ARN; AwsError when it is not there."""
    reference = _reference(id)
    if reference is None:
        mapping = await records.find_mapping(tx, account, region, id)
        if mapping is not None:
            return mapping
    elif (reference.account, reference.region) == (account, region):
        function = await records.find_function(tx, reference)
        if function is not None:
            return of_function(reference, function)
    raise AwsError("ResourceNotFoundException", f"There is no mapping {id}.", 404)


async def save(tx: Transaction, account: str, region: str, subject: Mapping) -> None:
    """Keep its settings, and whether it is parked."""
    if not is_function(subject):
        await records.put_mapping(tx, account, region, subject)
        return
    reference = from_arn(Arn.parse(subject.uuid))
    function = await records.get_function(tx, reference)
    function.flow, function.parked = subject.flow, subject.parked
    await records.put_function(tx, reference, function)


async def listed(tx: Transaction, account: str, region: str) -> list[Mapping]:
    """All mappings, and the functions whose asynchronous invocations are regulated."""
    found = await records.mappings(tx, account, region)
    for record in await tx.scan(records.FUNCTIONS, records.place(account, region)):
        function = records.decode(record, Function)
        if function.flow or function.parked is not None:
            found.append(of_function(Reference(account, region, record.sort.decode()), function))
    return found


def _reference(id: str) -> Reference | None:
    try:
        return from_arn(Arn.parse(id))
    except (ValueError, AwsError):
        return None
