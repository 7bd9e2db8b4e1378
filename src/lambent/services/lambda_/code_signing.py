"""Code signing configurations: what may be deployed to a function that has one.

Signatures are AWS Signer's, which is not here: no code counts as signed by an allowed
publisher, whatever its archive holds. A configuration that warns lets it pass and counts it, one
that enforces refuses it. Source: Lambda API Reference, CreateCodeSigningConfig and its like;
Lambda Developer Guide, "Using code signing to verify code integrity with Lambda".
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import Any

from lambent.core.context import Params, RequestContext, Result
from lambent.services.lambda_ import describe, errors, paging, records
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.model import CodeSigning, Function
from lambent.services.lambda_.names import Reference
from lambent.services.lambda_.tags import check_tags
from lambent.store.contract import Transaction

UNSIGNED = "unsigned"
"""What a deployment that was only warned of counts as (`function_figures`)."""
_ID_LENGTH = 17
_LISTED = 10_000


async def check(
    tx: Transaction, context: RequestContext, arn: str | None, deployed: Iterable[str]
) -> bool:
    """Whether a deployment to a function with this configuration (None: without any) has to be
    warned of. `deployed` are the function's name, if its code is new, and new layers' ARNs.

    CodeVerificationFailedException when it must not be; CodeSigningConfigNotFoundException
    when there is no such configuration.
    """
    first = next(iter(deployed), None)
    if arn is None:
        return False
    config = await find(tx, context, arn)
    if first is not None and config.policy == "Enforce":
        raise errors.unsigned(first)
    return first is not None


async def find(tx: Transaction, context: RequestContext, arn: str) -> CodeSigning:
    """The configuration; CodeSigningConfigNotFoundException."""
    config = await records.find_code_signing(tx, context.account, context.region, arn)
    if config is None:
        raise errors.code_signing_not_found(arn)
    return config


class CodeSigningOperations(Base):
    """CreateCodeSigningConfig and its like."""

    async def create_code_signing_config(self, context: RequestContext, params: Params) -> Result:
        """CreateCodeSigningConfig."""
        tags = dict(params.get("Tags") or {})
        check_tags(tags)
        id = "csc-" + self._ids.token(_ID_LENGTH, string.ascii_lowercase + string.digits)
        arn = context.arn("lambda", f"code-signing-config:{id}")

        async def body(tx: Transaction) -> CodeSigning:
            config = CodeSigning(publishers=[], modified=tx.now, tags=tags)
            _change(config, params)
            await records.put_code_signing(tx, context.account, context.region, arn, config)
            return config

        return {"CodeSigningConfig": _shown(arn, await self._store.transact(body))}

    async def get_code_signing_config(self, context: RequestContext, params: Params) -> Result:
        """GetCodeSigningConfig."""
        arn = params["CodeSigningConfigArn"]
        config = await self._store.transact(lambda tx: _get(tx, context, arn))
        return {"CodeSigningConfig": _shown(arn, config)}

    async def update_code_signing_config(self, context: RequestContext, params: Params) -> Result:
        """UpdateCodeSigningConfig: what is not named stays."""
        arn = params["CodeSigningConfigArn"]

        async def body(tx: Transaction) -> CodeSigning:
            config = await _get(tx, context, arn)
            _change(config, params)
            config.modified = tx.now
            await records.put_code_signing(tx, context.account, context.region, arn, config)
            return config

        return {"CodeSigningConfig": _shown(arn, await self._store.transact(body))}

    async def delete_code_signing_config(self, context: RequestContext, params: Params) -> Result:
        """DeleteCodeSigningConfig: only if no function uses it."""
        arn = params["CodeSigningConfigArn"]

        async def body(tx: Transaction) -> None:
            await _get(tx, context, arn)
            if await _users(tx, context, arn):
                raise errors.conflict(
                    f"The code signing configuration {arn} cannot be deleted: there are functions "
                    "that use it."
                )
            await records.delete_code_signing(tx, context.account, context.region, arn)

        await self._store.transact(body)
        return None

    async def list_code_signing_configs(self, context: RequestContext, params: Params) -> Result:
        """ListCodeSigningConfigs."""
        stored = await self._store.transact(
            lambda tx: records.code_signings(tx, context.account, context.region)
        )
        configs, marker = paging.page(
            stored,
            lambda one: one[0],
            params.get("Marker"),
            params.get("MaxItems"),
            _LISTED,
        )
        return {"CodeSigningConfigs": [_shown(*one) for one in configs], "NextMarker": marker}

    async def list_functions_by_code_signing_config(
        self, context: RequestContext, params: Params
    ) -> Result:
        """ListFunctionsByCodeSigningConfig."""
        arn = params["CodeSigningConfigArn"]

        async def body(tx: Transaction) -> list[str]:
            await _get(tx, context, arn)
            return await _users(tx, context, arn)

        users, marker = paging.page(
            await self._store.transact(body),
            str,
            params.get("Marker"),
            params.get("MaxItems"),
            _LISTED,
        )
        return {"FunctionArns": users, "NextMarker": marker}

    # A function's own ----------------------------------------------------------------------

    async def put_function_code_signing_config(
        self, context: RequestContext, params: Params
    ) -> Result:
        """PutFunctionCodeSigningConfig: it counts from the next deployment on."""
        reference = self._reference(context, params, "PutFunctionCodeSigningConfig")
        arn = params["CodeSigningConfigArn"]

        async def body(tx: Transaction) -> None:
            function = await records.get_function(tx, reference)
            await find(tx, context, arn)
            function.code_signing = arn
            await records.put_function(tx, reference, function)

        await self._store.transact(body)
        return {"FunctionName": reference.name, "CodeSigningConfigArn": arn}

    async def get_function_code_signing_config(
        self, context: RequestContext, params: Params
    ) -> Result:
        """GetFunctionCodeSigningConfig: that a function has none is not an error."""
        reference = self._reference(context, params, "GetFunctionCodeSigningConfig")
        function = await self._store.transact(lambda tx: records.get_function(tx, reference))
        return {"FunctionName": reference.name, "CodeSigningConfigArn": function.code_signing}

    async def delete_function_code_signing_config(
        self, context: RequestContext, params: Params
    ) -> Result:
        """DeleteFunctionCodeSigningConfig; that a function has none is not an error."""
        reference = self._reference(context, params, "DeleteFunctionCodeSigningConfig")

        async def body(tx: Transaction) -> None:
            function = await records.get_function(tx, reference)
            if function.code_signing is not None:
                function.code_signing = None
                await records.put_function(tx, reference, function)

        await self._store.transact(body)
        return None


def _change(config: CodeSigning, params: Params) -> None:
    """Take over what a request names."""
    if "AllowedPublishers" in params:
        config.publishers = list(params["AllowedPublishers"]["SigningProfileVersionArns"])
    if "Description" in params:
        config.description = params["Description"]
    policies = params.get("CodeSigningPolicies") or {}
    config.policy = policies.get("UntrustedArtifactOnDeployment", config.policy)


async def _get(tx: Transaction, context: RequestContext, arn: str) -> CodeSigning:
    config = await records.find_code_signing(tx, context.account, context.region, arn)
    if config is None:
        raise errors.not_found(f"The Lambda code signing configuration {arn} can not be found.")
    return config


async def _users(tx: Transaction, context: RequestContext, arn: str) -> list[str]:
    """The ARNs of the functions that have the configuration, in order."""
    place = records.place(context.account, context.region)
    return [
        Reference(context.account, context.region, record.sort.decode()).arn
        for record in await tx.scan(records.FUNCTIONS, place)
        if records.decode(record, Function).code_signing == arn
    ]


def _shown(arn: str, config: CodeSigning) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "CodeSigningConfigId": arn.rpartition(":")[2],
        "CodeSigningConfigArn": arn,
        "AllowedPublishers": {"SigningProfileVersionArns": config.publishers},
        "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": config.policy},
        "LastModified": describe.timestamp(config.modified),
    }
    if config.description:
        shown["Description"] = config.description
    return shown
