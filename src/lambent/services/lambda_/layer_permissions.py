"""Who may use a layer's version: its resource policy.

Source: Lambda API Reference, AddLayerVersionPermission, RemoveLayerVersionPermission,
GetLayerVersionPolicy.
"""

from __future__ import annotations

from lambent.core.context import Params, RequestContext, Result
from lambent.services.lambda_ import errors, policy, records
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.layer_lookup import LayerVersion, named, require_access
from lambent.services.lambda_.layers import numbered
from lambent.services.lambda_.model import Layer
from lambent.store.contract import Transaction


class LayerPermissionOperations(Base):
    """AddLayerVersionPermission and its like."""

    async def add_layer_version_permission(self, context: RequestContext, params: Params) -> Result:
        """AddLayerVersionPermission."""
        wanted = _own(context, params, "AddLayerVersionPermission")
        added = policy.layer_statement(params, wanted.arn)
        revision = self._ids.uuid()

        async def body(tx: Transaction) -> None:
            layer = await _layer(tx, wanted)
            _require_revision(params, layer)
            if any(one["Sid"] == added["Sid"] for one in layer.policy):
                raise errors.conflict(
                    f"The statement id ({added['Sid']}) provided already exists. Please provide "
                    "a new statement id, or remove the existing statement."
                )
            layer.policy.append(added)
            layer.revision = revision
            await records.put_layer(tx, wanted.account, wanted.region, wanted.name, layer)

        await self._store.transact(body)
        return {"Statement": policy.compact(added), "RevisionId": revision}

    async def remove_layer_version_permission(
        self, context: RequestContext, params: Params
    ) -> Result:
        """RemoveLayerVersionPermission."""
        wanted = _own(context, params, "RemoveLayerVersionPermission")
        sid, revision = params["StatementId"], self._ids.uuid()

        async def body(tx: Transaction) -> None:
            layer = await _layer(tx, wanted)
            left = [one for one in layer.policy if one["Sid"] != sid]
            if len(left) == len(layer.policy):
                raise errors.not_found(f"Statement {sid} is not found in resource policy.")
            _require_revision(params, layer)
            layer.policy, layer.revision = left, revision
            await records.put_layer(tx, wanted.account, wanted.region, wanted.name, layer)

        await self._store.transact(body)
        return None

    async def get_layer_version_policy(self, context: RequestContext, params: Params) -> Result:
        """GetLayerVersionPolicy."""
        wanted = _own(context, params, "GetLayerVersionPolicy")
        layer = await self._store.transact(lambda tx: _layer(tx, wanted))
        if not layer.policy:
            raise errors.not_found("No policy is associated with the given resource.")
        return {"Policy": policy.compact(policy.whole(layer.policy)), "RevisionId": layer.revision}


def _own(context: RequestContext, params: Params, action: str) -> LayerVersion:
    """The version that is meant; AccessDeniedException when it is another account's."""
    wanted = named(context, params["LayerName"], numbered(params))
    if wanted.account != context.account:
        require_access(context, wanted, None, action)
    return wanted


async def _layer(tx: Transaction, wanted: LayerVersion) -> Layer:
    layer = await wanted.find(tx)
    if layer is None:
        raise errors.not_found(f"Layer version {wanted.arn} does not exist.")
    return layer


def _require_revision(params: Params, layer: Layer) -> None:
    records.require_revision(params.get("RevisionId"), layer.revision, "GetLayerPolicy")
