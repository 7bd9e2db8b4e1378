"""Where Lambda's records lie in the store. Knows keys and encodings, no rules.

Changes of functions and mappings are announced to all nodes, under their collections' names
with the key account/region/name (or UUID); see `following`.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from lambent.cluster.news import announce
from lambent.core.errors import Conflict
from lambent.services.lambda_ import errors
from lambent.services.lambda_.model import Code, CodeSigning, Function, Layer, Mapping, Version
from lambent.services.lambda_.names import LATEST, Reference
from lambent.store.contract import ABSENT, Record, Transaction

FUNCTIONS = "lambda.functions"
VERSIONS = "lambda.versions"
CODE = "lambda.code"
MAPPINGS = "lambda.mappings"
LAYERS = "lambda.layers"
LAYER_COUNTS = "lambda.layer-counts"
"""By name, how many versions a layer ever had."""
KEPT_LAYERS = "lambda.layers-kept"
URLS = "lambda.urls"
CODE_SIGNING = "lambda.code-signing"

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


def place(account: str, region: str, name: str | None = None) -> bytes:
    """A partition key."""
    parts = (account, region) if name is None else (account, region, name)
    return "/".join(parts).encode()


def _of(reference: Reference) -> bytes:
    return place(reference.account, reference.region, reference.name)


def decode(record: Record, kind: type[T]) -> T:
    """A record's value."""
    return msgspec.json.decode(record.value, type=kind)


# Functions -------------------------------------------------------------------------------


async def find_function(tx: Transaction, reference: Reference) -> Function | None:
    """The function, or None."""
    record = await find_function_record(tx, reference)
    return None if record is None else decode(record, Function)


async def function_record(tx: Transaction, reference: Reference) -> Record:
    """The function's record; ResourceNotFoundException when it is not there."""
    record = await find_function_record(tx, reference)
    if record is None:
        raise errors.function_not_found(reference.qualified)
    return record


async def find_function_record(tx: Transaction, reference: Reference) -> Record | None:
    """The function as it is stored, or None."""
    partition = place(reference.account, reference.region)
    return await tx.get(FUNCTIONS, partition, reference.name.encode())


async def get_function(tx: Transaction, reference: Reference) -> Function:
    """The function; ResourceNotFoundException when it is not there."""
    function = await find_function(tx, reference)
    if function is None:
        raise errors.function_not_found(reference.qualified)
    return function


async def create_function(tx: Transaction, reference: Reference, function: Function) -> None:
    """Store a new function; ResourceConflictException when the name is taken."""
    try:
        await tx.put(
            FUNCTIONS,
            place(reference.account, reference.region),
            reference.name.encode(),
            _encode(function),
            expect=ABSENT,
        )
    except Conflict:
        raise errors.conflict(f"Function already exist: {reference.name}") from None
    await announce(tx, FUNCTIONS, _of(reference).decode())


async def put_function(tx: Transaction, reference: Reference, function: Function) -> None:
    """Store a function again."""
    await tx.put(
        FUNCTIONS,
        place(reference.account, reference.region),
        reference.name.encode(),
        _encode(function),
    )
    await announce(tx, FUNCTIONS, _of(reference).decode())


async def all_functions(tx: Transaction) -> list[tuple[Reference, Function]]:
    """Every function of every account."""
    found = []
    for record in await tx.scan_all(FUNCTIONS):
        account, _, region = record.partition.decode().partition("/")
        reference = Reference(account, region, record.sort.decode())
        found.append((reference, decode(record, Function)))
    return found


async def delete_function(tx: Transaction, reference: Reference) -> None:
    """Remove a function and its URLs; what it holds by its name is `leaving`'s."""
    function = await find_function(tx, reference)
    for url in function.urls.values() if function else ():
        await delete_url(tx, url.id)
    await tx.delete(FUNCTIONS, place(reference.account, reference.region), reference.name.encode())
    await announce(tx, FUNCTIONS, _of(reference).decode())


# Versions --------------------------------------------------------------------------------


def _number(number: str) -> bytes:
    return number.zfill(8).encode()


async def find_version(tx: Transaction, reference: Reference, number: str) -> Version | None:
    """A published version, or None."""
    record = await tx.get(VERSIONS, _of(reference), _number(number))
    return None if record is None else decode(record, Version)


async def versions(tx: Transaction, reference: Reference) -> list[Version]:
    """All published versions, oldest first."""
    return [decode(record, Version) for record in await tx.scan(VERSIONS, _of(reference))]


async def drop_versions(tx: Transaction, reference: Reference, limit: int) -> list[Version]:
    """Remove up to so many of the published versions; those that went."""
    found = await tx.scan(VERSIONS, _of(reference), limit=limit)
    for record in found:
        await tx.delete(VERSIONS, record.partition, record.sort)
    return [decode(record, Version) for record in found]


async def put_version(tx: Transaction, reference: Reference, version: Version) -> None:
    """Store a published version."""
    await tx.put(VERSIONS, _of(reference), _number(version.number), _encode(version))


async def delete_version(tx: Transaction, reference: Reference, number: str) -> bool:
    """Remove a published version; whether there was one."""
    return await tx.delete(VERSIONS, _of(reference), _number(number))


async def resolve(
    tx: Transaction, reference: Reference, function: Function, share: float = 1.0
) -> Version:
    """The version that a reference means.

    `share` in [0, 1) picks between an alias's two versions; 1 is the one it points to.
    ResourceNotFoundException when there is no such version or alias.
    """
    qualifier = reference.qualifier
    if qualifier is None or qualifier == LATEST:
        return function.latest
    number = qualifier
    alias = function.aliases.get(qualifier)
    if alias is not None:
        number = alias.version
        for other, weight in alias.weights.items():
            if share < weight:
                number = other
            share -= weight
        if number == LATEST:
            return function.latest
    version = await find_version(tx, reference, number) if number.isdigit() else None
    if version is None:
        raise errors.function_not_found(reference.qualified)
    return version


async def resolve_named(tx: Transaction, reference: Reference, function: Function) -> Version:
    """`resolve`, for the operations that tell of an alias that is not there as such."""
    qualifier = reference.qualifier or LATEST
    known = qualifier == LATEST or qualifier.isdigit() or qualifier in function.aliases
    if not known:
        raise errors.alias_not_found(reference.qualified)
    return await resolve(tx, reference, function)


# Code ------------------------------------------------------------------------------------


async def find_code(tx: Transaction, reference: Reference, sha256: str) -> Code | None:
    """Where an archive of the function lies, or None."""
    record = await tx.get(CODE, _of(reference), sha256.encode())
    return None if record is None else decode(record, Code)


async def put_code(tx: Transaction, reference: Reference, sha256: str, code: Code) -> None:
    """Note where an archive lies."""
    await tx.put(CODE, _of(reference), sha256.encode(), _encode(code))


async def drop_code(tx: Transaction, reference: Reference, limit: int) -> int:
    """Give up to so many of the function's archives up; how many."""
    found = await tx.scan(CODE, _of(reference), limit=limit)
    for record in found:
        await tx.unlink_blob(decode(record, Code).blob)
        await tx.delete(CODE, record.partition, record.sort)
    return len(found)


async def drop_unused_code(tx: Transaction, reference: Reference, function: Function) -> None:
    """Give up the archives that no version of the function uses any more."""
    used = {function.latest.sha256, *(v.sha256 for v in await versions(tx, reference))}
    for record in await tx.scan(CODE, _of(reference)):
        if record.sort.decode() not in used:
            await tx.unlink_blob(decode(record, Code).blob)
            await tx.delete(CODE, record.partition, record.sort)


# Event source mappings -------------------------------------------------------------------


async def find_mapping(tx: Transaction, account: str, region: str, uuid: str) -> Mapping | None:
    """The mapping, or None."""
    record = await mapping_record(tx, account, region, uuid)
    return None if record is None else decode(record, Mapping)


async def mapping_record(tx: Transaction, account: str, region: str, uuid: str) -> Record | None:
    """The mapping as it is stored, or None."""
    return await tx.get(MAPPINGS, place(account, region), uuid.encode())


async def put_mapping(tx: Transaction, account: str, region: str, mapping: Mapping) -> None:
    """Store a mapping."""
    await tx.put(MAPPINGS, place(account, region), mapping.uuid.encode(), _encode(mapping))
    await announce(tx, MAPPINGS, place(account, region, mapping.uuid).decode())


async def delete_mapping(tx: Transaction, account: str, region: str, uuid: str) -> None:
    """Remove a mapping."""
    await tx.delete(MAPPINGS, place(account, region), uuid.encode())
    await announce(tx, MAPPINGS, place(account, region, uuid).decode())


async def mappings(tx: Transaction, account: str, region: str) -> list[Mapping]:
    """All mappings of an account in a region."""
    return [decode(record, Mapping) for record in await tx.scan(MAPPINGS, place(account, region))]


# Layers ----------------------------------------------------------------------------------


async def find_layer(
    tx: Transaction, account: str, region: str, name: str, number: int, kept: bool = False
) -> Layer | None:
    """A layer's version, or None. With `kept`, also one that is deleted but still in use."""
    at = place(account, region, name), _number(str(number))
    record = await tx.get(LAYERS, *at)
    if record is None and kept:
        record = await tx.get(KEPT_LAYERS, *at)
    return None if record is None else decode(record, Layer)


async def layers(tx: Transaction, account: str, region: str, name: str) -> list[Layer]:
    """A layer's versions, oldest first."""
    return [decode(record, Layer) for record in await tx.scan(LAYERS, place(account, region, name))]


async def layer_names(tx: Transaction, account: str, region: str) -> list[str]:
    """The names of all layers that there ever were in an account and region, in order."""
    return [record.sort.decode() for record in await tx.scan(LAYER_COUNTS, place(account, region))]


async def put_layer(tx: Transaction, account: str, region: str, name: str, layer: Layer) -> None:
    """Store a layer's version."""
    await tx.put(LAYERS, place(account, region, name), _number(str(layer.number)), _encode(layer))


async def delete_layer(
    tx: Transaction, account: str, region: str, name: str, number: int, keep: bool
) -> None:
    """Remove a layer's version; with its archive, unless it is kept for functions."""
    at = place(account, region, name), _number(str(number))
    record = await tx.get(LAYERS, *at)
    if record is None:
        return
    await tx.delete(LAYERS, *at)
    if keep:
        await tx.put(KEPT_LAYERS, *at, record.value)
    else:
        await tx.unlink_blob(decode(record, Layer).blob)


async def is_kept(tx: Transaction, account: str, region: str, name: str, number: int) -> bool:
    """Whether a layer's version is deleted but kept."""
    at = place(account, region, name), _number(str(number))
    return await tx.get(KEPT_LAYERS, *at) is not None


async def drop_kept_layer(
    tx: Transaction, account: str, region: str, name: str, number: int
) -> None:
    """Give up a kept version with its archive."""
    at = place(account, region, name), _number(str(number))
    record = await tx.get(KEPT_LAYERS, *at)
    if record is not None:
        await tx.unlink_blob(decode(record, Layer).blob)
        await tx.delete(KEPT_LAYERS, *at)


# URLs ------------------------------------------------------------------------------------


async def find_url(tx: Transaction, id: str) -> Reference | None:
    """The function that a URL's id belongs to, with the URL's alias."""
    record = await tx.get(URLS, id.encode(), b"")
    return None if record is None else decode(record, Reference)


async def put_url(tx: Transaction, id: str, reference: Reference) -> None:
    """Note whose URL an id is."""
    await tx.put(URLS, id.encode(), b"", _encode(reference))


async def delete_url(tx: Transaction, id: str) -> None:
    """Forget a URL's id."""
    await tx.delete(URLS, id.encode(), b"")


# Code signing configurations -------------------------------------------------------------


async def find_code_signing(
    tx: Transaction, account: str, region: str, arn: str
) -> CodeSigning | None:
    """The configuration of that ARN, or None."""
    record = await tx.get(CODE_SIGNING, place(account, region), arn.encode())
    return None if record is None else decode(record, CodeSigning)


async def put_code_signing(
    tx: Transaction, account: str, region: str, arn: str, config: CodeSigning
) -> None:
    """Store a configuration."""
    await tx.put(CODE_SIGNING, place(account, region), arn.encode(), _encode(config))


async def delete_code_signing(tx: Transaction, account: str, region: str, arn: str) -> None:
    """Remove a configuration."""
    await tx.delete(CODE_SIGNING, place(account, region), arn.encode())


async def code_signings(
    tx: Transaction, account: str, region: str
) -> list[tuple[str, CodeSigning]]:
    """All configurations of an account in a region, each with its ARN, in the order of these."""
    return [
        (record.sort.decode(), decode(record, CodeSigning))
        for record in await tx.scan(CODE_SIGNING, place(account, region))
    ]


def require_revision(
    wanted: str | None, present: str, shown_by: str = "GetFunction/GetAlias"
) -> None:
    """PreconditionFailedException when the caller named another RevisionId. `shown_by` is the
    operation that tells the present one."""
    if wanted is not None and wanted != present:
        raise errors.stale_revision(shown_by)
