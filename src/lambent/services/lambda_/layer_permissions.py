"""Who may use a layer's version: its resource policy.

Source: Lambda API Reference, AddLayerVersionPermission, RemoveLayerVersionPermission,
GetLayerVersionPolicy.
"""

from __future__ import annotations

import json
from typing import Any

from lambent.core.context import Params, RequestContext, Result
from lambent.services.lambda_ import errors, policy, records
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.model import Layer
from lambent.store.contract import Transaction


class LayerPermissionOperations(Base):
    """AddLayerVersionPermission and its like."""

    async def add_layer_version_permission(self, context: RequestContext, params: Params) -> Result:
        """AddLayerVersionPermission."""
        name, number = _version(params)
        resource = context.arn("lambda", f"layer:{name}:{number}")
        added = policy.layer_statement(params, resource)
        revision = self._ids.uuid()

        async def body(tx: Transaction) -> None:
            layer = await _layer(tx, context, params)
            records.require_revision(params.get("RevisionId"), layer.revision)
            if any(one["Sid"] == added["Sid"] for one in layer.policy):
                raise errors.conflict(
                    f"The statement id ({added['Sid']}) provided already exists. Please provide "
                    "a new statement id, or remove the existing statement."
                )
            layer.policy.append(added)
            layer.revision = revision
            await records.put_layer(tx, context.account, context.region, name, layer)

        await self._store.transact(body)
        return {"Statement": _compact(added), "RevisionId": revision}

    async def remove_layer_version_permission(
        self, context: RequestContext, params: Params
    ) -> Result:
        """RemoveLayerVersionPermission."""
        name, _ = _version(params)
        sid, revision = params["StatementId"], self._ids.uuid()

        async def body(tx: Transaction) -> None:
            layer = await _layer(tx, context, params)
            left = [one for one in layer.policy if one["Sid"] != sid]
            if len(left) == len(layer.policy):
                raise errors.not_found(f"Statement {sid} is not found in resource policy.")
            records.require_revision(params.get("RevisionId"), layer.revision)
            layer.policy, layer.revision = left, revision
            await records.put_layer(tx, context.account, context.region, name, layer)

        await self._store.transact(body)
        return None

    async def get_layer_version_policy(self, context: RequestContext, params: Params) -> Result:
        """GetLayerVersionPolicy."""
        layer = await self._store.transact(lambda tx: _layer(tx, context, params))
        if not layer.policy:
            raise errors.not_found("No policy is associated with the given resource.")
        document = policy.document(layer.policy)
        return {"Policy": _compact(document), "RevisionId": layer.revision}


def _version(params: Params) -> tuple[str, int]:
    """The layer's name, which may be given as an ARN, and the number."""
    return str(params["LayerName"]).rpartition(":")[2], int(params["VersionNumber"])


async def _layer(tx: Transaction, context: RequestContext, params: Params) -> Layer:
    name, number = _version(params)
    layer = await records.find_layer(tx, context.account, context.region, name, number)
    if layer is None:
        arn = context.arn("lambda", f"layer:{name}:{number}")
        raise errors.not_found(f"Layer version {arn} does not exist.")
    return layer


def _compact(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
