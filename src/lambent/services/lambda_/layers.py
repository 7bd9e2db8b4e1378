"""Layers: archives that functions share, in numbered versions.

Source: Lambda API Reference, PublishLayerVersion and its like.
"""

from __future__ import annotations

import base64
from typing import Any

from lambent.core.context import Params, RequestContext, Result
from lambent.services.lambda_ import describe, errors, layer_keeping, paging, records, settings
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.layer_lookup import LayerVersion, named, parse, require_access
from lambent.services.lambda_.model import Layer
from lambent.store.contract import Transaction


class LayerOperations(Base):
    """PublishLayerVersion and its like."""

    async def publish_layer_version(self, context: RequestContext, params: Params) -> Result:
        """PublishLayerVersion."""
        wanted = named(context, params["LayerName"])
        if wanted.account != context.account:
            require_access(context, wanted, None, "PublishLayerVersion")
        runtimes = params.get("CompatibleRuntimes") or []
        for runtime in runtimes:
            settings.check_runtime(runtime, "compatibleRuntimes")
        archive = await self._code.take(context, params["Content"])

        async def body(tx: Transaction) -> Layer:
            place = records.place(context.account, context.region)
            counter = await tx.get(records.LAYER_COUNTS, place, wanted.name.encode())
            number = 1 if counter is None else int(counter.value) + 1
            await tx.put(records.LAYER_COUNTS, place, wanted.name.encode(), str(number).encode())
            layer = Layer(
                number=number,
                description=params.get("Description", ""),
                created=tx.now,
                blob=archive.blob.id,
                sha256=archive.sha256,
                size=archive.size,
                runtimes=runtimes,
                architectures=params.get("CompatibleArchitectures") or [],
                license=params.get("LicenseInfo", ""),
            )
            await tx.link_blob(archive.blob)
            await records.put_layer(tx, context.account, context.region, wanted.name, layer)
            return layer

        return self._shown(context, wanted, await self._store.transact(body))

    async def get_layer_version(self, context: RequestContext, params: Params) -> Result:
        """GetLayerVersion."""
        number = numbered(params)
        return await self._get(context, named(context, params["LayerName"], number))

    async def get_layer_version_by_arn(self, context: RequestContext, params: Params) -> Result:
        """GetLayerVersionByArn."""
        wanted = parse(params["Arn"])
        if wanted is None:
            raise errors.not_found()
        return await self._get(context, wanted)

    async def _get(self, context: RequestContext, wanted: LayerVersion) -> Result:
        layer = await self._store.transact(wanted.find)
        require_access(context, wanted, layer, "GetLayerVersion")
        if layer is None:
            raise errors.not_found()
        return self._shown(context, wanted, layer)

    async def list_layer_versions(self, context: RequestContext, params: Params) -> Result:
        """ListLayerVersions, newest first."""
        wanted = named(context, params["LayerName"])
        if wanted.account != context.account:
            require_access(context, wanted, None, "ListLayerVersions")
        stored = await self._store.transact(
            lambda tx: records.layers(tx, wanted.account, wanted.region, wanted.name)
        )
        chosen, marker = paging.page(
            [layer for layer in stored[::-1] if _suits(layer, params)],
            lambda layer: str(99_999_999 - layer.number).zfill(8),
            params.get("Marker"),
            params.get("MaxItems"),
        )
        shown = [_summary(wanted, layer) for layer in chosen]
        return {"LayerVersions": shown, "NextMarker": marker}

    async def list_layers(self, context: RequestContext, params: Params) -> Result:
        """ListLayers, each with its newest version that suits the caller."""

        async def body(tx: Transaction) -> list[dict[str, Any]]:
            shown = []
            for name in await records.layer_names(tx, context.account, context.region):
                one = named(context, name)
                versions = await records.layers(tx, one.account, one.region, one.name)
                suitable = [layer for layer in versions if _suits(layer, params)]
                if suitable:
                    shown.append(
                        {
                            "LayerName": one.name,
                            "LayerArn": one.layer_arn,
                            "LatestMatchingVersion": _summary(one, suitable[-1]),
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
        wanted = named(context, params["LayerName"], numbered(params))
        if wanted.account != context.account:
            require_access(context, wanted, None, "DeleteLayerVersion")
        await self._store.transact(lambda tx: layer_keeping.delete(tx, wanted))
        return None

    def _shown(self, context: RequestContext, wanted: LayerVersion, layer: Layer) -> dict[str, Any]:
        return {
            **_summary(wanted, layer),
            "LayerArn": wanted.layer_arn,
            "Content": {
                "Location": self._downloads.layer_url(context, wanted, layer),
                "CodeSha256": base64.b64encode(bytes.fromhex(layer.sha256)).decode(),
                "CodeSize": layer.size,
            },
        }


def numbered(params: Params) -> int:
    """VersionNumber; InvalidParameterValueException when no version can have it."""
    number = int(params["VersionNumber"])
    if number < 1:
        raise errors.invalid("Layer Version Cannot be less than 1")
    return number


def _suits(layer: Layer, params: Params) -> bool:
    """Whether a version says it is for the runtime and architecture that are asked for."""
    runtime, architecture = params.get("CompatibleRuntime"), params.get("CompatibleArchitecture")
    return (runtime is None or runtime in layer.runtimes) and (
        architecture is None or architecture in layer.architectures
    )


def _summary(wanted: LayerVersion, layer: Layer) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "LayerVersionArn": f"{wanted.layer_arn}:{layer.number}",
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
