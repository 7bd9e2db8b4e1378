"""The operations of Secrets Manager."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.services.secretsmanager import passwords
from lambent.services.secretsmanager.model import (
    COLLECTION,
    CURRENT,
    Secret,
    Version,
    decode,
    encode,
    moved,
    with_version,
)
from lambent.store.contract import Store, Transaction

DAY = 86_400.0
DEFAULT_WINDOW = 30
_NAME = re.compile(r"[A-Za-z0-9/_+=.@!-]{1,512}\Z")
_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}\Z")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _not_found() -> AwsError:
    return AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")


def _marked() -> AwsError:
    return AwsError(
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.",
    )


def _partition(context: RequestContext) -> bytes:
    return f"{context.account}/{context.region}".encode()


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
        _check_one_value(params)
        token = params.get("ClientRequestToken") or self._ids.uuid()
        has_value = "SecretString" in params or "SecretBinary" in params
        suffix = self._ids.token(6, _ALPHABET)

        async def body(tx: Transaction) -> Secret:
            existing = await self._find(tx, context, name)
            if existing is not None and _expired(existing, tx.now):
                existing = None
            if existing is not None:
                return _same_creation(existing, params, token)
            secret = Secret(
                name=name,
                arn=context.arn("secretsmanager", f"secret:{name}-{suffix}"),
                created=tx.now,
                changed=tx.now,
                description=params.get("Description"),
                key=params.get("KmsKeyId"),
                tags={tag.get("Key", ""): tag.get("Value", "") for tag in params.get("Tags") or ()},
                versions=with_version([], _version(params, token, tx.now), [CURRENT])
                if has_value
                else [],
            )
            await self._save(tx, context, secret)
            return secret

        secret = await self._store.transact(body)
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": token if has_value else None,
        }

    async def describe_secret(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> Result:
            secret = await self._get(tx, context, params["SecretId"])
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
            start = after.encode() + b"\x00" if after else b""
            records = await tx.scan(COLLECTION, _partition(context), start=start)
            secrets = [decode(record.value) for record in records]
            kept = [
                secret
                for secret in secrets
                if not _expired(secret, tx.now)
                and (planned or secret.deleted is None)
                and all(_matches(secret, item) for item in params.get("Filters") or ())
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
        _check_one_value(params)
        has_value = "SecretString" in params or "SecretBinary" in params
        token = params.get("ClientRequestToken") or self._ids.uuid()

        async def body(tx: Transaction) -> Secret:
            secret = await self._live(tx, context, params["SecretId"])
            updated = msgspec.structs.replace(
                secret,
                changed=tx.now,
                description=params.get("Description", secret.description),
                key=params.get("KmsKeyId", secret.key),
            )
            if has_value:
                updated = _put(updated, params, token, [CURRENT], tx.now)
            await self._save(tx, context, updated)
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
                secret = await self._get(tx, context, params["SecretId"])
            except AwsError:
                if not force:
                    raise
                # A forced deletion of what is gone succeeds, so that it can be retried.
                return _never_was(context, params["SecretId"], tx.now)
            if secret.deleted is not None and not force:
                raise _marked()
            at = tx.now if force else tx.now + (days or DEFAULT_WINDOW) * DAY
            if force:
                await tx.delete(COLLECTION, _partition(context), secret.name.encode())
            else:
                await self._save(
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
            secret = await self._live(tx, context, params["SecretId"])
            return _value(secret, params.get("VersionId"), params.get("VersionStage"))

        return await self._store.transact(body)

    async def batch_get_secret_value(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> Result:
            identifiers = params.get("SecretIdList")
            if identifiers is None:
                records = await tx.scan(COLLECTION, _partition(context))
                secrets = [decode(record.value) for record in records]
                identifiers = [
                    secret.name
                    for secret in secrets
                    if all(_matches(secret, item) for item in params.get("Filters") or ())
                ]
            values: list[Result] = []
            failed: list[dict[str, str]] = []
            for identifier in identifiers:
                try:
                    values.append(_value(await self._live(tx, context, identifier), None, None))
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
        _check_one_value(params)
        if "SecretString" not in params and "SecretBinary" not in params:
            raise AwsError(
                "InvalidRequestException", "You must provide either SecretString or SecretBinary."
            )

        async def body(tx: Transaction) -> Secret:
            secret = await self._live(tx, context, params["SecretId"])
            updated = _put(secret, params, token, stages, tx.now)
            await self._save(tx, context, msgspec.structs.replace(updated, changed=tx.now))
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
            secret = await self._get(tx, context, params["SecretId"])
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
            return msgspec.structs.replace(secret, versions=moved(secret.versions, stage, to))

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
            secret = await self._get(tx, context, params["SecretId"])
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
            find = self._live if live else self._get
            secret = change(await find(tx, context, params["SecretId"]), tx.now)
            await self._save(tx, context, secret)
            return {"ARN": secret.arn, "Name": secret.name}

        return await self._store.transact(body)

    async def _find(self, tx: Transaction, context: RequestContext, name: str) -> Secret | None:
        record = await tx.get(COLLECTION, _partition(context), name.encode())
        return decode(record.value) if record else None

    async def _get(self, tx: Transaction, context: RequestContext, identifier: str) -> Secret:
        """The secret of a name, ARN, or ARN without its random suffix."""
        secret = None
        if identifier.startswith("arn:"):
            resource = identifier.split(":", 6)[-1]
            secret = await self._find(tx, context, _SUFFIX.sub("", resource))
            if secret is None or secret.arn != identifier:
                # An ARN without its suffix; one with a wrong suffix finds nothing.
                secret = await self._find(tx, context, resource)
        else:
            secret = await self._find(tx, context, identifier)
        if secret is None or _expired(secret, tx.now):
            raise _not_found()
        return secret

    async def _live(self, tx: Transaction, context: RequestContext, identifier: str) -> Secret:
        secret = await self._get(tx, context, identifier)
        if secret.deleted is not None:
            raise _marked()
        return secret

    async def _save(self, tx: Transaction, context: RequestContext, secret: Secret) -> None:
        await tx.put(COLLECTION, _partition(context), secret.name.encode(), encode(secret))


def _expired(secret: Secret, now: float) -> bool:
    return secret.purge is not None and secret.purge <= now


def _check_one_value(params: Params) -> None:
    if "SecretString" in params and "SecretBinary" in params:
        raise AwsError(
            "InvalidParameterException",
            "You can't specify both a binary secret value and a string secret value in the same "
            "secret.",
        )


def _never_was(context: RequestContext, identifier: str, now: float) -> Result:
    """The answer to a forced deletion of a secret that does not exist."""
    if identifier.startswith("arn:"):
        arn, name = identifier, _SUFFIX.sub("", identifier.split(":", 6)[-1])
    else:
        arn, name = context.arn("secretsmanager", f"secret:{identifier}"), identifier
    return {"ARN": arn, "Name": name, "DeletionDate": now}


def _version(params: Params, token: str, now: float) -> Version:
    return Version(token, now, params.get("SecretString"), params.get("SecretBinary"))


def _same_creation(existing: Secret, params: Params, token: str) -> Secret:
    """A repeated request with the same token and value is answered as the first was."""
    if existing.deleted is not None:
        raise AwsError(
            "InvalidRequestException",
            "You can't create this secret because a secret with this name is already scheduled "
            "for deletion.",
        )
    version = next((v for v in existing.versions if v.id == token), None)
    if version is None or (version.text, version.binary) != (
        params.get("SecretString"),
        params.get("SecretBinary"),
    ):
        raise AwsError(
            "ResourceExistsException",
            f"The operation failed because the secret {existing.name} already exists.",
        )
    return existing


def _put(secret: Secret, params: Params, token: str, stages: Sequence[str], now: float) -> Secret:
    version = _version(params, token, now)
    existing = next((v for v in secret.versions if v.id == token), None)
    if existing is not None:
        if (existing.text, existing.binary) != (version.text, version.binary):
            raise AwsError(
                "ResourceExistsException",
                f"You can't use ClientRequestToken {token} because that value is already in use "
                "for a version of this secret.",
            )
        return secret
    if not secret.versions and CURRENT not in stages:
        stages = [*stages, CURRENT]
    return msgspec.structs.replace(secret, versions=with_version(secret.versions, version, stages))


def _value(secret: Secret, version_id: str | None, stage: str | None) -> dict[str, Any]:
    wanted = stage or (None if version_id else CURRENT)
    for version in secret.versions:
        if (version_id is None or version.id == version_id) and (
            wanted is None or wanted in version.stages
        ):
            return {
                "ARN": secret.arn,
                "Name": secret.name,
                "VersionId": version.id,
                "SecretString": version.text,
                "SecretBinary": version.binary,
                "VersionStages": version.stages,
                "CreatedDate": version.created,
            }
    what = f"staging label: {wanted}" if version_id is None else f"VersionId: {version_id}"
    raise AwsError(
        "ResourceNotFoundException",
        f"Secrets Manager can't find the specified secret value for {what}",
    )


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


def _matches(secret: Secret, item: Mapping[str, Any]) -> bool:
    candidates = {
        "name": [secret.name],
        "description": [secret.description or ""],
        "tag-key": list(secret.tags),
        "tag-value": list(secret.tags.values()),
        "all": [secret.name, secret.description or "", *secret.tags, *secret.tags.values()],
    }.get(item.get("Key") or "all")
    if candidates is None:
        return False
    values = item.get("Values") or []
    negative = [value[1:] for value in values if value.startswith("!")]
    positive = [value for value in values if not value.startswith("!")]
    if any(candidate.startswith(value) for candidate in candidates for value in negative):
        return False
    return not positive or any(
        candidate.startswith(value) for candidate in candidates for value in positive
    )
