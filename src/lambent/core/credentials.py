"""Access keys: what one is, and how it lies in the store.

The gateway looks keys up, the IAM and STS services make and end them, the node makes the
administrator's and those of function environments. They agree here: one record per key in
`COLLECTION`, its partition the access key id, its sort key empty. Secrets are stored as they
are, since verifying a signature needs them; the data folder is readable to its owner only.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from lambent.core.ids import Ids

COLLECTION: Final = "iam.access-keys"

_ID_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_PERMANENT: Final = "AKIA"
_TEMPORARY: Final = "ASIA"
_LOCAL: Final = "local/"


class AccessKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """An access key.

    `principal` is the ARN that its requests act as; `user_id` the unique id that
    GetCallerIdentity shows ("AIDA…", "AROA…:session", the account for its root). A temporary
    key has a `session_token` and `expires` (seconds since the epoch). An inactive key is
    refused. `created` is in seconds since the epoch.
    """

    id: str
    secret: str
    account: str
    principal: str
    user_id: str
    created: float
    session_token: str = ""
    expires: float | None = None
    active: bool = True

    def __repr__(self) -> str:
        return f"AccessKey({self.id!r}, account={self.account!r}, principal={self.principal!r})"


class KeySource(Protocol):
    """Where the gateway finds keys."""

    async def find(self, access_key_id: str) -> AccessKey | None:
        """The key of that id, active or not; None when there is none."""
        ...


_decoder = msgspec.json.Decoder(AccessKey)


def local_token(role: str, session: str) -> str:
    """The session token by which, in local mode, a function's requests say that they are of a
    session of its role (an ARN). It proves nothing, as nothing there is proven."""
    return f"{_LOCAL}{role.rpartition('/')[2]}/{session}"


def local_principal(account: str, token: str) -> str | None:
    """Whom requests with such a token act as; None when it is another."""
    if not token.startswith(_LOCAL):
        return None
    return f"arn:aws:sts::{account}:assumed-role/{token.removeprefix(_LOCAL)}"


def partition(access_key_id: str) -> bytes:
    """The partition of a key's record."""
    return access_key_id.encode("utf-8")


def encode(key: AccessKey) -> bytes:
    """A key's record value."""
    return msgspec.json.encode(key)


def decode(value: bytes) -> AccessKey:
    """The key of a record value."""
    return _decoder.decode(value)


def looks_issued(access_key_id: str) -> bool:
    """Whether an id has the form of those that are made here (and by AWS)."""
    return len(access_key_id) == 20 and access_key_id.startswith((_PERMANENT, _TEMPORARY))


def permanent(ids: Ids, now: float, account: str, principal: str, user_id: str) -> AccessKey:
    """A new key without an end."""
    return AccessKey(
        id=_PERMANENT + ids.token(16, _ID_ALPHABET),
        secret=ids.token(40, _LETTERS),
        account=account,
        principal=principal,
        user_id=user_id,
        created=now,
    )


def temporary(
    ids: Ids, now: float, seconds: float, account: str, principal: str, user_id: str
) -> AccessKey:
    """A new key with a session token, which ends `seconds` from now."""
    return AccessKey(
        id=_TEMPORARY + ids.token(16, _ID_ALPHABET),
        secret=ids.token(40, _LETTERS),
        account=account,
        principal=principal,
        user_id=user_id,
        created=now,
        session_token=ids.token(344, _LETTERS),
        expires=now + seconds,
    )
