"""What becomes of a layer's version that is deleted while functions use it: its archive is
kept until none does.

Source: Lambda Developer Guide, "Deleting a layer version" ("a copy of the version remains in
Lambda until no functions refer to it").
"""

from __future__ import annotations

from collections.abc import Iterable

from lambent.services.lambda_ import records
from lambent.services.lambda_.layer_lookup import LayerVersion, parse
from lambent.services.lambda_.model import Function, Version
from lambent.store.contract import Transaction


async def delete(tx: Transaction, version: LayerVersion) -> None:
    """Delete a layer's version; what is not there is deleted already."""
    keep = await _in_use(tx, version.arn)
    await records.delete_layer(
        tx, version.account, version.region, version.name, version.number, keep
    )


async def release(tx: Transaction, versions: Iterable[Version]) -> None:
    """These versions of functions are gone or use other layers: drop what was kept for them
    alone."""
    for arn in {layer["Arn"] for one in versions for layer in one.settings.get("Layers", ())}:
        version = parse(arn)
        if version is None:
            continue
        at = version.account, version.region, version.name, version.number
        if await records.is_kept(tx, *at) and not await _in_use(tx, arn):
            await records.drop_kept_layer(tx, *at)


async def _in_use(tx: Transaction, arn: str) -> bool:
    """Whether a function of any account, or a published version of one, names the layer."""
    for record in await tx.scan_all(records.FUNCTIONS):
        if _names(records.decode(record, Function).latest, arn):
            return True
    for record in await tx.scan_all(records.VERSIONS):
        if _names(records.decode(record, Version), arn):
            return True
    return False


def _names(version: Version, arn: str) -> bool:
    return any(layer["Arn"] == arn for layer in version.settings.get("Layers", ()))
