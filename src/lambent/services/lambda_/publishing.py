"""Published versions, and aliases that name them.

Source: Lambda API Reference; Lambda Developer Guide, "Manage Lambda function versions" (a
version is published only when code or settings differ from the last one).
"""

from __future__ import annotations

from typing import Any

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.core.ids import Ids
from lambent.services.lambda_ import describe, errors, paging, records, snapshots
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.model import Alias, Function, Version
from lambent.services.lambda_.names import LATEST, Reference
from lambent.store.contract import Transaction


async def publish(
    tx: Transaction,
    ids: Ids,
    reference: Reference,
    function: Function,
    description: str | None = None,
) -> Version:
    """Make $LATEST a version, unless the last one is the same. The caller stores the
    function, whose count of versions this raises."""
    latest = function.latest
    settings = dict(latest.settings)
    if description is not None:
        settings["Description"] = description
    existing = await records.versions(tx, reference)
    if existing:
        last = existing[-1]
        same = {**last.settings, "Description": None} == {**settings, "Description": None}
        if same and last.sha256 == latest.sha256:
            return last
    function.published += 1
    version = msgspec.structs.replace(
        latest,
        number=str(function.published),
        settings=settings,
        modified=tx.now,
        revision=ids.uuid(),
        build=ids.uuid(),
        snapshot=snapshots.PENDING if snapshots.enabled(settings) else None,
    )
    await records.put_version(tx, reference, version)
    return version


class VersionOperations(Base):
    """Versions and aliases."""

    async def publish_version(self, context: RequestContext, params: Params) -> Result:
        """PublishVersion."""
        reference = self._latest_reference(context, params, "PublishVersion")

        async def body(tx: Transaction) -> Version:
            function = await records.get_function(tx, reference)
            records.require_revision(params.get("RevisionId"), function.latest.revision)
            present = describe.configuration(reference, function.latest)["CodeSha256"]
            wanted = params.get("CodeSha256")
            if wanted and wanted != present:
                raise errors.invalid(
                    f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST "
                    f"({present}). Please try again with the CodeSHA256 in $LATEST."
                )
            version = await publish(tx, self._ids, reference, function, params.get("Description"))
            await records.put_function(tx, reference, function)
            return version

        version = await self._store.transact(body)
        await self._keeping.take_snapshot(reference, version.number)
        return describe.configuration(_only(reference), version, qualified=True)

    async def list_versions_by_function(self, context: RequestContext, params: Params) -> Result:
        """ListVersionsByFunction."""
        reference = self._reference(context, params, "ListVersionsByFunction")

        async def body(tx: Transaction) -> list[Version]:
            function = await records.get_function(tx, reference)
            return [function.latest, *await records.versions(tx, reference)]

        versions = await self._store.transact(body)
        chosen, marker = paging.page(
            versions,
            _order,
            params.get("Marker"),
            params.get("MaxItems"),
        )
        shown = [describe.listed(_only(reference), one, qualified=True) for one in chosen]
        return {"Versions": shown, "NextMarker": marker}

    async def create_alias(self, context: RequestContext, params: Params) -> Result:
        """CreateAlias."""
        reference = self._reference(context, params, "CreateAlias")
        name = params["Name"]

        async def body(tx: Transaction) -> Alias:
            function = await records.get_function(tx, reference)
            if name in function.aliases:
                raise errors.conflict(f"Alias already exists: {reference.arn}:{name}")
            alias = Alias(
                version=params["FunctionVersion"],
                description=params.get("Description", ""),
                weights=_weights(params) or {},
                revision=self._ids.uuid(),
            )
            await _check(tx, reference, alias)
            function.aliases[name] = alias
            await records.put_function(tx, reference, function)
            return alias

        return describe.alias(reference, name, await self._store.transact(body))

    async def update_alias(self, context: RequestContext, params: Params) -> Result:
        """UpdateAlias."""
        reference = self._reference(context, params, "UpdateAlias")
        name = params["Name"]

        async def body(tx: Transaction) -> Alias:
            function = await records.get_function(tx, reference)
            alias = _alias(reference, function, name)
            records.require_revision(params.get("RevisionId"), alias.revision)
            alias.version = params.get("FunctionVersion", alias.version)
            alias.description = params.get("Description", alias.description)
            weights = _weights(params)
            alias.weights = alias.weights if weights is None else weights
            alias.revision = self._ids.uuid()
            await _check(tx, reference, alias)
            await records.put_function(tx, reference, function)
            return alias

        alias = await self._store.transact(body)
        await self._keeping.settle(reference)
        return describe.alias(reference, name, alias)

    async def get_alias(self, context: RequestContext, params: Params) -> Result:
        """GetAlias."""
        reference = self._reference(context, params, "GetAlias")
        function = await self._store.transact(lambda tx: records.get_function(tx, reference))
        name = params["Name"]
        return describe.alias(reference, name, _alias(reference, function, name))

    async def list_aliases(self, context: RequestContext, params: Params) -> Result:
        """ListAliases."""
        reference = self._reference(context, params, "ListAliases")
        function = await self._store.transact(lambda tx: records.get_function(tx, reference))
        wanted = params.get("FunctionVersion")
        shown = [
            describe.alias(reference, name, alias)
            for name, alias in sorted(function.aliases.items())
            if wanted is None or wanted == alias.version or wanted in alias.weights
        ]
        aliases, marker = paging.page(
            shown, _alias_name, params.get("Marker"), params.get("MaxItems")
        )
        return {"Aliases": aliases, "NextMarker": marker}

    async def delete_alias(self, context: RequestContext, params: Params) -> Result:
        """DeleteAlias; deleting what is not there succeeds."""
        reference = self._reference(context, params, "DeleteAlias")

        async def body(tx: Transaction) -> None:
            function = await records.get_function(tx, reference)
            name = params["Name"]
            if function.aliases.pop(name, None) is not None:
                function.policies.pop(name, None)
                function.policy_heads.pop(name, None)
                function.retries.pop(name, None)
                function.provisioned.pop(name, None)
                url = function.urls.pop(name, None)
                if url is not None:
                    await records.delete_url(tx, url.id)
                await records.put_function(tx, reference, function)

        await self._store.transact(body)
        await self._keeping.settle(reference)
        return None


def _order(version: Version) -> str:
    """$LATEST comes before all digits."""
    return version.number if version.number == LATEST else version.number.zfill(8)


def _only(reference: Reference) -> Reference:
    return Reference(reference.account, reference.region, reference.name)


def _alias_name(shown: dict[str, Any]) -> str:
    name: str = shown["Name"]
    return name


def _alias(reference: Reference, function: Function, name: str) -> Alias:
    alias = function.aliases.get(name)
    if alias is None:
        raise errors.alias_not_found(f"{reference.arn}:{name}")
    return alias


def _weights(params: Params) -> dict[str, float] | None:
    routing = params.get("RoutingConfig")
    if routing is None:
        return None
    return dict(routing.get("AdditionalVersionWeights") or {})


async def _check(tx: Transaction, reference: Reference, alias: Alias) -> None:
    if len(alias.weights) > 1:
        raise errors.invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    for number, weight in alias.weights.items():
        if not 0.0 <= weight <= 1.0:
            raise errors.validation(
                weight,
                "routingConfig.additionalVersionWeights",
                "Map value must satisfy constraint: [Member must have value less than or equal "
                "to 1.0, Member must have value greater than or equal to 0.0]",
            )
        if number == alias.version:
            raise errors.invalid(
                f"Invalid function version {number}. Function version {number} is already "
                "included in routing configuration."
            )
    for number in (alias.version, *alias.weights):
        if number == LATEST:
            if alias.weights:
                raise errors.invalid(
                    "$LATEST is not supported for an alias pointing to more than 1 version"
                )
            continue
        if await records.find_version(tx, reference, number) is None:
            raise errors.function_not_found(f"{reference.arn}:{number}")
