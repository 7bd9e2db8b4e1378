"""Layers: archives that functions share, in numbered versions.

Source: Lambda API Reference, PublishLayerVersion and its like.
"""

from __future__ import annotations

import base64
from typing import Any

from lambent.core.context import Params, RequestContext, Result
from lambent.services.lambda_ import describe, errors, paging, records
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.layer_lookup import find_by_arn
from lambent.services.lambda_.model import Layer
from lambent.store.contract import Transaction

_COUNTERS = "lambda.layer-counts"


def _name(context: RequestContext, text: str) -> str:
    """A layer's name, given as such or as an ARN."""
    return text.rpartition(":layer:")[2] if text.startswith("arn:") else text


class LayerOperations(Base):
    """PublishLayerVersion and its like."""

    async def publish_layer_version(self, context: RequestContext, params: Params) -> Result:
        """PublishLayerVersion."""
        name = _name(context, params["LayerName"])
        archive = await self._code.take(context, params["Content"])

        async def body(tx: Transaction) -> Layer:
            place = records.place(context.account, context.region)
            counter = await tx.get(_COUNTERS, place, name.encode())
            number = 1 if counter is None else int(counter.value) + 1
            await tx.put(_COUNTERS, place, name.encode(), str(number).encode())
            layer = Layer(
                number=number,
                description=params.get("Description", ""),
                created=tx.now,
                blob=archive.blob.id,
                sha256=archive.sha256,
                size=archive.size,
                runtimes=params.get("CompatibleRuntimes") or [],
                architectures=params.get("CompatibleArchitectures") or [],
                license=params.get("LicenseInfo", ""),
            )
            await tx.link_blob(archive.blob)
            await records.put_layer(tx, context.account, context.region, name, layer)
            return layer

        return self._shown(context, name, await self._store.transact(body))

    async def get_layer_version(self, context: RequestContext, params: Params) -> Result:
        """GetLayerVersion."""
        name = _name(context, params["LayerName"])
        number = int(params["VersionNumber"])
        layer = await self._store.transact(
            lambda tx: records.find_layer(tx, context.account, context.region, name, number)
        )
        if layer is None:
            raise errors.not_found()
        return self._shown(context, name, layer)

    async def get_layer_version_by_arn(self, context: RequestContext, params: Params) -> Result:
        """GetLayerVersionByArn."""
        layer = await self._store.transact(lambda tx: find_by_arn(tx, params["Arn"]))
        if layer is None:
            raise errors.not_found()
        return self._shown(context, params["Arn"].split(":")[6], layer)

    async def list_layer_versions(self, context: RequestContext, params: Params) -> Result:
        """ListLayerVersions, newest first."""
        name = _name(context, params["LayerName"])
        stored = await self._store.transact(
            lambda tx: records.layers(tx, context.account, context.region, name)
        )
        chosen, marker = paging.page(
            stored[::-1],
            lambda layer: str(99_999_999 - layer.number).zfill(8),
            params.get("Marker"),
            params.get("MaxItems"),
        )
        shown = [_summary(context, name, layer) for layer in chosen]
        return {"LayerVersions": shown, "NextMarker": marker}

    async def list_layers(self, context: RequestContext, params: Params) -> Result:
        """ListLayers, each with its newest version."""

        async def body(tx: Transaction) -> list[dict[str, Any]]:
            shown = []
            place = records.place(context.account, context.region)
            for counter in await tx.scan(_COUNTERS, place):
                name = counter.sort.decode()
                versions = await records.layers(tx, context.account, context.region, name)
                if versions:
                    shown.append(
                        {
                            "LayerName": name,
                            "LayerArn": context.arn("lambda", f"layer:{name}"),
                            "LatestMatchingVersion": _summary(context, name, versions[-1]),
                        }
                    )
            return shown

        layers, marker = paging.page(
            await self._store.transact(body),
            lambda shown: str(shown["LayerName"]),
            params.get("Marker"),
            params.get("MaxItems"),
        )
        return {"Layers": layers, "NextMarker": marker}

    async def delete_layer_version(self, context: RequestContext, params: Params) -> Result:
        """DeleteLayerVersion; deleting what is not there succeeds."""
        name = _name(context, params["LayerName"])
        await self._store.transact(
            lambda tx: records.delete_layer(
                tx, context.account, context.region, name, int(params["VersionNumber"])
            )
        )
        return None

    def _shown(self, context: RequestContext, name: str, layer: Layer) -> dict[str, Any]:
        return {
            **_summary(context, name, layer),
            "LayerArn": context.arn("lambda", f"layer:{name}"),
            "Content": {
                "Location": self._downloads.layer_url(context, name, layer),
                "CodeSha256": base64.b64encode(bytes.fromhex(layer.sha256)).decode(),
                "CodeSize": layer.size,
            },
        }


def _summary(context: RequestContext, name: str, layer: Layer) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "LayerVersionArn": context.arn("lambda", f"layer:{name}:{layer.number}"),
        "Version": layer.number,
        "Description": layer.description,
        "CreatedDate": describe.timestamp(layer.created),
    }
    if layer.runtimes:
        shown["CompatibleRuntimes"] = layer.runtimes
    if layer.architectures:
        shown["CompatibleArchitectures"] = layer.architectures
    if layer.license:
        shown["LicenseInfo"] = layer.license
    return shown
