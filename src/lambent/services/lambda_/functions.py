"""Creating, changing, showing and deleting functions.

Source: Lambda API Reference.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.services.lambda_ import (
    code_signing,
    describe,
    errors,
    layer_keeping,
    leaving,
    own_settings,
    paging,
    records,
    role_permissions,
    roles,
    settings,
)
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.code import Archive
from lambent.services.lambda_.layer_lookup import referenced
from lambent.services.lambda_.model import Code, Function, Version
from lambent.services.lambda_.names import LATEST, Reference
from lambent.services.lambda_.publishing import publish
from lambent.services.lambda_.tags import check_tags
from lambent.store.contract import Transaction

_LISTED = 50


class FunctionOperations(Base):
    """CreateFunction and its like."""

    async def create_function(self, context: RequestContext, params: Params) -> Result:
        """CreateFunction."""
        reference = self._reference(context, params, "CreateFunction")
        chosen = settings.create(reference.name, params)
        tags = dict(params.get("Tags") or {})
        check_tags(tags)
        await self._check_role(context, reference, params)
        archive = await self._code.take(context, params["Code"])
        revision, build = self._ids.uuid(), self._ids.uuid()

        await leaving.over(self._store, reference)
        signing = params.get("CodeSigningConfigArn")
        deployed = [reference.name, *(params.get("Layers") or ())]

        async def body(tx: Transaction) -> tuple[Function, Version, bool]:
            own = {**chosen, **await referenced(tx, context, params.get("Layers"))}
            unsigned = await code_signing.check(tx, context, signing, deployed)
            function = Function(
                latest=Version(
                    number=LATEST,
                    settings=own,
                    sha256=archive.sha256,
                    size=archive.size,
                    modified=tx.now,
                    revision=revision,
                    build=build,
                ),
                tags=tags,
                code_signing=signing,
            )
            await leaving.check_over(tx, reference)
            await records.create_function(tx, reference, function)
            await _link(tx, reference, archive)
            if not params.get("Publish"):
                return function, function.latest, unsigned
            version = await publish(tx, self._ids, reference, function)
            await records.put_function(tx, reference, function)
            return function, version, unsigned

        function, version, unsigned = await self._store.transact(body)
        self._warn(reference, unsigned)
        self._lanes.serve(reference)
        self._durable.follow(reference, function)
        self._lanes.prepare(chosen["Runtime"])
        await self._take_snapshot(reference, version)
        return describe.configuration(
            reference, version, qualified=version.number != LATEST, creating=True
        )

    def _warn(self, reference: Reference, unsigned: bool) -> None:
        """Count a deployment that its code signing configuration warns of."""
        if unsigned:
            self._runner.figures.count(reference, code_signing.UNSIGNED)

    async def _take_snapshot(self, reference: Reference, version: Version) -> None:
        if version.number != LATEST:
            await self._keeping.take_snapshot(reference, version.number)

    async def update_function_code(self, context: RequestContext, params: Params) -> Result:
        """UpdateFunctionCode."""
        reference = self._latest_reference(context, params, "UpdateFunctionCode")
        if "ImageUri" in params:
            raise errors.invalid(
                "Please don't provide ImageUri when updating a function with packageType Zip."
            )
        present = await self._store.transact(lambda tx: records.get_function(tx, reference))
        records.require_revision(params.get("RevisionId"), present.latest.revision)
        archive = await self._code.take(context, params)
        revision, build = self._ids.uuid(), self._ids.uuid()

        async def body(tx: Transaction) -> tuple[Version, bool]:
            function = await records.get_function(tx, reference)
            records.require_revision(params.get("RevisionId"), function.latest.revision)
            unsigned = await code_signing.check(
                tx, context, function.code_signing, [reference.name]
            )
            latest = function.latest
            latest.sha256, latest.size = archive.sha256, archive.size
            latest.modified, latest.revision, latest.build = tx.now, revision, build
            if params.get("Architectures"):
                latest.settings["Architectures"] = params["Architectures"]
            if params.get("DryRun"):
                return latest, False
            await _link(tx, reference, archive)
            version = latest
            if params.get("Publish"):
                version = await publish(tx, self._ids, reference, function)
            await records.put_function(tx, reference, function)
            await records.drop_unused_code(tx, reference, function)
            return version, unsigned

        version, unsigned = await self._store.transact(body)
        self._warn(reference, unsigned)
        if not params.get("DryRun"):
            await self._runner.replaced(reference, build)
            await self._take_snapshot(reference, version)
        return describe.configuration(
            reference, version, qualified=version.number != LATEST, updating=True
        )

    async def update_function_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        """UpdateFunctionConfiguration."""
        reference = self._latest_reference(context, params, "UpdateFunctionConfiguration")
        settings.check(params)
        await self._check_role(context, reference, params)
        revision, build = self._ids.uuid(), self._ids.uuid()

        async def body(tx: Transaction) -> tuple[Version, bool]:
            function = await records.get_function(tx, reference)
            latest = function.latest
            records.require_revision(params.get("RevisionId"), latest.revision)
            had = {layer["Arn"] for layer in latest.settings.get("Layers", ())}
            added = [arn for arn in params.get("Layers") or () if arn not in had]
            unsigned = await code_signing.check(tx, context, function.code_signing, added)
            before = msgspec.structs.replace(latest)
            latest.settings = settings.update(reference.name, latest.settings, params)
            if "Layers" in params:
                latest.settings.pop("Layers", None)
                latest.settings.update(await referenced(tx, context, params["Layers"]))
            latest.modified, latest.revision, latest.build = tx.now, revision, build
            await records.put_function(tx, reference, function)
            if "Layers" in params:
                await layer_keeping.release(tx, [before])
            return latest, unsigned

        version, unsigned = await self._store.transact(body)
        self._warn(reference, unsigned)
        await self._runner.replaced(reference, build)
        self._lanes.prepare(version.settings["Runtime"])
        return describe.configuration(reference, version, updating=True)

    async def _check_role(
        self, context: RequestContext, reference: Reference, params: Params
    ) -> None:
        """In server mode, Lambda must be able to act as the role, and the role to send to the
        dead-letter queue; local mode trusts everyone."""
        if not self._platform.settings.auth:
            return
        registry = self._platform.registry
        if "Role" in params:
            await roles.require_assumable(registry, context, params["Role"], reference.arn)
        target = params.get("DeadLetterConfig", {}).get("TargetArn")
        if target:
            role = params.get("Role") or await self._role_of(reference)
            await role_permissions.require_dead_letters(registry, context, role, target)

    async def get_function(self, context: RequestContext, params: Params) -> Result:
        """GetFunction."""
        reference = self._reference(context, params, "GetFunction")

        async def body(tx: Transaction) -> tuple[Function, Version]:
            function = await records.get_function(tx, reference)
            return function, await records.resolve(tx, reference, function)

        function, version = await self._store.transact(body)
        result: dict[str, Any] = {
            "Configuration": describe.configuration(
                reference,
                version,
                qualified=reference.qualifier is not None,
            ),
            "Code": {
                "RepositoryType": "S3",
                "Location": self._downloads.function_url(context, reference, version),
            },
        }
        if function.tags:
            result["Tags"] = function.tags
        if function.reserved is not None:
            result["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
        return result

    async def get_function_configuration(self, context: RequestContext, params: Params) -> Result:
        """GetFunctionConfiguration."""
        reference = self._reference(context, params, "GetFunctionConfiguration")

        async def body(tx: Transaction) -> Version:
            function = await records.get_function(tx, reference)
            return await records.resolve(tx, reference, function)

        version = await self._store.transact(body)
        return describe.configuration(reference, version, qualified=reference.qualifier is not None)

    async def own_settings(self, context: RequestContext, params: Params) -> Result:
        """What only Lambent has a setting for, of $LATEST; no operation of AWS's API."""
        reference = self._reference(context, params, "GetFunctionConfiguration")
        function = await self._store.transact(lambda tx: records.get_function(tx, reference))
        return own_settings.of(function.latest.settings)

    async def list_functions(self, context: RequestContext, params: Params) -> Result:
        """ListFunctions."""
        everything = params.get("FunctionVersion") == "ALL"

        async def body(tx: Transaction) -> tuple[list[dict[str, Any]], str | None]:
            stored = await tx.scan(
                records.FUNCTIONS, records.place(context.account, context.region)
            )
            shown: list[dict[str, Any]] = []
            for record in stored:
                reference = Reference(context.account, context.region, record.sort.decode())
                function = records.decode(record, Function)
                shown.append(describe.listed(reference, function.latest, qualified=everything))
                if everything:
                    shown += [
                        describe.listed(reference, version, qualified=True)
                        for version in await records.versions(tx, reference)
                    ]
            return paging.page(
                sorted(shown, key=_order),
                _order,
                params.get("Marker"),
                params.get("MaxItems"),
                _LISTED,
            )

        functions, marker = await self._store.transact(body)
        return {"Functions": functions, "NextMarker": marker}

    async def delete_function(self, context: RequestContext, params: Params) -> Result:
        """DeleteFunction: all of it, or one published version."""
        reference = self._reference(context, params, "DeleteFunction")
        number = reference.qualifier
        if number == LATEST:
            raise errors.invalid("$LATEST version cannot be deleted without deleting the function.")

        async def body(tx: Transaction) -> None:
            function = await records.get_function(tx, reference)
            if number is None:
                await records.delete_function(tx, reference)
                await leaving.leave(tx, reference)
                await layer_keeping.release(tx, [function.latest])
                return
            if not number.isdigit():
                raise errors.invalid("Deletion of aliases is not currently supported.")
            for name, alias in function.aliases.items():
                if number == alias.version or number in alias.weights:
                    raise errors.conflict(
                        f"Version {number} is currently referenced by alias {name}; "
                        "it cannot be deleted."
                    )
            if function.provisioned.pop(number, None) is not None:
                await records.put_function(tx, reference, function)
            version = await records.find_version(tx, reference, number)
            if version is not None:
                await records.delete_version(tx, reference, number)
                await layer_keeping.release(tx, [version])
                await records.drop_unused_code(tx, reference, function)

        await self._store.transact(body)
        if number is None:
            self._lanes.forget(reference)
            self._durable.forget(reference)
            await self._runner.replaced(reference, None)
        else:
            await self._platform.host.retire(f"{reference.arn}:{number}")
        return {"StatusCode": 204}


def _order(shown: dict[str, Any]) -> str:
    number = shown["Version"]
    return f"{shown['FunctionName']}:{'' if number == LATEST else number.zfill(8)}"


async def _link(tx: Transaction, reference: Reference, archive: Archive) -> None:
    """Make the archive the function's own, unless it has an equal one."""
    if await records.find_code(tx, reference, archive.sha256) is None:
        await tx.link_blob(archive.blob)
        await records.put_code(tx, reference, archive.sha256, Code(archive.blob.id, archive.size))
