"""The versions of a secret: which there are after a change, and which one is asked for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lambent.core.context import Params
from lambent.core.errors import AwsError
from lambent.services.secretsmanager.model import CURRENT, PREVIOUS, Secret, Version


def with_version(
    versions: Sequence[Version], version: Version, stages: Sequence[str]
) -> list[Version]:
    """The versions once `version` was added and carries `stages`.

    A label lies on one version only. Where AWSCURRENT moves, the version that had it
    becomes AWSPREVIOUS; a version that loses its last label is deprecated and dropped.
    Source: Secrets Manager user guide, "What's in a Secrets Manager secret?".
    """
    added = [*[v for v in versions if v.id != version.id], version]
    for stage in stages:
        added = moved(added, stage, version.id)
    return [v for v in added if v.stages or v.id == version.id]


def moved(versions: Sequence[Version], stage: str, to: str | None) -> list[Version]:
    """The versions once `stage` lies on version `to` (None: on no version)."""
    holder = next((v.id for v in versions if stage in v.stages), None)
    result: list[Version] = []
    for version in versions:
        stages = [label for label in version.stages if label != stage]
        if version.id == to:
            stages.append(stage)
        if stage == CURRENT and to is not None and holder is not None and holder != to:
            stages = [label for label in stages if label != PREVIOUS]
            if version.id == holder:
                stages.append(PREVIOUS)
        result.append(msgspec.structs.replace(version, stages=stages))
    return result


def check_one_value(params: Params) -> None:
    """AwsError where a request gives a secret two values."""
    if "SecretString" in params and "SecretBinary" in params:
        raise AwsError(
            "InvalidParameterException",
            "You can't specify both a binary secret value and a string secret value in the same "
            "secret.",
        )


def version(params: Params, token: str, now: float) -> Version:
    """The version that a request asks for."""
    return Version(token, now, params.get("SecretString"), params.get("SecretBinary"))


def same_creation(existing: Secret, params: Params, token: str) -> Secret:
    """A repeated request with the same token and value is answered as the first was."""
    if existing.deleted is not None:
        raise AwsError(
            "InvalidRequestException",
            "You can't create this secret because a secret with this name is already scheduled "
            "for deletion.",
        )
    made = next((v for v in existing.versions if v.id == token), None)
    if made is None or (made.text, made.binary) != (
        params.get("SecretString"),
        params.get("SecretBinary"),
    ):
        raise AwsError(
            "ResourceExistsException",
            f"The operation failed because the secret {existing.name} already exists.",
        )
    return existing


def put(secret: Secret, params: Params, token: str, stages: Sequence[str], now: float) -> Secret:
    """The secret with the version that a request asks for; one said again changes nothing."""
    made = version(params, token, now)
    existing = next((v for v in secret.versions if v.id == token), None)
    if existing is not None:
        if (existing.text, existing.binary) != (made.text, made.binary):
            raise AwsError(
                "ResourceExistsException",
                f"You can't use ClientRequestToken {token} because that value is already in use "
                "for a version of this secret.",
            )
        return secret
    if not secret.versions and CURRENT not in stages:
        stages = [*stages, CURRENT]
    return msgspec.structs.replace(secret, versions=with_version(secret.versions, made, stages))


def value(secret: Secret, version_id: str | None, stage: str | None) -> dict[str, Any]:
    """What a version holds: that of an id, of a staging label, or the current one."""
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
