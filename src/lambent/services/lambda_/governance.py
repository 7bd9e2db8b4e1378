"""Recursive loops and runtime updates: what a function's owner chooses of them.

Source: Lambda API Reference, PutFunctionRecursionConfig and PutRuntimeManagementConfig with
their like.
"""

from __future__ import annotations

from typing import Any

from lambent.core.context import Params, RequestContext, Result
from lambent.services.lambda_ import errors, records
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.names import LATEST
from lambent.store.contract import Transaction


class GovernanceOperations(Base):
    """Recursion and runtime management configurations."""

    async def put_function_recursion_config(
        self, context: RequestContext, params: Params
    ) -> Result:
        """PutFunctionRecursionConfig."""
        reference = self._reference(context, params, "PutFunctionRecursionConfig")
        wanted = params["RecursiveLoop"]

        async def body(tx: Transaction) -> None:
            function = await records.get_function(tx, reference)
            function.recursive = wanted
            await records.put_function(tx, reference, function)

        await self._store.transact(body)
        return {"RecursiveLoop": wanted}

    async def get_function_recursion_config(
        self, context: RequestContext, params: Params
    ) -> Result:
        """GetFunctionRecursionConfig."""
        reference = self._reference(context, params, "GetFunctionRecursionConfig")
        function = await self._store.transact(lambda tx: records.get_function(tx, reference))
        return {"RecursiveLoop": function.recursive}

    async def put_runtime_management_config(
        self, context: RequestContext, params: Params
    ) -> Result:
        """PutRuntimeManagementConfig: kept and shown; this node's runtimes are its own."""
        reference = self._reference(context, params, "PutRuntimeManagementConfig")
        mode = params["UpdateRuntimeOn"]
        runtime = params.get("RuntimeVersionArn")
        if mode == "Manual" and not runtime:
            raise errors.invalid("You must specify a runtime version ARN for Manual mode.")
        if mode != "Manual" and runtime:
            raise errors.invalid(
                "You must not specify a runtime version ARN for Auto or FunctionUpdate mode."
            )
        config: dict[str, Any] = {"UpdateRuntimeOn": mode, "RuntimeVersionArn": runtime}

        async def body(tx: Transaction) -> str:
            function = await records.get_function(tx, reference)
            await records.resolve(tx, reference, function)
            function.runtime_updates[reference.qualifier or LATEST] = config
            await records.put_function(tx, reference, function)
            return reference.qualified

        return {**config, "FunctionArn": await self._store.transact(body)}

    async def get_runtime_management_config(
        self, context: RequestContext, params: Params
    ) -> Result:
        """GetRuntimeManagementConfig."""
        reference = self._reference(context, params, "GetRuntimeManagementConfig")

        async def body(tx: Transaction) -> dict[str, Any]:
            function = await records.get_function(tx, reference)
            await records.resolve(tx, reference, function)
            default = {"UpdateRuntimeOn": "Auto", "RuntimeVersionArn": None}
            return function.runtime_updates.get(reference.qualifier or LATEST, default)

        return {**await self._store.transact(body), "FunctionArn": reference.qualified}
