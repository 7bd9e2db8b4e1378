"""What Secrets Manager keeps, and how staging labels move. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

COLLECTION = "secretsmanager.secrets"
CURRENT = "AWSCURRENT"
PREVIOUS = "AWSPREVIOUS"


class Version(msgspec.Struct, frozen=True, array_like=True):
    """One version of a secret; it has either text or bytes. Times in seconds."""

    id: str
    created: float
    text: str | None = None
    binary: bytes | None = None
    stages: list[str] = []


class Secret(msgspec.Struct, frozen=True, array_like=True):
    """A secret. `deleted` is when deletion was asked for, `purge` when it becomes final."""

    name: str
    arn: str
    created: float
    changed: float
    description: str | None = None
    key: str | None = None
    tags: dict[str, str] = {}
    versions: list[Version] = []
    policy: str | None = None
    deleted: float | None = None
    purge: float | None = None
    rotation_lambda: str | None = None
    rotation_days: int | None = None


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Secret).decode


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
