"""Where CloudFormation's records lie: keys and encodings, and nothing else."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from lambent.services.cloudformation.model import (
    ChangeSet,
    Leftover,
    Resource,
    Stack,
    StackEvent,
)
from lambent.store.contract import NewWork, Transaction

STACKS = "cloudformation.stacks"
NAMES = "cloudformation.names"
RESOURCES = "cloudformation.resources"
GONE = "cloudformation.gone"
LEFTOVERS = "cloudformation.leftovers"
CHANGE_SETS = "cloudformation.change_sets"
CHANGE_SET_OWNERS = "cloudformation.change_set_owners"
EXPORTS = "cloudformation.exports"
IMPORTS = "cloudformation.imports"

S = TypeVar("S", Stack, Resource, Leftover, ChangeSet)

_encode = msgspec.json.encode


class Export(msgspec.Struct, frozen=True):
    """A value that a stack gives to others under a name."""

    name: str
    value: str
    stack_id: str


class Ticket(msgspec.Struct, frozen=True):
    """The payload of the engine's work: which operation of which stack."""

    account: str
    region: str
    stack_id: str
    operation: str

    def enqueued(self) -> NewWork:
        """The work item that carries it."""
        return NewWork(_encode(self))


def place(account: str, region: str) -> bytes:
    """The partition of an account's stacks in a region."""
    return f"{account}/{region}".encode()


def events_log(stack_id: str) -> str:
    """The name of a stack's event log."""
    return f"cloudformation.events/{stack_id}"


async def get_stack(tx: Transaction, account: str, region: str, reference: str) -> Stack | None:
    """A stack by its name (only one that is not deleted) or by its id."""
    partition = place(account, region)
    key = reference.encode()
    if not reference.startswith("arn:"):
        named = await tx.get(NAMES, partition, key)
        if named is None:
            return None
        key = named.value
    record = await tx.get(STACKS, partition, key)
    return None if record is None else msgspec.json.decode(record.value, type=Stack)


async def put_stack(tx: Transaction, stack: Stack) -> None:
    """Write a stack; its name leads to it until it is deleted."""
    partition = place(stack.account, stack.region)
    await tx.put(STACKS, partition, stack.id.encode(), _encode(stack))
    if stack.status == "DELETE_COMPLETE":
        named = await tx.get(NAMES, partition, stack.name.encode())
        if named is not None and named.value == stack.id.encode():
            await tx.delete(NAMES, partition, stack.name.encode())
    else:
        await tx.put(NAMES, partition, stack.name.encode(), stack.id.encode())


async def forget_stack(tx: Transaction, stack: Stack) -> None:
    """Remove every trace of a stack that never got beyond its change sets."""
    partition = place(stack.account, stack.region)
    await tx.delete(STACKS, partition, stack.id.encode())
    await tx.delete(NAMES, partition, stack.name.encode())


async def list_stacks(tx: Transaction, account: str, region: str) -> list[Stack]:
    """All stacks of an account in a region, deleted ones too, newest first."""
    records = await tx.scan(STACKS, place(account, region))
    stacks = [msgspec.json.decode(record.value, type=Stack) for record in records]
    return sorted(stacks, key=lambda stack: stack.created, reverse=True)


async def get_resources(tx: Transaction, stack_id: str) -> dict[str, Resource]:
    """A stack's resources by logical id."""
    records = await tx.scan(RESOURCES, stack_id.encode())
    found = [msgspec.json.decode(record.value, type=Resource) for record in records]
    return {resource.logical_id: resource for resource in found}


async def get_gone(tx: Transaction, stack_id: str) -> dict[str, Resource]:
    """The resources that a stack had and that were deleted with it, by logical id."""
    records = await tx.scan(GONE, stack_id.encode())
    found = [msgspec.json.decode(record.value, type=Resource) for record in records]
    return {resource.logical_id: resource for resource in found}


async def put_gone(tx: Transaction, stack_id: str, resource: Resource) -> None:
    """Remember a resource that was deleted with its stack."""
    await tx.put(GONE, stack_id.encode(), resource.logical_id.encode(), _encode(resource))


async def put_resource(tx: Transaction, stack_id: str, resource: Resource) -> None:
    """Write one resource."""
    await tx.put(RESOURCES, stack_id.encode(), resource.logical_id.encode(), _encode(resource))


async def delete_resource(tx: Transaction, stack_id: str, logical_id: str) -> None:
    """Forget one resource."""
    await tx.delete(RESOURCES, stack_id.encode(), logical_id.encode())


def _leftover_key(leftover: Leftover) -> bytes:
    return f"{leftover.logical_id}\0{leftover.physical_id}".encode()


async def get_leftovers(tx: Transaction, stack_id: str) -> list[Leftover]:
    """What waits for clean-up."""
    records = await tx.scan(LEFTOVERS, stack_id.encode())
    return [msgspec.json.decode(record.value, type=Leftover) for record in records]


async def put_leftover(tx: Transaction, stack_id: str, leftover: Leftover) -> None:
    """Mark a physical resource for clean-up."""
    await tx.put(LEFTOVERS, stack_id.encode(), _leftover_key(leftover), _encode(leftover))


async def delete_leftover(tx: Transaction, stack_id: str, leftover: Leftover) -> None:
    """It is cleaned up, or in use again."""
    await tx.delete(LEFTOVERS, stack_id.encode(), _leftover_key(leftover))


async def put_event(tx: Transaction, stack_id: str, event: StackEvent) -> None:
    """Add a line to a stack's history."""
    await tx.append(events_log(stack_id), [_encode(event)])


async def get_change_sets(tx: Transaction, stack_id: str) -> list[ChangeSet]:
    """A stack's change sets, newest first."""
    records = await tx.scan(CHANGE_SETS, stack_id.encode())
    found = [msgspec.json.decode(record.value, type=ChangeSet) for record in records]
    return sorted(found, key=lambda one: one.created, reverse=True)


def _owners(change_set_id: str) -> bytes:
    _, _, _, region, account, _ = change_set_id.split(":", 5)
    return place(account, region)


async def put_change_set(tx: Transaction, change_set: ChangeSet) -> None:
    """Write a change set; its id leads to its stack."""
    key, owner = change_set.id.encode(), change_set.stack_id.encode()
    await tx.put(CHANGE_SETS, owner, key, _encode(change_set))
    await tx.put(CHANGE_SET_OWNERS, _owners(change_set.id), key, owner)


async def delete_change_set(tx: Transaction, change_set: ChangeSet) -> None:
    """Forget a change set."""
    key = change_set.id.encode()
    await tx.delete(CHANGE_SETS, change_set.stack_id.encode(), key)
    await tx.delete(CHANGE_SET_OWNERS, _owners(change_set.id), key)


async def find_change_set(
    tx: Transaction, account: str, region: str, reference: str, stack: Stack | None
) -> ChangeSet | None:
    """A change set by its id, or by its name within a stack."""
    if reference.startswith("arn:"):
        owner = await tx.get(CHANGE_SET_OWNERS, place(account, region), reference.encode())
        if owner is None:
            return None
        record = await tx.get(CHANGE_SETS, owner.value, reference.encode())
        return None if record is None else msgspec.json.decode(record.value, type=ChangeSet)
    if stack is None:
        return None
    found = await get_change_sets(tx, stack.id)
    return next((one for one in found if one.name == reference), None)


async def get_exports(tx: Transaction, account: str, region: str) -> dict[str, Export]:
    """All exports of an account in a region, by name, in order of name."""
    records = await tx.scan(EXPORTS, place(account, region))
    found = [msgspec.json.decode(record.value, type=Export) for record in records]
    return {export.name: export for export in found}


async def set_exports(tx: Transaction, stack: Stack, exports: dict[str, str]) -> None:
    """Let these be the stack's exports, and no others."""
    partition = place(stack.account, stack.region)
    for name, export in (await get_exports(tx, stack.account, stack.region)).items():
        if export.stack_id == stack.id and name not in exports:
            await tx.delete(EXPORTS, partition, name.encode())
    for name, value in exports.items():
        await tx.put(EXPORTS, partition, name.encode(), _encode(Export(name, value, stack.id)))


async def get_importers(tx: Transaction, account: str, region: str, name: str) -> list[str]:
    """The names of the stacks that import an export, sorted."""
    prefix = f"{name}\0".encode()
    records = await tx.scan(
        IMPORTS, place(account, region), start=prefix, end=prefix[:-1] + b"\x01"
    )
    return sorted(record.value.decode() for record in records)


async def set_imports(tx: Transaction, stack: Stack, names: set[str]) -> None:
    """Let these be the exports that the stack imports, and no others."""
    partition = place(stack.account, stack.region)
    suffix = f"\0{stack.id}"
    for record in await tx.scan(IMPORTS, partition):
        name, _, stack_id = record.sort.decode().partition("\0")
        if stack_id == stack.id and name not in names:
            await tx.delete(IMPORTS, partition, record.sort)
    for name in sorted(names):
        await tx.put(IMPORTS, partition, f"{name}{suffix}".encode(), stack.name.encode())
