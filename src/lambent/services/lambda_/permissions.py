"""Who may invoke a function: its resource policy.

Its statements are added one by one, or put as a whole. Source: Lambda API Reference,
AddPermission, RemovePermission, GetPolicy, PutResourcePolicy and its like.
"""

from __future__ import annotations

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
        _check_qualifier(reference)
        added = policy.statement(params, reference.qualified)

        async def body(tx: Transaction) -> None:
            function = await records.get_function(tx, reference)
            holder = await _holder(tx, reference, function)
            records.require_revision(params.get("RevisionId"), holder.revision, "GetPolicy")
            statements = function.policies.setdefault(_key(reference), [])
            if any(one.get("Sid") == added["Sid"] for one in statements):
                raise errors.conflict(
                    f"The statement id ({added['Sid']}) provided already exists. Please provide "
                    "a new statement id, or remove the existing statement."
                )
            statements.append(added)
            policy.check_size(_document(function, reference))
            await self._keep(tx, reference, function, holder)

        await self._store.transact(body)
        return {"Statement": policy.compact(added)}

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
            left = [one for one in statements if one.get("Sid") != sid]
            if len(left) == len(statements):
                raise errors.not_found(f"Statement {sid} is not found in resource policy.")
            records.require_revision(params.get("RevisionId"), holder.revision, "GetPolicy")
            function.policies[_key(reference)] = left
            await self._keep(tx, reference, function, holder)

        await self._store.transact(body)
        return None

    async def get_policy(self, context: RequestContext, params: Params) -> Result:
        """GetPolicy."""
        return await self._whole(self._reference(context, params, "GetPolicy"))

    async def put_resource_policy(self, context: RequestContext, params: Params) -> Result:
        """PutResourcePolicy: in place of all statements that there are."""
        reference = self._resource(context, params, "PutResourcePolicy")
        _check_qualifier(reference)
        head, statements = policy.parse(params["Policy"])

        async def body(tx: Transaction) -> None:
            function = await records.get_function(tx, reference)
            holder = await _holder(tx, reference, function)
            revision = params.get("RevisionId")
            records.require_revision(revision, holder.revision, "GetResourcePolicy")
            function.policies[_key(reference)] = statements
            function.policy_heads[_key(reference)] = head
            policy.check_size(_document(function, reference))
            await self._keep(tx, reference, function, holder)

        await self._store.transact(body)
        return await self._whole(reference)

    async def get_resource_policy(self, context: RequestContext, params: Params) -> Result:
        """GetResourcePolicy."""
        return await self._whole(self._resource(context, params, "GetResourcePolicy"))

    async def delete_resource_policy(self, context: RequestContext, params: Params) -> Result:
        """DeleteResourcePolicy."""
        reference = self._resource(context, params, "DeleteResourcePolicy")

        async def body(tx: Transaction) -> None:
            function = await records.get_function(tx, reference)
            holder = await _holder(tx, reference, function)
            if not function.policies.pop(_key(reference), None):
                raise errors.not_found()
            function.policy_heads.pop(_key(reference), None)
            revision = params.get("RevisionId")
            records.require_revision(revision, holder.revision, "GetResourcePolicy")
            await self._keep(tx, reference, function, holder)

        await self._store.transact(body)
        return None

    def _resource(self, context: RequestContext, params: Params, action: str) -> Reference:
        return self._reference(context, {"FunctionName": params["ResourceArn"]}, action)

    async def _whole(self, reference: Reference) -> Result:
        """The whole policy, and the revision of what it belongs to."""

        async def body(tx: Transaction) -> dict[str, Any]:
            function = await records.get_function(tx, reference)
            holder = await _holder(tx, reference, function)
            if not function.policies.get(_key(reference)):
                raise errors.not_found()
            return {"Policy": _document(function, reference), "RevisionId": holder.revision}

        return await self._store.transact(body)

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


def _document(function: Function, reference: Reference) -> str:
    key = _key(reference)
    whole = policy.whole(function.policies[key], function.policy_heads.get(key))
    return policy.compact(whole)


def _check_qualifier(reference: Reference) -> None:
    if reference.qualifier == LATEST:
        raise errors.invalid("We currently do not support adding policies for $LATEST.")
