"""One operation on one stack, from its recorded phase to its end.

    create   forward ─ ok ─→ CREATE_COMPLETE
                     └ failed ─→ rollback → ROLLBACK_COMPLETE
                               (DO_NOTHING: CREATE_FAILED; DELETE: delete → DELETE_COMPLETE)
    update   forward ─ ok ─→ cleanup → UPDATE_COMPLETE
                     └ failed ─→ rollback → rollback-cleanup → UPDATE_ROLLBACK_COMPLETE
    delete   delete → DELETE_COMPLETE | DELETE_FAILED

Every phase can be entered again after a crash: it looks at the records and does what is
left. Order: a resource after those it depends on; deletions the other way round.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from lambent.core.errors import AwsError
from lambent.core.resources import ResourceType, is_awaited, refusal
from lambent.services.cloudformation import (
    custom,
    dynamic,
    graph,
    outputs,
    parameters,
    plan,
    records,
    schedule,
    stack_policy,
    steps,
)
from lambent.services.cloudformation.conditions import active
from lambent.services.cloudformation.failures import failed_to
from lambent.services.cloudformation.intrinsics import Known, Scope, resolve
from lambent.services.cloudformation.model import Action, Leftover, Pending, Phase, Resource
from lambent.services.cloudformation.names import physical_name
from lambent.services.cloudformation.scope import scope_of
from lambent.services.cloudformation.session import Session
from lambent.store.contract import Transaction


async def run(session: Session) -> None:
    """Carry the operation to its end."""
    phases = {
        "forward": _forward,
        "cleanup": _cleanup,
        "rollback": _rollback,
        "rollback-cleanup": _rollback_cleanup,
        "delete": _delete,
    }
    while session.stack.operation is not None:
        await phases[session.operation.phase](session)
        if session.stack.status.endswith("_FAILED"):
            return


async def _enter(session: Session, phase: Phase, status: str, reason: str | None = None) -> None:
    session.operation.phase = phase
    await session.set_stack(status, reason)


# Forward ------------------------------------------------------------------------------


async def _forward(session: Session) -> None:
    async def read(tx: Transaction) -> dict[str, str]:
        found = await records.get_exports(tx, session.stack.account, session.stack.region)
        return {name: one.value for name, one in found.items() if one.stack_id != session.stack.id}

    scope = _scope(session, await session.platform.store.transact(read))
    resources = active(session.stack.definition.processed, scope.conditions)
    needs = graph.dependencies(resources, scope.conditions)
    if name := outputs.missing_import(session.stack.definition.processed, resources, scope):
        await _turn_back(session, f"No export named {name} found. ")
        return
    for one in [one for name, one in session.resources.items() if name not in resources]:
        if problem := _forbidden(session, "Update:Delete", one):
            await _turn_back(session, problem)
            return
    kinds = session.platform.resources

    async def step(name: str) -> bool:
        own = plan.section(resources[name], scope.parameters)
        return await _deploy(session, name, own, sorted(needs[name]), scope)

    course = await schedule.run(
        {name: needs[name] for name in graph.order(needs)},
        step,
        lambda name: is_awaited(kinds[resources[name]["Type"]]),
        session.platform.clock,
        _deadline(session),
    )
    for name in course.cancelled:
        await _cancel(session, name, kinds[resources[name]["Type"]])
    if course.late:
        await _turn_back(session, "Stack creation time exceeded the specified timeout. ")
        return
    if course.failed:
        await _turn_back(session, _failures(session, [*course.failed, *course.cancelled]))
        return
    await _complete(session, dataclasses.replace(scope, resources=_known(session)))


def _scope(session: Session, exports: dict[str, str]) -> Scope:
    stack = session.stack
    return scope_of(stack.account, stack.region, stack.id, stack.name, stack.definition, exports)


def _deadline(session: Session) -> float | None:
    minutes = session.stack.timeout_minutes
    if session.operation.kind != "create" or minutes is None:
        return None
    return session.stack.created + minutes * 60


async def _cancel(session: Session, name: str, kind: ResourceType) -> None:
    """Put on record that a resource was given up because others failed."""
    resource = session.resources[name]
    if not resource.status.endswith("_IN_PROGRESS"):
        return
    verb = "CREATE" if resource.status.startswith("CREATE") else "UPDATE"
    _learn_name(session, resource)
    await steps.fail(session, resource, verb, f"Resource {_DOING[verb]} cancelled")


_DOING = {"CREATE": "creation", "UPDATE": "update"}


def _failures(session: Session, names: list[str]) -> str:
    """`The following resource(s) failed to create: [A]. `, and likewise for updates."""
    found = ""
    for verb in ("create", "update"):
        status = f"{verb.upper()}_FAILED"
        if those := [name for name in names if session.resources[name].status == status]:
            found += failed_to(verb, those)
    return found


def _known(session: Session, *, shown: bool = False) -> dict[str, Known]:
    """What resources give to others; `shown`: as histories may show it."""
    return {
        name: Known(
            resource.physical_id,
            custom.masked(resource.attributes) if shown else resource.attributes,
        )
        for name, resource in session.resources.items()
        if resource.physical_id
    }


async def _deploy(
    session: Session, name: str, own: plan.Section, needs: list[str], scope: Scope
) -> bool:
    """Bring one resource to its new form; whether that went well."""
    kind = session.platform.resources[own.type]
    existing = session.resources.get(name)
    if existing is not None and existing.touched == session.operation.id:
        if existing.status.endswith("_FAILED"):
            return False
        if existing.pending is None:
            return True
        return await steps.carry_out(session, existing, kind, resumed=True) is None
    within = dataclasses.replace(scope, resources=_known(session))
    shown: dict[str, Any] | None = None
    try:
        properties = resolve(dict(own.properties), within)
        shown = resolve(dict(own.properties), _showable(session, within))
        policy = resolve(dict(own.creation_policy), within)
        properties = await dynamic.fetch(properties, session.platform.registry, session.context())
    except AwsError as error:
        return await _refuse(session, name, own, needs, error.message)
    todo = plan.step(existing, own.type, properties, own.metadata, kind.replaces)
    if todo == "keep" and _retagged(session) and "Tags" in kind.properties:
        todo = "update"
    if todo == "update":
        assert existing is not None
        if problem := refusal(kind, existing.properties, properties):
            return await _refuse(session, name, own, needs, problem)
    if todo == "keep":
        assert existing is not None
        existing.before = existing.snapshot()
        existing.touched = session.operation.id
        existing.depends_on = needs
        existing.deletion_policy = own.deletion_policy
        existing.replace_policy = own.replace_policy
        await session.put(existing)
        return True
    if existing is not None and todo in ("update", "replace"):
        change: stack_policy.Change = "Update:Replace" if todo == "replace" else "Update:Modify"
        if problem := _forbidden(session, change, existing):
            return await _refuse(session, name, own, needs, problem)
    resource = await steps.begin(
        session, name, own, todo, properties, needs, shown=shown, creation_policy=policy
    )
    return await steps.carry_out(session, resource, kind, resumed=False) is None


def _retagged(session: Session) -> bool:
    """Whether the operation changes the stack's tags, which its resources carry."""
    previous = session.operation.previous
    return previous is not None and previous.tags != session.stack.definition.tags


def _forbidden(session: Session, change: stack_policy.Change, one: Resource) -> str | None:
    """Why the stack's policy does not let this be done; None when it does."""
    policy = session.operation.policy or session.stack.policy
    if stack_policy.allows(policy, change, one.logical_id, one.type):
        return None
    return stack_policy.DENIED.format(change, one.logical_id)


async def _refuse(
    session: Session, name: str, own: plan.Section, needs: list[str], reason: str
) -> bool:
    """Fail a resource before anything is done for it; False."""
    action: Action = "update" if name in session.resources else "create"
    resource = await steps.begin(session, name, own, action, {}, needs)
    await steps.fail(session, resource, action.upper(), reason)
    return False


def _showable(session: Session, scope: Scope) -> Scope:
    """The scope with what must not be shown masked."""
    secret = {
        name: parameters.MASK
        for name, one in session.stack.definition.parameters.items()
        if one.no_echo
    }
    return dataclasses.replace(
        scope,
        parameters={**scope.parameters, **secret},
        resources=_known(session, shown=True),
        imported=set(),
    )


async def _complete(session: Session, scope: Scope) -> None:
    """All resources are there: outputs, exports and imports, in one commit."""
    stack = session.stack
    try:
        resolved = outputs.resolve_outputs(stack.definition.processed, scope)
    except AwsError as error:
        await _turn_back(session, error.message)
        return
    exports = {one.export: one.value for one in resolved if one.export is not None}

    async def check(tx: Transaction) -> str | None:
        return await outputs.export_problem(tx, stack, exports)

    if problem := await session.platform.store.transact(check):
        await _turn_back(session, problem)
        return
    stack.outputs = resolved

    async def publish(tx: Transaction) -> None:
        await records.set_exports(tx, stack, exports)
        await records.set_imports(tx, stack, scope.imported)

    if session.operation.kind == "create":
        await session.finish("CREATE_COMPLETE", also=publish)
        return
    await session.write(publish)
    await _enter(session, "cleanup", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")


# Back ---------------------------------------------------------------------------------


async def _turn_back(session: Session, reason: str) -> None:
    """Something failed on the way forward."""
    reason = f"{reason.rstrip()} "
    if session.operation.kind == "update":
        if session.operation.on_failure == "DO_NOTHING":
            await session.finish("UPDATE_FAILED", reason, keep_operation=True)
        else:
            await _enter(session, "rollback", "UPDATE_ROLLBACK_IN_PROGRESS", reason)
    elif session.operation.on_failure == "DO_NOTHING":
        await session.finish("CREATE_FAILED", reason, keep_operation=True)
    elif session.operation.on_failure == "DELETE":
        await _enter(session, "delete", "DELETE_IN_PROGRESS", f"{reason}Delete requested by user.")
    else:
        await _enter(
            session, "rollback", "ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user."
        )


async def _rollback(session: Session) -> None:
    if session.operation.kind == "create":
        failed = await _remove(session, list(session.resources.values()), created=True)
        if failed:
            await session.finish("ROLLBACK_FAILED", failed_to("delete", failed))
        else:
            await session.finish("ROLLBACK_COMPLETE")
        return
    in_order = graph.order(_needs(list(session.resources.values())))
    for name in in_order:
        resource = session.resources[name]
        if resource.touched == session.operation.id and resource.before is not None:
            reason = await _restore(session, resource)
            if reason is not None:
                await session.finish(
                    "UPDATE_ROLLBACK_FAILED", failed_to("update", [name]), keep_operation=True
                )
                return
    previous = session.operation.previous
    assert previous is not None
    session.stack.definition = previous
    await _enter(session, "rollback-cleanup", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")


async def _restore(session: Session, resource: Resource) -> str | None:
    """Bring a resource back to what it was before the update; the reason if that failed."""
    before = resource.before
    assert before is not None
    restored = f"{session.operation.id}/restored"
    await _learn(session, resource)
    kind = session.platform.resources[resource.type]
    if resource.physical_id != before.physical_id and not is_awaited(kind):
        new = steps.leftover_of(resource, resource.physical_id, "Delete")
        old = steps.leftover_of(resource, before.physical_id, "Delete")
        resource.physical_id, resource.attributes = before.physical_id, before.attributes
        resource.properties, resource.metadata = before.properties, before.metadata
        _restore_rest(resource, restored)
        await session.put(resource, events=(("UPDATE_COMPLETE", None),), leftover=new, reused=old)
        return None
    attempted = resource.pending is not None and resource.pending.action == "update"
    if (
        not attempted
        and not (_retagged(session) and "Tags" in kind.properties)
        and resource.properties == before.properties
        and (resource.metadata == before.metadata)
    ):
        _restore_rest(resource, restored)
        await session.put(resource)
        return None
    pending = resource.pending
    if attempted and pending is not None and pending.properties != before.properties:
        # The update may have been done in part: what it was going to is the old side now. (One to
        # what was before is this step, taken again after a crash.)
        resource.properties = pending.properties or resource.properties
    resource.pending = Pending("update", before.properties, before.metadata, before.shown)
    resource.status, resource.reason = "UPDATE_IN_PROGRESS", None
    await session.put(resource, events=(("UPDATE_IN_PROGRESS", None),))
    reason = await steps.carry_out(session, resource, kind, resumed=True)
    if reason is None:
        _restore_rest(resource, restored)
        await session.put(resource)
    return reason


def _restore_rest(resource: Resource, touched: str) -> None:
    before = resource.before
    assert before is not None
    resource.depends_on = before.depends_on
    resource.deletion_policy = before.deletion_policy
    resource.replace_policy = before.replace_policy
    resource.pending, resource.touched = None, touched
    resource.before = None
    resource.status, resource.reason = "UPDATE_COMPLETE", None


# Clean-up and deletion ----------------------------------------------------------------


async def _cleanup(session: Session) -> None:
    scope = _scope(session, {})
    wanted = active(session.stack.definition.processed, scope.conditions)
    removed = [one for name, one in session.resources.items() if name not in wanted]
    await _remove(session, [*removed, *session.leftovers])
    await _forget_failed(session, [one.logical_id for one in removed])
    await session.finish("UPDATE_COMPLETE")


async def _rollback_cleanup(session: Session) -> None:
    made = [
        resource
        for resource in session.resources.values()
        if resource.touched == session.operation.id and resource.before is None
    ]
    await _remove(session, [*made, *session.leftovers], created=True)
    await _forget_failed(session, [one.logical_id for one in made])
    await session.finish("UPDATE_ROLLBACK_COMPLETE")


async def _forget_failed(session: Session, names: list[str]) -> None:
    """What could not be deleted at clean-up is no longer the stack's (as AWS does)."""
    for name in names:
        if name in session.resources:
            await steps.forget(session, session.resources[name], None, None)


async def _delete(session: Session) -> None:
    stack, operation = session.stack, session.operation
    if operation.kind == "delete":

        async def check(tx: Transaction) -> str | None:
            return await outputs.export_problem(tx, stack, {})

        if problem := await session.platform.store.transact(check):
            await session.finish(operation.before, f"Delete canceled. {problem}")
            return
    failed = await _remove(
        session,
        [*session.resources.values(), *session.leftovers],
        created=operation.kind == "create",
        retain=operation.retain,
        force=operation.force,
    )
    if failed:
        await session.finish("DELETE_FAILED", failed_to("delete", failed))
        return

    async def withdraw(tx: Transaction) -> None:
        await records.set_exports(tx, stack, {})
        await records.set_imports(tx, stack, set())
        for change_set in await records.get_change_sets(tx, stack.id):
            await records.delete_change_set(tx, change_set)

    await session.finish("DELETE_COMPLETE", also=withdraw)


def _needs(items: Sequence[Resource | Leftover]) -> dict[str, list[str]]:
    names = {item.logical_id for item in items}
    return {item.logical_id: [need for need in item.depends_on if need in names] for item in items}


async def _remove(
    session: Session,
    items: Sequence[Resource | Leftover],
    *,
    created: bool = False,
    retain: Sequence[str] = (),
    force: bool = False,
) -> list[str]:
    """Delete resources, dependents first; the logical ids that could not be deleted.

    What a failed one depends on is left alone. `created`: they are of a failed creation,
    where RetainExceptOnCreate deletes.
    """
    needs = _needs(items)
    by_name: dict[str, list[Resource | Leftover]] = {}
    for item in items:
        by_name.setdefault(item.logical_id, []).append(item)
    failed: list[str] = []
    blocked: set[str] = set()
    for name in reversed(graph.order(needs)):
        for item in by_name[name]:
            await _learn(session, item)
            if not item.physical_id:
                await steps.forget(session, item, None, None)
            elif _retained(item, created) or (name in retain):
                await steps.forget(session, item, "DELETE_SKIPPED", None)
            elif name in blocked:
                blocked.update(needs[name])
            elif await steps.delete(session, item, session.platform.resources.get(item.type)):
                if force and isinstance(item, Resource):
                    await steps.forget(session, item, "DELETE_SKIPPED", None)
                else:
                    failed.append(name)
                    blocked.update(needs[name])
    return failed


async def _learn(session: Session, item: Resource | Leftover) -> None:
    """Finish a creation that was cut off half-way, so that it can be deleted by its id."""
    kind = session.platform.resources.get(item.type)
    if (
        kind is not None
        and isinstance(item, Resource)
        and item.pending is not None
        and item.pending.action != "update"
        and item.status.endswith("_IN_PROGRESS")
        and item.status != "DELETE_IN_PROGRESS"
    ):
        if is_awaited(kind):
            _learn_name(session, item)
        else:
            await steps.carry_out(session, item, kind, resumed=True)


def _learn_name(session: Session, resource: Resource) -> None:
    """Give a resource whose creation is not waited for any more the name it may have."""
    stack = session.stack
    if not resource.physical_id:
        name = physical_name(stack.id, stack.name, resource.logical_id, resource.generation)
        steps.leave(resource, name)


def _retained(item: Resource | Leftover, created: bool) -> bool:
    policy = item.deletion_policy if isinstance(item, Resource) else item.policy
    return policy == "Retain" or (policy == "RetainExceptOnCreate" and not created)
