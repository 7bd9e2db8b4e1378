"""The operations of Secrets Manager."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.services.secretsmanager import finding, passwords, versions
from lambent.services.secretsmanager.model import CURRENT, Secret
from lambent.store.contract import Store, Transaction

DAY = 86_400.0
DEFAULT_WINDOW = 30
_NAME = re.compile(r"[A-Za-z0-9/_+=.@!-]{1,512}\Z")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class SecretOperations:
    """Create, read, change, stage, list and delete secrets."""

    def __init__(self, store: Store, ids: Ids) -> None:
        self._store = store
        self._ids = ids

    # Secrets ---------------------------------------------------------------------------

    async def create_secret(self, context: RequestContext, params: Params) -> Result:
        name = params["Name"]
        if not _NAME.match(name):
            raise AwsError(
                "ValidationException",
                "Invalid name. Must be a valid name containing alphanumeric characters, or any "
                "of the following: -/_+=.@!",
            )
        versions.check_one_value(params)
        token = params.get("ClientRequestToken") or self._ids.uuid()
        has_value = "SecretString" in params or "SecretBinary" in params
        suffix = self._ids.token(6, _ALPHABET)

        async def body(tx: Transaction) -> Secret:
            existing = await finding.find(tx, context, name)
            if existing is not None and finding.expired(existing, tx.now):
                existing = None
            if existing is not None:
                return versions.same_creation(existing, params, token)
            secret = Secret(
                name=name,
                arn=context.arn("secretsmanager", f"secret:{name}-{suffix}"),
                created=tx.now,
                changed=tx.now,
                description=params.get("Description"),
                key=params.get("KmsKeyId"),
                tags={tag.get("Key", ""): tag.get("Value", "") for tag in params.get("Tags") or ()},
                versions=versions.with_version(
                    [], versions.version(params, token, tx.now), [CURRENT]
                )
                if has_value
                else [],
            )
            await finding.save(tx, context, secret)
            return secret

        secret = await self._store.transact(body)
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": token if has_value else None,
        }

    async def describe_secret(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> Result:
            secret = await finding.get(tx, context, params["SecretId"])
            return {
                **_wire(secret),
                "VersionIdsToStages": {v.id: v.stages for v in secret.versions if v.stages} or None,
            }

        return await self._store.transact(body)

    async def list_secrets(self, context: RequestContext, params: Params) -> Result:
        limit = params.get("MaxResults") or 100
        after = params.get("NextToken") or ""
        planned = bool(params.get("IncludePlannedDeletion"))

        async def body(tx: Transaction) -> Result:
            kept = [
                secret
                for secret in await finding.every(tx, context, after)
                if not finding.expired(secret, tx.now)
                and (planned or secret.deleted is None)
                and all(finding.matches(secret, item) for item in params.get("Filters") or ())
            ]
            if params.get("SortOrder") == "desc":
                kept.reverse()
            shown = kept[:limit]
            return {
                "SecretList": [
                    {
                        **_wire(secret),
                        "SecretVersionsToStages": {v.id: v.stages for v in secret.versions} or None,
                    }
                    for secret in shown
                ],
                "NextToken": shown[-1].name if len(kept) > limit else None,
            }

        return await self._store.transact(body)

    async def update_secret(self, context: RequestContext, params: Params) -> Result:
        versions.check_one_value(params)
        has_value = "SecretString" in params or "SecretBinary" in params
        token = params.get("ClientRequestToken") or self._ids.uuid()

        async def body(tx: Transaction) -> Secret:
            secret = await finding.live(tx, context, params["SecretId"])
            updated = msgspec.structs.replace(
                secret,
                changed=tx.now,
                description=params.get("Description", secret.description),
                key=params.get("KmsKeyId", secret.key),
            )
            if has_value:
                updated = versions.put(updated, params, token, [CURRENT], tx.now)
            await finding.save(tx, context, updated)
            return updated

        secret = await self._store.transact(body)
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": token if has_value else None,
        }

    async def delete_secret(self, context: RequestContext, params: Params) -> Result:
        force, days = (
            bool(params.get("ForceDeleteWithoutRecovery")),
            params.get("RecoveryWindowInDays"),
        )
        if force and days is not None:
            raise AwsError(
                "InvalidParameterException",
                "You can't use ForceDeleteWithoutRecovery in conjunction with "
                "RecoveryWindowInDays.",
            )
        if days is not None and not 7 <= days <= 30:
            raise AwsError(
                "InvalidParameterException",
                "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
            )

        async def body(tx: Transaction) -> Result:
            try:
                secret = await finding.get(tx, context, params["SecretId"])
            except AwsError:
                if not force:
                    raise
                # A forced deletion of what is gone succeeds, so that it can be retried.
                return _never_was(context, params["SecretId"], tx.now)
            if secret.deleted is not None and not force:
                raise finding.marked()
            at = tx.now if force else tx.now + (days or DEFAULT_WINDOW) * DAY
            if force:
                await finding.delete(tx, context, secret)
            else:
                await finding.save(
                    tx, context, msgspec.structs.replace(secret, deleted=tx.now, purge=at)
                )
            return {"ARN": secret.arn, "Name": secret.name, "DeletionDate": at}

        return await self._store.transact(body)

    async def restore_secret(self, context: RequestContext, params: Params) -> Result:
        return await self._change(
            context,
            params,
            lambda secret, _: msgspec.structs.replace(secret, deleted=None, purge=None),
            live=False,
        )

    # Values ----------------------------------------------------------------------------

    async def get_secret_value(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> Result:
            secret = await finding.live(tx, context, params["SecretId"])
            return versions.value(secret, params.get("VersionId"), params.get("VersionStage"))

        return await self._store.transact(body)

    async def batch_get_secret_value(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> Result:
            identifiers = params.get("SecretIdList")
            if identifiers is None:
                identifiers = [
                    secret.name
                    for secret in await finding.every(tx, context)
                    if all(finding.matches(secret, item) for item in params.get("Filters") or ())
                ]
            values: list[Result] = []
            failed: list[dict[str, str]] = []
            for identifier in identifiers:
                try:
                    values.append(
                        versions.value(await finding.live(tx, context, identifier), None, None)
                    )
                except AwsError as error:
                    failed.append(
                        {
                            "SecretId": identifier,
                            "ErrorCode": error.code,
                            "Message": error.message,
                        }
                    )
            return {"SecretValues": values, "Errors": failed}

        return await self._store.transact(body)

    async def put_secret_value(self, context: RequestContext, params: Params) -> Result:
        token = params.get("ClientRequestToken") or self._ids.uuid()
        stages = params.get("VersionStages") or [CURRENT]
        versions.check_one_value(params)
        if "SecretString" not in params and "SecretBinary" not in params:
            raise AwsError(
                "InvalidRequestException", "You must provide either SecretString or SecretBinary."
            )

        async def body(tx: Transaction) -> Secret:
            secret = await finding.live(tx, context, params["SecretId"])
            updated = versions.put(secret, params, token, stages, tx.now)
            await finding.save(tx, context, msgspec.structs.replace(updated, changed=tx.now))
            return updated

        secret = await self._store.transact(body)
        kept = next(version for version in secret.versions if version.id == token)
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": token,
            "VersionStages": kept.stages,
        }

    async def list_secret_version_ids(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> Result:
            secret = await finding.get(tx, context, params["SecretId"])
            return {
                "ARN": secret.arn,
                "Name": secret.name,
                "Versions": [
                    {
                        "VersionId": version.id,
                        "VersionStages": version.stages,
                        "CreatedDate": version.created,
                    }
                    for version in secret.versions
                ],
            }

        return await self._store.transact(body)

    async def update_secret_version_stage(self, context: RequestContext, params: Params) -> Result:
        stage, to = params["VersionStage"], params.get("MoveToVersionId")
        source = params.get("RemoveFromVersionId")

        def change(secret: Secret, _: float) -> Secret:
            holder = next((v.id for v in secret.versions if stage in v.stages), None)
            for id in (to, source):
                if id is not None and id not in (v.id for v in secret.versions):
                    raise AwsError(
                        "ResourceNotFoundException",
                        f"Secrets Manager can't find the specified secret value for VersionId: "
                        f"{id}",
                    )
            if holder is not None and holder not in (source, to):
                raise AwsError(
                    "InvalidParameterException",
                    f"The parameter RemoveFromVersionId can't be empty. Staging label {stage} is "
                    f"currently attached to version {holder}, so you must explicitly reference "
                    "that version in RemoveFromVersionId.",
                )
            return msgspec.structs.replace(
                secret, versions=versions.moved(secret.versions, stage, to)
            )

        return await self._change(context, params, change)

    async def get_random_password(self, context: RequestContext, params: Params) -> Result:
        return {"RandomPassword": passwords.generate(self._ids, params)}

    # Tags and policy -------------------------------------------------------------------

    async def tag_resource(self, context: RequestContext, params: Params) -> Result:
        added = {tag.get("Key", ""): tag.get("Value", "") for tag in params["Tags"]}
        await self._change(
            context,
            params,
            lambda secret, _: msgspec.structs.replace(secret, tags={**secret.tags, **added}),
        )
        return None

    async def untag_resource(self, context: RequestContext, params: Params) -> Result:
        removed = set(params["TagKeys"])

        def change(secret: Secret, _: float) -> Secret:
            tags = {key: text for key, text in secret.tags.items() if key not in removed}
            return msgspec.structs.replace(secret, tags=tags)

        await self._change(context, params, change)
        return None

    async def put_resource_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._change(
            context,
            params,
            lambda secret, _: msgspec.structs.replace(secret, policy=params["ResourcePolicy"]),
        )

    async def get_resource_policy(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> Result:
            secret = await finding.get(tx, context, params["SecretId"])
            return {"ARN": secret.arn, "Name": secret.name, "ResourcePolicy": secret.policy}

        return await self._store.transact(body)

    async def delete_resource_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._change(
            context, params, lambda secret, _: msgspec.structs.replace(secret, policy=None)
        )

    # Store -----------------------------------------------------------------------------

    async def _change(
        self,
        context: RequestContext,
        params: Params,
        change: Callable[[Secret, float], Secret],
        *,
        live: bool = True,
    ) -> Result:
        async def body(tx: Transaction) -> Result:
            find = finding.live if live else finding.get
            secret = change(await find(tx, context, params["SecretId"]), tx.now)
            await finding.save(tx, context, secret)
            return {"ARN": secret.arn, "Name": secret.name}

        return await self._store.transact(body)


def _never_was(context: RequestContext, identifier: str, now: float) -> Result:
    """The answer to a forced deletion of a secret that does not exist."""
    if identifier.startswith("arn:"):
        arn, name = identifier, finding.bare(identifier)
    else:
        arn, name = context.arn("secretsmanager", f"secret:{identifier}"), identifier
    return {"ARN": arn, "Name": name, "DeletionDate": now}


def _wire(secret: Secret) -> dict[str, Any]:
    return {
        "ARN": secret.arn,
        "Name": secret.name,
        "Description": secret.description,
        "KmsKeyId": secret.key,
        "CreatedDate": secret.created,
        "LastChangedDate": secret.changed,
        "DeletedDate": secret.deleted,
        "Tags": [{"Key": key, "Value": text} for key, text in secret.tags.items()] or None,
    }
