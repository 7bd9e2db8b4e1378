"""CloudFormation's operations that only look."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.cloudformation import capabilities, intake, macros, records, template, views
from lambent.services.cloudformation.intrinsics import UNKNOWN
from lambent.services.cloudformation.launch import Launcher
from lambent.services.cloudformation.model import ChangeSet, Resource, Stack, StackEvent
from lambent.services.cloudformation.paging import page
from lambent.services.cloudformation.template import invalid
from lambent.services.cloudformation.validate import (
    attribute_problems,
    dangling_problems,
    function_problems,
    policy_problems,
    reference_problems,
    refuse,
)
from lambent.store.contract import Transaction

_EVENTS = 100


class QueryOperations(Launcher):
    """Describe, list, get and validate."""

    async def _stack(self, context: RequestContext, reference: str) -> Stack | None:
        async def body(tx: Transaction) -> Stack | None:
            return await records.get_stack(tx, context.account, context.region, reference)

        return await self.platform.store.transact(body)

    async def existing(
        self, context: RequestContext, reference: str, message: str = "Stack [{}] does not exist"
    ) -> Stack:
        """The stack of that name or id; AwsError ValidationError when there is none."""
        stack = await self._stack(context, reference)
        if stack is None:
            raise invalid(message.format(reference))
        return stack

    async def _with_resources(
        self, context: RequestContext, reference: str
    ) -> tuple[Stack, dict[str, Resource]]:
        async def body(tx: Transaction) -> tuple[Stack, dict[str, Resource]]:
            stack = await records.get_stack(tx, context.account, context.region, reference)
            if stack is None:
                raise invalid(f"Stack with id {reference} does not exist")
            resources = await records.get_resources(tx, stack.id)
            if stack.status in ("DELETE_COMPLETE", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"):
                resources = {**await records.get_gone(tx, stack.id), **resources}
            return stack, resources

        return await self.platform.store.transact(body)

    async def _all(self, context: RequestContext) -> list[Stack]:
        async def body(tx: Transaction) -> list[Stack]:
            return await records.list_stacks(tx, context.account, context.region)

        return await self.platform.store.transact(body)

    async def describe_stacks(self, context: RequestContext, params: Params) -> Result:
        name = params.get("StackName")
        if name:
            stack = await self.existing(context, name, "Stack with id {} does not exist")
            return {"Stacks": [views.stack(stack)]}
        present = [one for one in await self._all(context) if one.status != "DELETE_COMPLETE"]
        shown, token = page(present, params.get("NextToken"))
        return {"Stacks": [views.stack(one) for one in shown], "NextToken": token}

    async def list_stacks(self, context: RequestContext, params: Params) -> Result:
        wanted = params.get("StackStatusFilter")
        found = [one for one in await self._all(context) if not wanted or one.status in wanted]
        shown, token = page(found, params.get("NextToken"))
        return {"StackSummaries": [views.summary(one) for one in shown], "NextToken": token}

    async def describe_stack_events(self, context: RequestContext, params: Params) -> Result:
        name = params.get("StackName")
        if not name:
            raise invalid(
                "1 validation error detected: Value null at 'stackName' failed to satisfy "
                "constraint: Member must not be null"
            )
        stack = await self.existing(context, name)
        token = params.get("NextToken")
        if token is not None and not (token.isdecimal() and len(token) < 19):
            raise invalid("Invalid NextToken")
        before = int(token) if token else None

        async def body(tx: Transaction) -> tuple[list[dict[str, Any]], str | None]:
            entries = await tx.tail(records.events_log(stack.id), before=before, limit=_EVENTS)
            decoded = [msgspec.json.decode(one.value, type=StackEvent) for one in entries]
            more = len(entries) == _EVENTS
            return [views.event(stack, one) for one in decoded], (
                str(entries[-1].position) if more else None
            )

        shown, following = await self.platform.store.transact(body)
        return {"StackEvents": shown, "NextToken": following}

    async def describe_stack_resources(self, context: RequestContext, params: Params) -> Result:
        name, physical = params.get("StackName"), params.get("PhysicalResourceId")
        if not name and not physical:
            raise invalid("Either StackName or PhysicalResourceId must be specified")
        if name and physical:
            raise invalid("You cannot specify both StackName and PhysicalResourceId")
        if physical:
            stack, resources = await self._holder(context, physical)
        else:
            stack, resources = await self._with_resources(context, str(name))
        logical = params.get("LogicalResourceId")
        shown = [
            views.resource(stack, one)
            for one in resources.values()
            if logical in (None, one.logical_id)
        ]
        return {"StackResources": shown}

    async def _holder(
        self, context: RequestContext, physical: str
    ) -> tuple[Stack, dict[str, Resource]]:
        async def body(tx: Transaction) -> tuple[Stack, dict[str, Resource]]:
            for stack in await records.list_stacks(tx, context.account, context.region):
                resources = await records.get_resources(tx, stack.id)
                if any(one.physical_id == physical for one in resources.values()):
                    return stack, resources
            raise invalid(f"Stack for {physical} does not exist")

        return await self.platform.store.transact(body)

    async def describe_stack_resource(self, context: RequestContext, params: Params) -> Result:
        stack, resources = await self._with_resources(context, params["StackName"])
        logical = params["LogicalResourceId"]
        if logical not in resources:
            raise invalid(f"Resource {logical} does not exist for stack {stack.name}")
        return {"StackResourceDetail": views.resource_detail(stack, resources[logical])}

    async def list_stack_resources(self, context: RequestContext, params: Params) -> Result:
        _, resources = await self._with_resources(context, params["StackName"])
        shown, token = page(list(resources.values()), params.get("NextToken"))
        return {
            "StackResourceSummaries": [views.resource_summary(one) for one in shown],
            "NextToken": token,
        }

    async def get_template(self, context: RequestContext, params: Params) -> Result:
        stage = params.get("TemplateStage", "Original")
        if "ChangeSetName" in params:
            change_set = await self.find_change_set(
                context, params["ChangeSetName"], params.get("StackName")
            )
            definition = change_set.definition
        elif "StackName" in params:
            stack = await self.existing(
                context, params["StackName"], "Stack with id {} does not exist"
            )
            definition = stack.definition
        else:
            raise invalid("StackName is required if ChangeSetName is not specified.")
        body = definition.body
        if stage == "Processed" and template.transforms(template.parse(body)):
            body = json.dumps(definition.processed)
        return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}

    async def _template_asked(
        self, context: RequestContext, params: Params
    ) -> tuple[dict[str, Any], list[str]]:
        if "StackName" in params:
            stack = await self.existing(
                context, params["StackName"], "Stack with id {} does not exist"
            )
            body = stack.definition.body
        else:
            body = await intake.template_body(self.platform, context, params, None)
        parsed = intake.read(body, await macros.known(self.platform, context))
        return intake.sketch(parsed), template.transforms(parsed)

    async def get_template_summary(self, context: RequestContext, params: Params) -> Result:
        parsed, asked = await self._template_asked(context, params)
        return {
            **views.template_summary(parsed),
            **self._capabilities(parsed, asked),
            "DeclaredTransforms": asked,
        }

    async def validate_template(self, context: RequestContext, params: Params) -> Result:
        if "TemplateBody" not in params and "TemplateURL" not in params:
            raise invalid("Either Template URL or Template Body must be specified.")
        parsed, asked = await self._template_asked(context, params)
        if not asked:
            parameters = dict.fromkeys(parsed.get("Parameters") or {}, UNKNOWN)
            problems = function_problems(parsed, extended=False) + reference_problems(parsed)
            problems += attribute_problems(parsed, self.platform.resources)
            problems += policy_problems(parsed["Resources"], parameters)
            problems += dangling_problems(parsed, parsed["Resources"], {})
            if problems:
                raise refuse(problems)
        return {
            "Parameters": views.declared_parameters(parsed, full=False),
            "Description": parsed.get("Description"),
            **self._capabilities(parsed, asked),
            "DeclaredTransforms": asked,
        }

    def _capabilities(self, parsed: dict[str, Any], asked: list[str]) -> dict[str, Any]:
        resources = parsed["Resources"]
        types = capabilities.iam_types(resources)
        return views.capability_members(capabilities.required(resources, asked), [*types, *asked])

    async def list_exports(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> list[records.Export]:
            found = await records.get_exports(tx, context.account, context.region)
            return list(found.values())

        shown, token = page(await self.platform.store.transact(body), params.get("NextToken"))
        return {
            "Exports": [
                {"ExportingStackId": one.stack_id, "Name": one.name, "Value": one.value}
                for one in shown
            ],
            "NextToken": token,
        }

    async def list_imports(self, context: RequestContext, params: Params) -> Result:
        name = params["ExportName"]

        async def body(tx: Transaction) -> list[str]:
            return await records.get_importers(tx, context.account, context.region, name)

        importers = await self.platform.store.transact(body)
        if not importers:
            raise invalid(f"Export '{name}' is not imported by any stack.")
        shown, token = page(importers, params.get("NextToken"))
        return {"Imports": shown, "NextToken": token}

    async def find_change_set(
        self, context: RequestContext, reference: str, stack_name: str | None
    ) -> ChangeSet:
        """The change set of that name (of a stack) or id."""
        stack = None
        if stack_name is not None:
            stack = await self.existing(context, stack_name)

        async def body(tx: Transaction) -> ChangeSet | None:
            return await records.find_change_set(
                tx, context.account, context.region, reference, stack
            )

        found = await self.platform.store.transact(body)
        if found is None:
            raise AwsError("ChangeSetNotFoundException", f"ChangeSet [{reference}] does not exist")
        return found
