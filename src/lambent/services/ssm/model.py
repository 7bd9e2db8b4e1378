"""What the Parameter Store keeps: a parameter with its versions."""

from __future__ import annotations

import msgspec

COLLECTION = "ssm.parameters"
MAX_VERSIONS = 100


class Version(msgspec.Struct, frozen=True, array_like=True):
    """One version of a parameter. `modified` in seconds since the epoch."""

    number: int
    value: str
    type: str
    modified: float
    user: str
    tier: str = "Standard"
    data_type: str = "text"
    description: str | None = None
    pattern: str | None = None
    key: str | None = None
    labels: list[str] = []
    policies: str | None = None


class Parameter(msgspec.Struct, frozen=True, array_like=True):
    """A parameter; `versions` from the oldest that is kept to the latest."""

    name: str
    versions: list[Version]
    tags: dict[str, str] = {}

    @property
    def latest(self) -> Version:
        return self.versions[-1]


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Parameter).decode
