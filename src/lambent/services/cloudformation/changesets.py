"""CloudFormation's operations on change sets.

A change set is computed while the call waits: it is CREATE_COMPLETE or FAILED when the
call returns, so a client's first look finds it ready.
"""

from __future__ import annotations

import re

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.cloudformation import capabilities, intake, outputs, plan, records, sam, views
from lambent.services.cloudformation.conditions import active
from lambent.services.cloudformation.model import (
    ChangeSet,
    Definition,
    Resource,
    ResourceChange,
    Stack,
)
from lambent.services.cloudformation.paging import page
from lambent.services.cloudformation.queries import QueryOperations
from lambent.services.cloudformation.scope import scope_of
from lambent.services.cloudformation.session import write_stack_event
from lambent.services.cloudformation.stack_rules import check_name, check_types, check_updatable
from lambent.services.cloudformation.template import invalid
from lambent.store.contract import Transaction

UNCHANGED = (
    "The submitted information didn't contain changes. Submit different information to create "
    "a change set."
)
_CHANGE_SET_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]*")


class MissingImport(AwsError):
    """A change set imports what nobody exports; it is made, and FAILED."""

    def __init__(self, name: str) -> None:
        super().__init__("ValidationError", f"No export named {name} found.")


class ChangeSetOperations(QueryOperations):
    """Create, describe, execute, delete and list change sets."""

    async def create_change_set(self, context: RequestContext, params: Params) -> Result:
        name, stack_name = params["ChangeSetName"], params["StackName"]
        kind = params.get("ChangeSetType", "UPDATE")
        if not _CHANGE_SET_NAME.fullmatch(name):
            raise invalid(
                f"1 validation error detected: Value '{name}' at 'changeSetName' failed to "
                "satisfy constraint: Member must satisfy regular expression pattern: "
                "[a-zA-Z][-a-zA-Z0-9]*"
            )
        if kind not in ("CREATE", "UPDATE"):
            raise invalid(f"ChangeSetType {kind} is not supported on this node.")
        found = await self._stack(context, stack_name)
        self._check_kind(found, kind, stack_name, name)
        new = found is None
        stack = found or self._review(context, stack_name, params)
        deployed = kind == "UPDATE"
        change_set = ChangeSet(
            id=context.arn("cloudformation", f"changeSet/{name}/{self.platform.ids.uuid()}"),
            name=name,
            stack_id=stack.id,
            stack_name=stack.name,
            kind=kind,
            status="CREATE_COMPLETE",
            execution="AVAILABLE",
            created=context.now,
            definition=Definition(params.get("TemplateBody") or "", {}),
            description=params.get("Description"),
            on_failure=params.get("OnStackFailure"),
            client_token=params.get("ClientToken"),
        )
        previous = stack.definition if deployed else None
        try:
            change_set.definition = await intake.define(
                self.platform, context, params, stack.id, stack.name, previous, expands=True
            )
            if previous is not None:
                check_types(previous, change_set.definition)
            change_set.changes = await self._changes(context, stack, change_set.definition)
        except sam.TransformFailed as error:
            _fail(change_set, str(error))
        except MissingImport as error:
            _fail(change_set, error.message)
        if (
            deployed
            and previous is not None
            and change_set.status != "FAILED"
            and (plan.same(previous, change_set.definition))
        ):
            _fail(change_set, UNCHANGED)

        async def body(tx: Transaction) -> None:
            present = await records.get_stack(tx, context.account, context.region, stack_name)
            self._check_kind(present, kind, stack_name, name)
            if present is None:
                stack.created = tx.now
                await records.put_stack(tx, stack)
                await write_stack_event(
                    tx, stack, self.platform.ids.uuid(), params.get("ClientToken")
                )
            elif new:
                change_set.stack_id = present.id
            owner = present or stack
            for other in await records.get_change_sets(tx, owner.id):
                if other.name == name and other.execution == "EXECUTE_COMPLETE":
                    await records.delete_change_set(tx, other)
                elif other.name == name:
                    raise AwsError("AlreadyExistsException", f"ChangeSet {name} already exists")
            change_set.created = tx.now
            await records.put_change_set(tx, change_set)

        await self.platform.store.transact(body)
        return {"Id": change_set.id, "StackId": change_set.stack_id}

    def _check_kind(self, stack: Stack | None, kind: str, stack_name: str, name: str) -> None:
        if kind == "CREATE":
            check_name(stack_name if stack is None else stack.name)
            if stack is not None and stack.status != "REVIEW_IN_PROGRESS":
                raise invalid(
                    f"Stack [{stack.name}] already exists and cannot be created again with the "
                    f"changeSet [{name}]."
                )
        elif stack is None or stack.status in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS"):
            raise invalid(f"Stack [{stack_name}] does not exist")
        else:
            check_updatable(stack)

    def _review(self, context: RequestContext, name: str, params: Params) -> Stack:
        return Stack(
            id=context.arn("cloudformation", f"stack/{name}/{self.platform.ids.uuid()}"),
            name=name,
            account=context.account,
            region=context.region,
            status="REVIEW_IN_PROGRESS",
            reason="User Initiated",
            definition=Definition("", {}),
            created=context.now,
        )

    async def _changes(
        self, context: RequestContext, stack: Stack, definition: Definition
    ) -> list[ResourceChange]:
        async def body(tx: Transaction) -> tuple[dict[str, Resource], dict[str, records.Export]]:
            return (
                await records.get_resources(tx, stack.id),
                await records.get_exports(tx, stack.account, stack.region),
            )

        resources, exports = await self.platform.store.transact(body)
        scope = scope_of(
            context.account,
            context.region,
            stack.id,
            stack.name,
            definition,
            {name: one.value for name, one in exports.items()},
        )
        wanted = active(definition.processed, scope.conditions)
        if name := outputs.missing_import(definition.processed, wanted, scope):
            raise MissingImport(name)
        return plan.changes(
            resources,
            wanted,
            scope,
            self.platform.resources,
            stack.definition if stack.status != "REVIEW_IN_PROGRESS" else None,
            definition,
        )

    async def describe_change_set(self, context: RequestContext, params: Params) -> Result:
        change_set = await self.find_change_set(
            context, params["ChangeSetName"], params.get("StackName")
        )
        shown = views.change_set(change_set)
        shown["Changes"], token = page(shown["Changes"], params.get("NextToken"))
        return {**shown, "NextToken": token}

    async def describe_change_set_hooks(self, context: RequestContext, params: Params) -> Result:
        change_set = await self.find_change_set(
            context, params["ChangeSetName"], params.get("StackName")
        )
        return {
            "ChangeSetId": change_set.id,
            "ChangeSetName": change_set.name,
            "Hooks": [],
            "Status": "PLANNED",
            "StackId": change_set.stack_id,
            "StackName": change_set.stack_name,
        }

    async def list_change_sets(self, context: RequestContext, params: Params) -> Result:
        stack = await self.existing(context, params["StackName"])

        async def body(tx: Transaction) -> list[ChangeSet]:
            return await records.get_change_sets(tx, stack.id)

        found = await self.platform.store.transact(body)
        shown, token = page(found, params.get("NextToken"))
        return {"Summaries": [views.change_set_summary(one) for one in shown], "NextToken": token}

    async def delete_change_set(self, context: RequestContext, params: Params) -> Result:
        try:
            change_set = await self.find_change_set(
                context, params["ChangeSetName"], params.get("StackName")
            )
        except AwsError as error:
            if error.code == "ChangeSetNotFoundException":
                return {}
            raise

        async def body(tx: Transaction) -> None:
            await records.delete_change_set(tx, change_set)

        await self.platform.store.transact(body)
        return {}

    async def execute_change_set(self, context: RequestContext, params: Params) -> Result:
        reference = params["ChangeSetName"]
        change_set = await self.find_change_set(context, reference, params.get("StackName"))
        if change_set.execution != "AVAILABLE":
            now = f"status of [{change_set.status}]"
            if change_set.status == "CREATE_COMPLETE":
                now = f"execution status of [{change_set.execution}]"
            raise AwsError(
                "InvalidChangeSetStatusException",
                f"ChangeSet [{change_set.id}] cannot be executed in its current {now}",
            )
        definition = change_set.definition
        capabilities.check(
            capabilities.required(definition.processed["Resources"]), definition.capabilities
        )
        creates = change_set.kind == "CREATE"
        operation = self.operation(context, params, "create" if creates else "update")
        if params.get("DisableRollback") or change_set.on_failure == "DO_NOTHING":
            operation.on_failure = "DO_NOTHING"
        elif change_set.on_failure == "DELETE" and creates:
            operation.on_failure = "DELETE"

        async def body(tx: Transaction) -> Stack:
            stack = await records.get_stack(
                tx, context.account, context.region, change_set.stack_id
            )
            if stack is None:
                raise invalid(f"Stack [{change_set.stack_name}] does not exist")
            self._check_kind(stack, change_set.kind, stack.name, change_set.name)
            stack.change_set = change_set.id
            for other in await records.get_change_sets(tx, stack.id):
                if other.id != change_set.id:
                    await records.delete_change_set(tx, other)
            change_set.execution = "EXECUTE_COMPLETE"
            await records.put_change_set(tx, change_set)
            stack.disable_rollback = operation.on_failure == "DO_NOTHING"
            stack.updated = tx.now
            if creates:
                stack.definition = definition
                status = "CREATE_IN_PROGRESS"
            else:
                operation.previous, stack.definition = stack.definition, definition
                status = "UPDATE_IN_PROGRESS"
            await self.begin(tx, stack, operation, status, "User Initiated")
            return stack

        await self.launch(body)
        return {}


def _fail(change_set: ChangeSet, reason: str) -> None:
    change_set.status, change_set.execution = "FAILED", "UNAVAILABLE"
    change_set.reason = reason
