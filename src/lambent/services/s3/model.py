"""What S3 stores, and under which keys.

| collection | partition | sort | value |
| --- | --- | --- | --- |
| `s3.buckets` | bucket name | | `Bucket` (names are global over all accounts) |
| `s3.owned` | account | bucket name | `Owned` |
| `s3.settings` | bucket id | kind of setting | the setting's document, JSON |
| `s3.objects` | bucket id | key | `Version`: the current one, if it is not a delete marker |
| `s3.versions` | bucket id | key, newest first | `Version`: earlier ones and delete markers |
| `s3.null` | bucket id | key | sort in `s3.versions` of the key's null version |
| `s3.uploads` | bucket id | key, oldest first | `Upload`: multipart uploads in progress |
| `s3.parts` | upload id | part number | `Part` |

So a listing reads one collection in key order and never meets an old version. A bucket's id
is new with every creation: nothing of an earlier bucket of that name can shine through.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Final, TypeVar

import msgspec

BUCKETS: Final = "s3.buckets"
OWNED: Final = "s3.owned"
SETTINGS: Final = "s3.settings"
OBJECTS: Final = "s3.objects"
VERSIONS: Final = "s3.versions"
NULLS: Final = "s3.null"
UPLOADS: Final = "s3.uploads"
PARTS: Final = "s3.parts"

NULL_VERSION: Final = "null"
ENABLED: Final = "Enabled"
SUSPENDED: Final = "Suspended"

S = TypeVar("S", bound=msgspec.Struct)
_encoder = msgspec.msgpack.Encoder()
_LAST: Final = (1 << 64) - 1
_VERSION_ALPHABET = bytes.maketrans(b"+/", b"._")
_VERSION_ALPHABET_BACK = bytes.maketrans(b"._", b"+/")


class Rule(msgspec.Struct, omit_defaults=True, frozen=True):
    """One notification: which events of which keys go to which ARN."""

    id: str
    arn: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""
    filters: tuple[str, ...] = ()
    """Which of Prefix and Suffix the configuration spelled out, in its order."""


class Bucket(msgspec.Struct, omit_defaults=True, frozen=True):
    """A bucket with the settings that most requests need.

    `created` in seconds since the epoch. `versioning` is "", "Enabled" or "Suspended".
    `ownership` is "" until the account chose one.
    """

    name: str
    id: str
    account: str
    region: str
    created: float
    versioning: str = ""
    object_lock: bool = False
    ownership: str = ""
    grants: tuple[tuple[str, str], ...] = ()
    encryption: str = "AES256"
    kms_key: str = ""
    bucket_key: bool = False
    customer_keys_blocked: bool = False
    rules: tuple[Rule, ...] = ()
    event_bridge: bool = False
    policy: bool = False
    """Whether there is a bucket policy among the settings."""
    default_retention: tuple[str, int, str] | None = None
    """Object lock's default: mode, number, "Days" or "Years"."""
    mfa_delete: str = ""
    """Whether removing versions takes MFA: "Enabled" or "Disabled", and "" until it was said."""
    lifecycle: str = ""
    """Names the lifecycle configuration that is in force; "" without one."""

    @property
    def arn(self) -> str:
        """The bucket's ARN."""
        return f"arn:aws:s3:::{self.name}"

    @property
    def key(self) -> bytes:
        """The partition of everything in the bucket."""
        return self.id.encode()


class Owned(msgspec.Struct, frozen=True):
    """A line of ListBuckets."""

    region: str
    created: float


class Part(msgspec.Struct, omit_defaults=True, frozen=True):
    """A stretch of an object's bytes: the whole of it, or an uploaded part.

    `blob` is "" for no bytes. `etag` is hexadecimal, `checksum` base64.
    """

    number: int
    size: int
    blob: str
    etag: str = ""
    modified: float = 0.0
    checksum: str = ""
    algorithm: str = ""


class Details(msgspec.Struct, omit_defaults=True, frozen=True):
    """What an uploader says of an object beside its bytes.

    `headers` are the content headers by their botocore member names, Expires in seconds
    since the epoch. `encryption` holds the server-side encryption members that are echoed.
    """

    headers: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    storage_class: str = "STANDARD"
    encryption: dict[str, Any] = {}
    customer_key: str = ""
    """MD5 of the key that the customer encrypts with (SSE-C); the key itself is not kept."""
    grants: tuple[tuple[str, str], ...] = ()
    owner: str = ""
    retention: tuple[str, float] | None = None
    """Object lock: mode, and until when in seconds since the epoch."""
    legal_hold: str = ""
    restored: tuple[float, float] | None = None
    """Of an archived object: from when to when it is readable, in seconds since the epoch."""


class Version(msgspec.Struct, omit_defaults=True, frozen=True):
    """One version of an object, or a delete marker.

    `seq` orders a key's versions and grows with each change. `version_id` is "" for the
    null version. `modified` in seconds since the epoch. `etag` has no quotes.
    """

    seq: int
    modified: float
    version_id: str = ""
    marker: bool = False
    size: int = 0
    etag: str = ""
    parts: tuple[Part, ...] = ()
    multipart: bool = False
    upload_id: str = ""
    algorithm: str = ""
    checksum: str = ""
    checksum_type: str = ""
    details: Details = Details()

    @property
    def shown_id(self) -> str:
        """The version id as clients see it."""
        return self.version_id or NULL_VERSION


class Upload(msgspec.Struct, omit_defaults=True, frozen=True):
    """A multipart upload in progress. `initiated` in seconds since the epoch.

    `asked` is whether the client named the checksum algorithm: then each part must come
    with one.
    """

    id: str
    initiated: float
    initiator: str
    algorithm: str
    checksum_type: str
    asked: bool
    details: Details


def pack(value: msgspec.Struct) -> bytes:
    """A struct as a record's value."""
    return _encoder.encode(value)


_decoders: dict[type[msgspec.Struct], msgspec.msgpack.Decoder[Any]] = {
    kind: msgspec.msgpack.Decoder(kind) for kind in (Bucket, Owned, Part, Version, Upload)
}


def unpack(kind: type[S], value: bytes) -> S:
    """The struct in a record's value."""
    result: S = _decoders[kind].decode(value)
    return result


def pack_document(document: Any) -> bytes:
    """A setting's document as a record's value."""
    return json.dumps(document, separators=(",", ":")).encode()


def unpack_document(value: bytes) -> Any:
    """What `pack_document` packed."""
    return json.loads(value)


def escape_key(key: bytes) -> bytes:
    """The key with an end mark, so that something can follow it and keys keep their order."""
    return key.replace(b"\0", b"\0\xff") + b"\0\0"


def escape_start(key: bytes) -> bytes:
    """The least sort of all escaped keys ≥ `key`: the end mark sorts before what continues."""
    return escape_key(key)[:-2]


def unescape_key(sort: bytes) -> tuple[bytes, bytes]:
    """The key in front of the end mark, and what follows it."""
    start = 0
    while True:
        end = sort.index(b"\0", start)
        if sort[end + 1] == 0:
            return sort[:end].replace(b"\0\xff", b"\0"), sort[end + 2 :]
        start = end + 2


def version_sort(key: bytes, seq: int) -> bytes:
    """Where a version lies in `s3.versions`: by key, newest first."""
    return escape_key(key) + (_LAST - seq).to_bytes(8, "big")


def upload_sort(key: bytes, upload_id: str) -> bytes:
    """Where an upload lies in `s3.uploads`: by key, oldest first."""
    return escape_key(key) + upload_id.encode()


def make_version_id(seq: int, salt: bytes) -> str:
    """A version id of 32 characters that tells where the version lies; `salt` is 16 bytes."""
    mask = int.from_bytes(salt[:8], "big")
    return (
        base64.b64encode(salt[:16] + (seq ^ mask).to_bytes(8, "big"))
        .translate(_VERSION_ALPHABET)
        .decode()
    )


def version_seq(version_id: str) -> int | None:
    """The `seq` in a version id; None for what is no version id of ours."""
    try:
        raw = base64.b64decode(
            version_id.encode("ascii").translate(_VERSION_ALPHABET_BACK), validate=True
        )
    except ValueError:
        return None
    if len(raw) != 24 or len(version_id) != 32:
        return None
    return int.from_bytes(raw[16:], "big") ^ int.from_bytes(raw[:8], "big")
