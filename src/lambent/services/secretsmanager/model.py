"""What Secrets Manager keeps."""

from __future__ import annotations

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
