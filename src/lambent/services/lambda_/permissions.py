"""Who may invoke a function: its resource policy.

Source: Lambda API Reference, AddPermission, RemovePermission, GetPolicy.
"""

from __future__ import annotations

import json
from typing import Any

from lambent.core.context import Params, RequestContext, Result
from lambent.services.lambda_ import errors, policy, records
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.model import Alias, Function, Version
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
            holder = await _holder(tx, reference, function)
            records.require_revision(params.get("RevisionId"), holder.revision, "GetPolicy")
            statements = function.policies.setdefault(_key(reference), [])
            if any(one["Sid"] == added["Sid"] for one in statements):
                raise errors.conflict(
                    f"The statement id ({added['Sid']}) provided already exists. Please provide "
                    "a new statement id, or remove the existing statement."
                )
            statements.append(added)
            await self._keep(tx, reference, function, holder)

        await self._store.transact(body)
        return {"Statement": _compact(added)}

    async def remove_permission(self, context: RequestContext, params: Params) -> Result:
        """RemovePermission."""
        reference = self._reference(context, params, "RemovePermission")

        async def body(tx: Transaction) -> None:
            function = await records.get_function(tx, reference)
            holder = await _holder(tx, reference, function)
            statements = function.policies.get(_key(reference), [])
            if not statements:
                raise errors.not_found("No policy is associated with the given resource.")
            sid = params["StatementId"]
            left = [one for one in statements if one["Sid"] != sid]
            if len(left) == len(statements):
                raise errors.not_found(f"Statement {sid} is not found in resource policy.")
            records.require_revision(params.get("RevisionId"), holder.revision, "GetPolicy")
            function.policies[_key(reference)] = left
            await self._keep(tx, reference, function, holder)

        await self._store.transact(body)
        return None

    async def get_policy(self, context: RequestContext, params: Params) -> Result:
        """GetPolicy."""
        reference = self._reference(context, params, "GetPolicy")

        async def body(tx: Transaction) -> tuple[list[dict[str, Any]], str]:
            function = await records.get_function(tx, reference)
            holder = await _holder(tx, reference, function)
            return function.policies.get(_key(reference), []), holder.revision

        statements, revision = await self._store.transact(body)
        if not statements:
            raise errors.not_found()
        return {"Policy": _compact(policy.document(statements)), "RevisionId": revision}

    async def _keep(
        self, tx: Transaction, reference: Reference, function: Function, holder: Version | Alias
    ) -> None:
        """Store what was changed of a policy; what it belongs to is of another revision now."""
        holder.revision = self._ids.uuid()
        if isinstance(holder, Version) and holder.number != LATEST:
            await records.put_version(tx, reference, holder)
        await records.put_function(tx, reference, function)


async def _holder(tx: Transaction, reference: Reference, function: Function) -> Version | Alias:
    """What has the policy: an alias, a version, or the function as such ($LATEST)."""
    version = await records.resolve_named(tx, reference, function)
    return function.aliases.get(_key(reference), version)


def _key(reference: Reference) -> str:
    return reference.qualifier or LATEST


def _compact(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
