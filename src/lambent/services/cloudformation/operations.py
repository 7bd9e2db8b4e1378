"""CloudFormation's operations that set stacks in motion, and its settings on stacks."""

from __future__ import annotations

import json
from collections.abc import Callable

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.cloudformation import intake, mail, plan, records, sam, source
from lambent.services.cloudformation.catalogue import CatalogueOperations
from lambent.services.cloudformation.changesets import ChangeSetOperations
from lambent.services.cloudformation.drift import DriftOperations
from lambent.services.cloudformation.launch import began
from lambent.services.cloudformation.model import Definition, Operation, Stack
from lambent.services.cloudformation.stack_rules import check_name, check_types, check_updatable
from lambent.services.cloudformation.template import invalid
from lambent.services.cloudformation.waiting import signalled
from lambent.store.contract import Transaction


class Operations(ChangeSetOperations, CatalogueOperations, DriftOperations):
    """CloudFormation's API; one method per operation."""

    async def create_stack(self, context: RequestContext, params: Params) -> Result:
        name = params["StackName"]
        check_name(name)
        if existing := await self._stack(context, name):
            token = began("create", params.get("ClientRequestToken"))
            if token is not None and existing.token == token:
                return {"StackId": existing.id}
            raise AwsError("AlreadyExistsException", f"Stack [{name}] already exists")
        stack_id = context.arn("cloudformation", f"stack/{name}/{self.platform.ids.uuid()}")
        try:
            definition = await intake.define(self.platform, context, params, stack_id, name)
        except sam.TransformFailed as error:
            raise invalid(str(error)) from None
        operation = self.operation(context, params, "create")
        if params.get("DisableRollback") and params.get("OnFailure"):
            raise invalid("You cannot specify both DisableRollback and OnFailure.")
        operation.on_failure = params.get("OnFailure") or (
            "DO_NOTHING" if params.get("DisableRollback") else "ROLLBACK"
        )
        policy = await source.policy_of(self.platform.registry, context, params)
        stack = Stack(
            id=stack_id,
            name=name,
            account=context.account,
            region=context.region,
            status="",
            definition=definition,
            created=context.now,
            disable_rollback=operation.on_failure == "DO_NOTHING",
            termination_protection=bool(params.get("EnableTerminationProtection")),
            timeout_minutes=params.get("TimeoutInMinutes"),
            policy=policy,
            parent=params.get("_ParentId"),
            root=params.get("_RootId"),
        )

        async def body(tx: Transaction) -> Stack:
            if await records.get_stack(tx, context.account, context.region, name):
                raise AwsError("AlreadyExistsException", f"Stack [{name}] already exists")
            stack.created = tx.now
            await self.begin(tx, stack, operation, "CREATE_IN_PROGRESS", "User Initiated")
            return stack

        return {"StackId": await self.launch(body)}

    async def update_stack(self, context: RequestContext, params: Params) -> Result:
        name = params["StackName"]
        found = await self._stack(context, name)
        if found is None or found.status == "DELETE_COMPLETE":
            raise invalid(f"Stack [{name}] does not exist")
        token = began("update", params.get("ClientRequestToken"))
        if token is not None and found.token == token:
            return {"StackId": found.id}
        check_updatable(found)
        try:
            definition = await intake.define(
                self.platform, context, params, found.id, found.name, found.definition
            )
        except sam.TransformFailed as error:
            raise invalid(str(error)) from None
        if plan.same(found.definition, definition):
            raise invalid("No updates are to be performed.")
        check_types(found.definition, definition)
        operation = self.operation(context, params, "update")
        if params.get("DisableRollback"):
            operation.on_failure = "DO_NOTHING"
        policy = await source.policy_of(self.platform.registry, context, params)
        during = await source.policy_of(
            self.platform.registry, context, params, "StackPolicyDuringUpdate"
        )

        async def body(tx: Transaction) -> Stack:
            stack = await records.get_stack(tx, context.account, context.region, found.id)
            if stack is None:
                raise invalid(f"Stack [{name}] does not exist")
            if policy is not None:
                stack.policy = policy
            operation.policy = during
            await self.begin_update(tx, stack, definition, operation)
            return stack

        return {"StackId": await self.launch(body)}

    async def begin_update(
        self, tx: Transaction, stack: Stack, definition: Definition, operation: Operation
    ) -> None:
        """Set an update in motion, if the stack still allows it."""
        check_updatable(stack)
        operation.previous = stack.definition
        stack.definition = definition
        stack.updated = tx.now
        stack.disable_rollback = operation.on_failure == "DO_NOTHING"
        await self.begin(tx, stack, operation, "UPDATE_IN_PROGRESS", "User Initiated")

    async def delete_stack(self, context: RequestContext, params: Params) -> Result:
        name = params["StackName"]
        operation = self.operation(context, params, "delete")
        operation.retain = list(params.get("RetainResources") or [])
        operation.force = params.get("DeletionMode") == "FORCE_DELETE_STACK"

        async def body(tx: Transaction) -> Stack | None:
            stack = await records.get_stack(tx, context.account, context.region, name)
            if stack is None or stack.status in ("DELETE_COMPLETE", "DELETE_IN_PROGRESS"):
                return None
            if stack.termination_protection:
                raise invalid(
                    f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
                )
            if stack.status.startswith("UPDATE_") and stack.status.endswith("_IN_PROGRESS"):
                raise invalid(
                    f"Stack [{stack.name}] cannot be deleted while in status {stack.status}"
                )
            if operation.retain and stack.status != "DELETE_FAILED":
                raise invalid(
                    "Invalid operation on stack [" + stack.id + "]. The specified resources to "
                    "retain can only be given for stacks in the DELETE_FAILED state."
                )
            await self.begin(tx, stack, operation, "DELETE_IN_PROGRESS", "User Initiated")
            return stack

        await self.launch(body)
        return None

    async def cancel_update_stack(self, context: RequestContext, params: Params) -> Result:
        name = params["StackName"]

        async def body(tx: Transaction) -> Stack:
            stack = await records.get_stack(tx, context.account, context.region, name)
            if stack is None:
                raise invalid(f"Stack [{name}] does not exist")
            if stack.status != "UPDATE_IN_PROGRESS" or stack.operation is None:
                raise invalid("CancelUpdateStack cannot be called from current stack status")
            await self._turn_back(tx, stack, stack.operation, params)
            return stack

        await self.launch(body)
        return None

    async def rollback_stack(self, context: RequestContext, params: Params) -> Result:
        name = params["StackName"]

        async def body(tx: Transaction) -> Stack:
            stack = await records.get_stack(tx, context.account, context.region, name)
            if stack is None:
                raise invalid(f"Stack [{name}] does not exist")
            if stack.status not in ("CREATE_FAILED", "UPDATE_FAILED") or stack.operation is None:
                raise invalid(
                    f"Stack:{stack.id} is in {stack.status} state and can not be rolled back."
                )
            await self._turn_back(tx, stack, stack.operation, params)
            return stack

        return {"StackId": await self.launch(body)}

    async def _turn_back(
        self, tx: Transaction, stack: Stack, operation: Operation, params: Params
    ) -> None:
        """Let an operation that is under way, or has failed, be rolled back."""
        operation.phase = "rollback"
        operation.client_token = params.get("ClientRequestToken")
        status = "ROLLBACK_IN_PROGRESS"
        if operation.kind == "update":
            status = "UPDATE_ROLLBACK_IN_PROGRESS"
        await self.begin(tx, stack, operation, status, "User Initiated")

    async def signal_resource(self, context: RequestContext, params: Params) -> Result:
        name, logical_id = params["StackName"], params["LogicalResourceId"]
        letter = json.dumps({"UniqueId": params["UniqueId"], "Status": params["Status"]})

        async def body(tx: Transaction) -> str | None:
            stack = await records.get_stack(tx, context.account, context.region, name)
            if stack is None:
                raise invalid(f"Stack [{name}] does not exist")
            resource = (await records.get_resources(tx, stack.id)).get(logical_id)
            if resource is None:
                raise invalid(f"Resource {logical_id} does not exist for stack {stack.name}")
            if not stack.status.endswith("_IN_PROGRESS"):
                raise invalid(
                    f"Stack:{stack.id} is in {stack.status} state and can not be signaled."
                )
            box = await mail.find(tx, stack.id, signalled(logical_id))
            return None if box is None else box.token

        token = await self.platform.store.transact(body)
        if token is None or not await self.mail.deliver(token, letter):
            raise invalid(f"Resource {logical_id} does not wait for signals")
        return None

    async def continue_update_rollback(self, context: RequestContext, params: Params) -> Result:
        name = params["StackName"]
        skip = set(params.get("ResourcesToSkip") or [])

        async def body(tx: Transaction) -> Stack:
            stack = await records.get_stack(tx, context.account, context.region, name)
            if stack is None:
                raise invalid(f"Stack [{name}] does not exist")
            operation = stack.operation
            if stack.status != "UPDATE_ROLLBACK_FAILED" or operation is None:
                raise invalid(
                    f"Stack:{stack.id} is in {stack.status} state and can not be rolled back."
                )
            for resource in (await records.get_resources(tx, stack.id)).values():
                if resource.logical_id in skip:
                    resource.touched, resource.pending = "", None
                    await records.put_resource(tx, stack.id, resource)
            operation.client_token = params.get("ClientRequestToken")
            await self.begin(tx, stack, operation, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
            return stack

        await self.launch(body)
        return {}

    async def update_termination_protection(
        self, context: RequestContext, params: Params
    ) -> Result:
        def change(stack: Stack) -> None:
            stack.termination_protection = params["EnableTerminationProtection"]

        return {"StackId": (await self._change(context, params["StackName"], change)).id}

    async def set_stack_policy(self, context: RequestContext, params: Params) -> Result:
        policy = await source.policy_of(self.platform.registry, context, params)

        def change(stack: Stack) -> None:
            stack.policy = policy

        await self._change(context, params["StackName"], change)
        return None

    async def get_stack_policy(self, context: RequestContext, params: Params) -> Result:
        stack = await self.existing(context, params["StackName"])
        return {"StackPolicyBody": stack.policy}

    async def _change(
        self, context: RequestContext, name: str, change: Callable[[Stack], None]
    ) -> Stack:
        async def body(tx: Transaction) -> Stack:
            stack = await records.get_stack(tx, context.account, context.region, name)
            if stack is None:
                raise invalid(f"Stack [{name}] does not exist")
            change(stack)
            await records.put_stack(tx, stack)
            return stack

        return await self.platform.store.transact(body)
