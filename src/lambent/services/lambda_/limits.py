"""Reserved concurrency, and what becomes of asynchronous invocations that fail.

Source: Lambda API Reference, PutFunctionConcurrency and PutFunctionEventInvokeConfig with
their like.
"""

from __future__ import annotations

from typing import Any

from lambent.core.arns import Arn
from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.events.contract import Sender, Targets
from lambent.services.lambda_ import (
    concurrency,
    describe,
    destinations,
    errors,
    paging,
    records,
    role_permissions,
)
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.model import Function
from lambent.services.lambda_.names import LATEST, Reference
from lambent.store.contract import Transaction

_RETRY_MEMBERS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds")


class LimitOperations(Base):
    """Concurrency and EventInvokeConfigs."""

    # Reserved concurrency --------------------------------------------------------------

    async def put_function_concurrency(self, context: RequestContext, params: Params) -> Result:
        """PutFunctionConcurrency."""
        reference = self._reference(context, params, "PutFunctionConcurrency")
        _unqualified(reference)
        wanted = params["ReservedConcurrentExecutions"]

        async def body(tx: Transaction) -> None:
            function = await records.get_function(tx, reference)
            others = 0
            for record in await tx.scan(
                records.FUNCTIONS, records.place(reference.account, reference.region)
            ):
                if record.sort.decode() != reference.name:
                    others += records.decode(record, Function).reserved or 0
            concurrency.check_reservation(wanted, others)
            concurrency.check_provisioned(
                wanted, sum(one.requested for one in function.provisioned.values())
            )
            function.reserved = wanted
            await records.put_function(tx, reference, function)

        await self._store.transact(body)
        return {"ReservedConcurrentExecutions": wanted}

    async def get_function_concurrency(self, context: RequestContext, params: Params) -> Result:
        """GetFunctionConcurrency: empty when nothing is reserved."""
        reference = self._reference(context, params, "GetFunctionConcurrency")
        function = await self._store.transact(lambda tx: records.get_function(tx, reference))
        return {"ReservedConcurrentExecutions": function.reserved}

    async def delete_function_concurrency(self, context: RequestContext, params: Params) -> Result:
        """DeleteFunctionConcurrency."""
        reference = self._reference(context, params, "DeleteFunctionConcurrency")
        _unqualified(reference)

        async def body(tx: Transaction) -> None:
            function = await records.get_function(tx, reference)
            function.reserved = None
            await records.put_function(tx, reference, function)

        await self._store.transact(body)
        return None

    # Asynchronous invocations ----------------------------------------------------------

    async def put_function_event_invoke_config(
        self, context: RequestContext, params: Params
    ) -> Result:
        """PutFunctionEventInvokeConfig: what is not named goes back to its default."""
        return await self._configure(context, params, keep=False)

    async def update_function_event_invoke_config(
        self, context: RequestContext, params: Params
    ) -> Result:
        """UpdateFunctionEventInvokeConfig: what is not named stays."""
        return await self._configure(context, params, keep=True)

    async def _configure(self, context: RequestContext, params: Params, keep: bool) -> Result:
        reference = self._reference(context, params, "PutFunctionEventInvokeConfig")
        if not any(member in params for member in (*_RETRY_MEMBERS, "DestinationConfig")):
            raise errors.invalid(
                "You must specify at least one of error handling or destination setting."
            )
        qualifier = reference.qualifier or LATEST
        wanted = params.get("DestinationConfig") or {}

        async def body(tx: Transaction) -> dict[str, Any]:
            function = await _configurable(tx, reference)
            present = function.retries.get(qualifier)
            if keep and present is None:
                raise _no_config(reference, qualifier)
            config: dict[str, Any] = dict(present or {}) if keep else {}
            for member in _RETRY_MEMBERS:
                if member in params:
                    config[member] = params[member]
            if "DestinationConfig" in params or "DestinationConfig" not in config:
                config["DestinationConfig"] = await _destinations(
                    tx,
                    self._platform.targets,
                    reference,
                    await _sender(tx, reference, function),
                    wanted,
                )
            config["LastModified"] = tx.now
            function.retries[qualifier] = config
            await records.put_function(tx, reference, function)
            return describe.retries(reference, function, qualifier)

        if self._platform.settings.auth:
            await self._check_destinations(context, reference, wanted)
        return await self._store.transact(body)

    async def _check_destinations(
        self, context: RequestContext, reference: Reference, wanted: dict[str, Any]
    ) -> None:
        """The function's role must be able to send to the destinations."""
        try:
            role = await self._role_of(reference)
        except AwsError:
            return  # there is no such function, which is told later
        for member in ("OnSuccess", "OnFailure"):
            destination = (wanted.get(member) or {}).get("Destination")
            if destination and destinations.can_be(destination, member):
                await role_permissions.require_destination(
                    self._platform.registry, context, role, destination
                )

    async def get_function_event_invoke_config(
        self, context: RequestContext, params: Params
    ) -> Result:
        """GetFunctionEventInvokeConfig."""
        reference = self._reference(context, params, "GetFunctionEventInvokeConfig")
        function = await self._store.transact(lambda tx: records.find_function(tx, reference))
        qualifier = reference.qualifier or LATEST
        if function is None or qualifier not in function.retries:
            raise _no_config(reference, qualifier)
        return describe.retries(reference, function, qualifier)

    async def list_function_event_invoke_configs(
        self, context: RequestContext, params: Params
    ) -> Result:
        """ListFunctionEventInvokeConfigs."""
        reference = self._reference(context, params, "ListFunctionEventInvokeConfigs")
        function = await self._store.transact(lambda tx: _configurable(tx, reference))
        shown = [
            describe.retries(reference, function, qualifier)
            for qualifier in sorted(function.retries)
        ]
        configs, marker = paging.page(
            shown,
            lambda config: str(config["FunctionArn"]),
            params.get("Marker"),
            params.get("MaxItems"),
        )
        return {"FunctionEventInvokeConfigs": configs, "NextMarker": marker}

    async def delete_function_event_invoke_config(
        self, context: RequestContext, params: Params
    ) -> Result:
        """DeleteFunctionEventInvokeConfig."""
        reference = self._reference(context, params, "DeleteFunctionEventInvokeConfig")
        qualifier = reference.qualifier or LATEST

        async def body(tx: Transaction) -> None:
            function = await records.find_function(tx, reference)
            if function is None or function.retries.pop(qualifier, None) is None:
                raise _no_config(reference, qualifier)
            await records.put_function(tx, reference, function)

        await self._store.transact(body)
        return None


def _unqualified(reference: Reference) -> None:
    if reference.qualifier is not None:
        raise errors.invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not "
            "support this operation. Please specify either a function name or an unqualified "
            "function ARN."
        )


async def _configurable(tx: Transaction, reference: Reference) -> Function:
    """The function, if it and the version that is meant are there."""
    function = await records.find_function(tx, reference)
    try:
        if function is not None:
            await records.resolve(tx, reference, function)
            return function
    except AwsError:
        pass
    raise errors.not_found("The function doesn't exist.")


def _no_config(reference: Reference, qualifier: str) -> Exception:
    return errors.not_found(
        f"The function {reference.arn}:{qualifier} doesn't have an EventInvokeConfig"
    )


async def _destinations(
    tx: Transaction,
    targets: Targets,
    reference: Reference,
    sender: Sender,
    wanted: dict[str, Any],
) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for member in ("OnSuccess", "OnFailure"):
        destination = (wanted.get(member) or {}).get("Destination")
        if destination == reference.arn:
            raise errors.invalid("You can't specify the function as a destination for itself.")
        if destination and not (
            destinations.can_be(destination, member)
            and await _is_there(tx, targets, sender, Arn.parse(destination))
        ):
            raise errors.invalid(f"The destination ARN {destination} is invalid.")
        chosen[member] = {"Destination": destination} if destination else {}
    return chosen


async def _sender(tx: Transaction, reference: Reference, function: Function) -> Sender:
    version = await records.resolve(tx, reference, function)
    return destinations.sender(reference.qualified, version.settings["Role"])


async def _is_there(tx: Transaction, targets: Targets, sender: Sender, arn: Arn) -> bool:
    """Whether a destination exists, as far as this node can say: it lacks some services."""
    target = targets.target(arn)
    try:
        return target is None or await target.check(tx, arn, sender) is None
    except AwsError:  # the ARN is none of that service
        return False
