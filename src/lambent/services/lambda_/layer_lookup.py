"""How functions find the layers that they name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lambent.core.arns import Arn
from lambent.services.lambda_ import errors, records
from lambent.services.lambda_.model import Layer
from lambent.store.contract import Transaction


async def referenced(tx: Transaction, arns: Iterable[str] | None) -> dict[str, Any]:
    """The Layers member for a function that names these layers' versions.

    InvalidParameterValueException when one is not there.
    """
    found = []
    for arn in arns or ():
        layer = await find_by_arn(tx, arn)
        if layer is None:
            raise errors.invalid(f"Layer version {arn} does not exist.")
        found.append({"Arn": arn, "CodeSize": layer.size})
    return {"Layers": found} if found else {}


async def layer_archives(
    tx: Transaction, layers: Iterable[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """Digest and blob of each layer of a function, in order. A version that was deleted
    since is passed over."""
    found = [await find_by_arn(tx, layer["Arn"]) for layer in layers]
    return [(layer.sha256, layer.blob) for layer in found if layer is not None]


async def find_by_arn(tx: Transaction, text: str) -> Layer | None:
    """The layer's version of that ARN, or None."""
    try:
        arn = Arn.parse(text)
        kind, name, number = arn.resource.split(":")
    except ValueError:
        return None
    if kind != "layer" or not number.isdigit():
        return None
    return await records.find_layer(tx, arn.account, arn.region, name, int(number))
