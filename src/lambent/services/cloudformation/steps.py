"""One resource's step: begin, do, finish — each on record, so it can be taken again.

A step that was begun and not finished is done again by whoever goes on; the resource
type is told (`resumed`), and what it finds under its own deterministic name is its own.
"""

from __future__ import annotations

import logging
from typing import Any

from lambent.core.errors import AwsError, StoreError
from lambent.core.resources import (
    Created,
    LeftBehind,
    ResourceRequest,
    ResourceType,
    is_awaited,
)
from lambent.services.cloudformation import failures, property_kinds, records
from lambent.services.cloudformation.model import Action, Leftover, Pending, Resource
from lambent.services.cloudformation.plan import Section
from lambent.services.cloudformation.session import Overtaken, Session
from lambent.store.contract import Transaction

log = logging.getLogger(__name__)

_REPLACING = (
    "Requested update requires the creation of a new physical resource; hence creating one."
)
_REPLACED = "Requested update required the provider to create a new physical resource"


def leftover_of(resource: Resource, physical_id: str, policy: str) -> Leftover:
    """The resource under `physical_id`, to be deleted later by `resource`'s own data."""
    return Leftover(
        resource.logical_id,
        resource.type,
        physical_id,
        resource.properties,
        resource.metadata,
        resource.depends_on,
        policy,
        resource.shown,
    )


async def begin(
    session: Session,
    logical_id: str,
    section: Section,
    action: Action,
    properties: dict[str, Any],
    depends_on: list[str],
    *,
    shown: dict[str, Any] | None = None,
    creation_policy: dict[str, Any] | None = None,
) -> Resource:
    """Put on record that a resource is about to be created, updated or replaced."""
    existing = session.resources.get(logical_id)
    pending = Pending(action, properties, dict(section.metadata), shown, creation_policy or {})
    status, reason = "UPDATE_IN_PROGRESS", None
    if existing is None or action == "create":
        status = "CREATE_IN_PROGRESS"
        resource = Resource(logical_id, section.type, status, 0.0)
        resource.generation = existing.generation + 1 if existing else 0
    else:
        resource = existing
        resource.before = existing.snapshot()
        if action == "replace":
            reason = _REPLACING
            resource.generation += 1
    resource.status, resource.reason = status, reason
    resource.pending = pending
    resource.touched = session.operation.id
    resource.depends_on = depends_on
    resource.deletion_policy = section.deletion_policy
    resource.replace_policy = section.replace_policy
    await session.put(resource, events=((status, reason),))
    return resource


async def carry_out(
    session: Session, resource: Resource, kind: ResourceType, *, resumed: bool
) -> str | None:
    """Do what is pending for a resource; the reason when it failed, else None."""
    pending = resource.pending
    assert pending is not None
    verb = "CREATE" if pending.action == "create" else "UPDATE"
    request = session.request(
        resource.logical_id,
        resource.generation,
        pending.metadata,
        kind=resource.type,
        resumed=resumed,
        creation_policy=pending.creation_policy,
    )
    if faults := property_kinds.faults(resource.type, pending.properties):
        reason = failures.invalid_properties(resource.logical_id, faults)
        return await fail(session, resource, verb, reason)
    try:
        if pending.action == "update":
            made = await kind.update(
                request, resource.physical_id, resource.properties, pending.properties
            )
        else:
            made = await _create(
                kind,
                request,
                pending.properties,
                _custom_name(resource.type, pending.properties),
            )
    except LeftBehind as error:
        if pending.action == "create" and error.physical_id:
            leave(resource, error.physical_id)
        return await fail(session, resource, verb, error.message)
    except AwsError as error:
        reason = failures.reason(error, resource.type, request.context.request_id)
        if pending.action == "replace" and failures.is_taken(error):
            name = _custom_name(resource.type, pending.properties)
            reason = (
                "CloudFormation cannot update a stack when a custom-named resource requires "
                f"replacing. Rename {name} and update the stack again."
            )
        return await fail(session, resource, verb, reason)
    except (StoreError, Overtaken):
        raise
    except Exception:
        log.exception("%s %s failed", resource.type, resource.logical_id)
        return await fail(session, resource, verb, failures.INTERNAL)
    await _succeed(session, resource, made, verb, awaited=is_awaited(kind))
    return None


def leave(resource: Resource, physical_id: str) -> None:
    """Let a resource whose creation did not end well be deleted by this id."""
    resource.physical_id = physical_id
    if resource.pending is not None:
        resource.properties, resource.shown = resource.pending.properties, resource.pending.shown


async def _succeed(
    session: Session, resource: Resource, made: Created, verb: str, *, awaited: bool
) -> None:
    pending = resource.pending
    assert pending is not None
    leftover = reused = None
    events: tuple[tuple[str, str | None], ...] = ((f"{verb}_COMPLETE", None),)
    if pending.action != "create" and made.physical_id != resource.physical_id:
        policy = resource.before.replace_policy if resource.before else resource.replace_policy
        if pending.action == "replace":
            leftover = leftover_of(resource, resource.physical_id, policy)
        elif awaited:
            leftover = leftover_of(resource, resource.physical_id, policy)
            reused = leftover_of(resource, made.physical_id, policy)
            events = (("UPDATE_IN_PROGRESS", _REPLACED), *events)
    if pending.action != "update":
        events = ((f"{verb}_IN_PROGRESS", "Resource creation Initiated"), *events)
    resource.physical_id = made.physical_id
    resource.attributes = dict(made.attributes)
    resource.properties = pending.properties
    resource.metadata = pending.metadata
    resource.shown = pending.shown
    resource.pending = None
    resource.status, resource.reason = f"{verb}_COMPLETE", None
    await session.put(resource, events=events, leftover=leftover, reused=reused)


async def fail(session: Session, resource: Resource, verb: str, reason: str) -> str:
    """Put a failure on record; the reason."""
    resource.status, resource.reason = f"{verb}_FAILED", reason
    await session.put(resource, events=((f"{verb}_FAILED", reason),))
    return reason


async def _create(
    kind: ResourceType, request: ResourceRequest, properties: dict[str, Any], custom: str
) -> Created:
    try:
        return await kind.create(request, properties)
    except AwsError as error:
        if not request.resumed or not failures.is_taken(error):
            raise
        # Our own earlier attempt made it. Its physical id is its name for every type that
        # can refuse in this way and does not look at `resumed` itself.
        for name in _own_names(request, custom):
            try:
                return await kind.update(request, name, properties, properties)
            except AwsError as absent:
                if not failures.is_absent(absent):
                    raise
        raise


def _own_names(request: ResourceRequest, custom: str) -> list[str]:
    return [custom] if custom else [request.default_name, request.default_name.lower()]


def _custom_name(resource_type: str, properties: dict[str, Any]) -> str:
    """The name that the template gives the resource itself, or ""."""
    value = properties.get(f"{resource_type.rsplit('::', 1)[-1]}Name", properties.get("Name"))
    return value if isinstance(value, str) else ""


async def delete(
    session: Session, item: Resource | Leftover, kind: ResourceType | None
) -> str | None:
    """Delete a resource or a leftover and forget it; the reason when that failed."""
    stack_id = session.stack.id

    async def started(tx: Transaction) -> None:
        await session.write_event(tx, item, "DELETE_IN_PROGRESS", None)
        if isinstance(item, Resource):
            item.status, item.reason, item.updated = "DELETE_IN_PROGRESS", None, tx.now
            await records.put_resource(tx, stack_id, item)

    await session.write(started)
    reason = await _delete(session, item, kind)
    if reason is None:
        await forget(session, item, "DELETE_COMPLETE", None)
    elif isinstance(item, Resource):
        await fail(session, item, "DELETE", reason)
    else:
        await forget(session, item, "DELETE_FAILED", reason)
    return reason


async def _delete(
    session: Session, item: Resource | Leftover, kind: ResourceType | None
) -> str | None:
    if kind is None:
        return f"Unrecognized resource type: {item.type}"
    generation = item.generation if isinstance(item, Resource) else 0
    request = session.request(item.logical_id, generation, item.metadata, kind=item.type)
    try:
        await kind.delete(request, item.physical_id, item.properties)
    except LeftBehind as error:
        return error.message
    except AwsError as error:
        if failures.is_absent(error):
            return None
        return failures.reason(error, item.type, request.context.request_id)
    except (StoreError, Overtaken):
        raise
    except Exception:
        log.exception("deleting %s %s failed", item.type, item.logical_id)
        return failures.INTERNAL
    return None


async def forget(
    session: Session, item: Resource | Leftover, status: str | None, reason: str | None
) -> None:
    """Drop a resource or leftover from the stack, with a last line in its history."""

    async def body(tx: Transaction) -> None:
        if status is not None:
            await session.write_event(tx, item, status, reason)
        if isinstance(item, Resource):
            await records.delete_resource(tx, session.stack.id, item.logical_id)
            if status is not None and session.operation.kind != "update":
                item.status, item.reason, item.updated = status, reason, tx.now
                await records.put_gone(tx, session.stack.id, item)
        else:
            await records.delete_leftover(tx, session.stack.id, item)

    await session.write(body)
    if isinstance(item, Resource):
        session.resources.pop(item.logical_id, None)
    else:
        session.leftovers.remove(item)
