"""Who may invoke a function: its resource policy.

Source: Lambda API Reference, AddPermission, RemovePermission, GetPolicy.
"""

from __future__ import annotations

import json
from typing import Any

from lambent.core.context import Params, RequestContext, Result
from lambent.services.lambda_ import errors, policy, records
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.model import Function
from lambent.services.lambda_.names import LATEST, Reference
from lambent.store.contract import Transaction


class PermissionOperations(Base):
    """AddPermission and its like."""

    async def add_permission(self, context: RequestContext, params: Params) -> Result:
        """AddPermission."""
        reference = self._reference(context, params, "AddPermission")
        if reference.qualifier == LATEST:
            raise errors.invalid("We currently do not support adding policies for $LATEST.")
        added = policy.statement(params, reference.qualified)

        async def body(tx: Transaction) -> None:
            function = await records.get_function(tx, reference)
            await records.resolve(tx, reference, function)
            records.require_revision(params.get("RevisionId"), _revision(function), "GetPolicy")
            statements = function.policies.setdefault(_key(reference), [])
            if any(one["Sid"] == added["Sid"] for one in statements):
                raise errors.conflict(
                    f"The statement id ({added['Sid']}) provided already exists. Please provide "
                    "a new statement id, or remove the existing statement."
                )
            statements.append(added)
            function.latest.revision = self._ids.uuid()
            await records.put_function(tx, reference, function)

        await self._store.transact(body)
        return {"Statement": _compact(added)}

    async def remove_permission(self, context: RequestContext, params: Params) -> Result:
        """RemovePermission."""
        reference = self._reference(context, params, "RemovePermission")

        async def body(tx: Transaction) -> None:
            function = await records.get_function(tx, reference)
            await records.resolve(tx, reference, function)
            statements = function.policies.get(_key(reference), [])
            if not statements:
                raise errors.not_found("No policy is associated with the given resource.")
            sid = params["StatementId"]
            left = [one for one in statements if one["Sid"] != sid]
            if len(left) == len(statements):
                raise errors.not_found(f"Statement {sid} is not found in resource policy.")
            records.require_revision(params.get("RevisionId"), _revision(function), "GetPolicy")
            function.policies[_key(reference)] = left
            function.latest.revision = self._ids.uuid()
            await records.put_function(tx, reference, function)

        await self._store.transact(body)
        return None

    async def get_policy(self, context: RequestContext, params: Params) -> Result:
        """GetPolicy."""
        reference = self._reference(context, params, "GetPolicy")

        async def body(tx: Transaction) -> Function:
            function = await records.get_function(tx, reference)
            await records.resolve(tx, reference, function)
            return function

        function = await self._store.transact(body)
        statements = function.policies.get(_key(reference))
        if not statements:
            raise errors.not_found()
        return {
            "Policy": _compact(policy.document(statements)),
            "RevisionId": _revision(function),
        }


def _key(reference: Reference) -> str:
    return reference.qualifier or LATEST


def _revision(function: Function) -> str:
    return function.latest.revision


def _compact(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
