"""What is stored of Lambda: functions, published versions, event source mappings.

| collection | partition | sort |
| --- | --- | --- |
| lambda.functions | account/region | name |
| lambda.versions | account/region/name | number, in eight digits |
| lambda.code | account/region/name | SHA-256 of the archive, hexadecimal |
| lambda.mappings | account/region | UUID |
| lambda.urls | id | empty |
| lambda.layers | account/region/name | version, in eight digits |
| lambda.layers-kept | account/region/name | version, in eight digits |
| lambda.code-signing | account/region | ARN |

Configurations are kept by the API's own member names, so that what was set is what is shown.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Snapshot(msgspec.Struct, frozen=True):
    """How far a version's snapshot is: "Pending", "Active" or "Failed", and why."""

    state: str
    code: str = ""
    reason: str = ""


class Version(msgspec.Struct, kw_only=True):
    """One version of a function; "$LATEST" is the one that changes.

    `settings` holds the members of FunctionConfiguration that callers set. `build` changes
    with every change of code or settings; `revision` (the API's RevisionId) with those of
    the resource policy too. `modified` in seconds since the epoch. A version with SnapStart has
    a `snapshot`.
    """

    number: str
    settings: dict[str, Any]
    sha256: str
    size: int
    modified: float
    revision: str
    build: str
    snapshot: Snapshot | None = None


class Alias(msgspec.Struct, kw_only=True):
    """A name for a version, and optionally a share of the calls for a second one."""

    version: str
    description: str = ""
    weights: dict[str, float] = {}
    revision: str


class Url(msgspec.Struct, kw_only=True):
    """A function URL: the members of its configuration. Times in seconds since the epoch."""

    id: str
    auth: str
    mode: str
    cors: dict[str, Any] | None = None
    created: float
    modified: float


class Provisioned(msgspec.Struct, kw_only=True):
    """How many environments an alias or version has ready. `modified` in seconds since the
    epoch."""

    requested: int
    modified: float


class Function(msgspec.Struct, kw_only=True):
    """A function with all that belongs to it but its published versions.

    `policies` (their statements), `policy_heads`, `retries` (EventInvokeConfigs), `urls`,
    `provisioned` and `runtime_updates` are by qualifier, "$LATEST" for none.
    `published` counts versions ever published.
    """

    latest: Version
    published: int = 0
    aliases: dict[str, Alias] = {}
    policies: dict[str, list[dict[str, Any]]] = {}
    policy_heads: dict[str, dict[str, Any]] = {}
    """What policies that were put as a whole have beside their statements."""
    retries: dict[str, dict[str, Any]] = {}
    urls: dict[str, Url] = {}
    reserved: int | None = None
    tags: dict[str, str] = {}
    recursive: str = "Terminate"
    runtime_updates: dict[str, dict[str, Any]] = {}
    provisioned: dict[str, Provisioned] = {}
    code_signing: str | None = None
    """The ARN of its code signing configuration."""
    flow: dict[str, Any] = {}
    parked: str | None = None
    """As a mapping's, for its asynchronous invocations (`flow_subjects`)."""


class Code(msgspec.Struct):
    """An archive: the blob that holds it, and its size in bytes."""

    blob: str
    size: int


class Mapping(msgspec.Struct, kw_only=True):
    """An event source mapping. `settings` are members of EventSourceMappingConfiguration.

    `function` and `source` are ARNs, the function's with the qualifier it was given. `flow`
    is the document of its flow control (`events.flow.settings`), `parked` why it was parked,
    `idempotency` what makes a duplicate (`events.once`).
    """

    uuid: str
    source: str
    function: str
    settings: dict[str, Any]
    enabled: bool
    modified: float
    tags: dict[str, str] = {}
    flow: dict[str, Any] = {}
    idempotency: dict[str, Any] = {}
    parked: str | None = None


class Layer(msgspec.Struct, kw_only=True):
    """One version of a layer. `policy` are the statements of its resource policy, `revision`
    its RevisionId."""

    policy: list[dict[str, Any]] = []
    revision: str = ""

    number: int
    description: str
    created: float
    blob: str
    sha256: str
    size: int
    runtimes: list[str] = []
    architectures: list[str] = []
    license: str = ""


class CodeSigning(msgspec.Struct, kw_only=True):
    """A code signing configuration: who may have signed (ARNs of versions of signing profiles),
    and whether other code is refused ("Enforce") or only warned of ("Warn"). `modified` in
    seconds since the epoch."""

    publishers: list[str]
    policy: str = "Warn"
    description: str = ""
    modified: float
    tags: dict[str, str] = {}
