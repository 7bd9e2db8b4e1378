"""Provisioned concurrency: environments that are initialised before invocations come.

The host keeps them; what is stored says how many. What an alias has is kept for the version
it points to, and moves with it. Source: Lambda API Reference, PutProvisionedConcurrencyConfig
and its like; Lambda Developer Guide, "Configuring provisioned concurrency".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.lambda_ import errors, paging, records, snapshots
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.concurrency import REGIONAL, UNRESERVED_MINIMUM
from lambent.services.lambda_.invoking import Resolved
from lambent.services.lambda_.model import Function, Provisioned
from lambent.services.lambda_.names import LATEST, Reference
from lambent.store.contract import Transaction


class ProvisioningOperations(Base):
    """Provisioned concurrency configurations."""

    async def put_provisioned_concurrency_config(
        self, context: RequestContext, params: Params
    ) -> Result:
        """PutProvisionedConcurrencyConfig."""
        reference = self._reference(context, params, "PutProvisionedConcurrencyConfig")
        qualifier = reference.qualifier or LATEST
        requested = params["ProvisionedConcurrentExecutions"]

        async def body(tx: Transaction) -> Provisioned:
            function = await records.get_function(tx, reference)
            version = await records.resolve_named(tx, reference, function)
            if version.number == LATEST:
                raise _unpublished()
            snapshots.check_provisioned(version)
            _check(function, qualifier, requested)
            _check_overlap(function, qualifier, version.number)
            config = Provisioned(requested=requested, modified=tx.now)
            function.provisioned[qualifier] = config
            await records.put_function(tx, reference, function)
            return config

        config = await self._store.transact(body)
        await self._keeping.settle(reference)
        return {
            "RequestedProvisionedConcurrentExecutions": requested,
            "AllocatedProvisionedConcurrentExecutions": 0,
            "AvailableProvisionedConcurrentExecutions": 0,
            "Status": "IN_PROGRESS",
            "LastModified": _timestamp(config.modified),
        }

    async def get_provisioned_concurrency_config(
        self, context: RequestContext, params: Params
    ) -> Result:
        """GetProvisionedConcurrencyConfig."""
        reference = self._provisionable(context, params, "GetProvisionedConcurrencyConfig")
        return await self._provisioned(reference, await self._named(reference))

    async def list_provisioned_concurrency_configs(
        self, context: RequestContext, params: Params
    ) -> Result:
        """ListProvisionedConcurrencyConfigs."""
        reference = self._reference(context, params, "ListProvisionedConcurrencyConfigs")
        function = await self._store.transact(lambda tx: records.get_function(tx, reference))
        qualifiers, marker = paging.page(
            sorted(function.provisioned), str, params.get("Marker"), params.get("MaxItems")
        )
        shown: list[dict[str, Any]] = []
        for qualifier in qualifiers:
            one = Reference(reference.account, reference.region, reference.name, qualifier)
            figures = await self._provisioned(one, await self._runner.resolve(one, share=1.0))
            shown.append({"FunctionArn": one.qualified, **figures})
        return {"ProvisionedConcurrencyConfigs": shown, "NextMarker": marker}

    async def delete_provisioned_concurrency_config(
        self, context: RequestContext, params: Params
    ) -> Result:
        """DeleteProvisionedConcurrencyConfig; deleting what is not there succeeds."""
        reference = self._provisionable(context, params, "DeleteProvisionedConcurrencyConfig")

        async def body(tx: Transaction) -> None:
            function = await records.get_function(tx, reference)
            if function.provisioned.pop(reference.qualifier or LATEST, None) is not None:
                await records.put_function(tx, reference, function)

        before = await self._named(reference)
        await self._store.transact(body)
        await self._platform.host.keep(await self._runner.spec(reference, before), 0)
        await self._keeping.settle(reference)
        return None

    def _provisionable(self, context: RequestContext, params: Params, action: str) -> Reference:
        reference = self._reference(context, params, action)
        if reference.qualifier in (None, LATEST):
            raise errors.invalid(
                "The function resource provided must be an alias or a published version."
            )
        return reference

    async def _named(self, reference: Reference) -> Resolved:
        async def body(tx: Transaction) -> None:
            function = await records.get_function(tx, reference)
            await records.resolve_named(tx, reference, function)

        await self._store.transact(body)
        return await self._runner.resolve(reference, share=1.0)

    async def _provisioned(self, reference: Reference, resolved: Resolved) -> dict[str, Any]:
        config = resolved.function.provisioned.get(reference.qualifier or LATEST)
        if config is None:
            raise AwsError(
                "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found for this function",
                404,
                {"Type": "User"},
            )
        kept = self._platform.host.kept(await self._runner.spec(reference, resolved))
        # Other nodes keep their parts; this one can speak for its own.
        own = self._keeping.part(config.requested)
        ready = config.requested - own + min(kept.ready, own)
        shown: dict[str, Any] = {
            "RequestedProvisionedConcurrentExecutions": config.requested,
            "AllocatedProvisionedConcurrentExecutions": ready,
            "AvailableProvisionedConcurrentExecutions": ready,
            "Status": "READY" if ready == config.requested else "IN_PROGRESS",
            "LastModified": _timestamp(config.modified),
        }
        if kept.fault is not None:
            shown["Status"] = "FAILED"
            shown["StatusReason"] = f"FUNCTION_ERROR_INIT_FAILURE ({kept.fault})"
        return shown


def _unpublished() -> AwsError:
    return errors.invalid(
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    )


def _check(function: Function, qualifier: str, requested: int) -> None:
    """InvalidParameterValueException when so much cannot be provisioned."""
    others = sum(one.requested for key, one in function.provisioned.items() if key != qualifier)
    if function.reserved is not None and others + requested > function.reserved:
        raise errors.invalid(
            "Requested Provisioned Concurrency should not be greater than the "
            "reservedConcurrentExecution for function"
        )
    free = REGIONAL - UNRESERVED_MINIMUM
    if function.reserved is None and others + requested > free:
        raise errors.invalid(
            "Specified ConcurrentExecutions for function is greater than account's unreserved "
            f"concurrency [{free}]."
        )


def _check_overlap(function: Function, qualifier: str, number: str) -> None:
    """ResourceConflictException when the version is provisioned by another name already."""
    if qualifier in function.aliases and number in function.provisioned:
        raise errors.conflict(
            "Alias can't be used for Provisioned Concurrency configuration on an already "
            "Provisioned version"
        )
    for name, alias in function.aliases.items():
        if name != qualifier and name in function.provisioned and alias.version == number:
            raise errors.conflict("Version is pointed by a Provisioned Concurrency alias")


def _timestamp(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}+0000"
