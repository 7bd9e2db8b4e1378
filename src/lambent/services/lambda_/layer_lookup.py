"""How callers and functions find the layers that they name.

Source: Lambda API Reference, GetLayerVersion and CreateFunction (Layers); Lambda Developer
Guide, "Controlling access to Lambda layers".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambent.core.arns import Arn
from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.services.lambda_ import errors, policy_rules, records
from lambent.services.lambda_.model import Layer
from lambent.store.contract import Transaction


@dataclass(frozen=True, slots=True)
class LayerVersion:
    """Which version of which layer, wherever it lies. The number may be 0: of all."""

    account: str
    region: str
    name: str
    number: int = 0

    @property
    def layer_arn(self) -> str:
        """The layer's ARN."""
        return str(Arn("lambda", self.region, self.account, f"layer:{self.name}"))

    @property
    def arn(self) -> str:
        """The version's ARN."""
        return f"{self.layer_arn}:{self.number}"

    async def find(self, tx: Transaction, kept: bool = False) -> Layer | None:
        """What is stored of it, or None; `kept` as `records.find_layer`."""
        return await records.find_layer(tx, self.account, self.region, self.name, self.number, kept)


def named(context: RequestContext, text: str, number: int = 0) -> LayerVersion:
    """A layer that is given by its name or ARN, with a version's number."""
    if not text.startswith("arn:"):
        return LayerVersion(context.account, context.region, text, number)
    arn = Arn.parse(text)
    return LayerVersion(arn.account, arn.region, arn.resource.split(":")[1], number)


def parse(text: str) -> LayerVersion | None:
    """The version of that ARN; None when it is none."""
    try:
        arn = Arn.parse(text)
        kind, name, number = arn.resource.split(":")
    except ValueError:
        return None
    if kind != "layer" or not number.isdigit():
        return None
    return LayerVersion(arn.account, arn.region, name, int(number))


def require_access(
    context: RequestContext, wanted: LayerVersion, layer: Layer | None, action: str
) -> None:
    """AccessDeniedException for another account's layer, unless its policy allows it."""
    if wanted.account == context.account:
        return
    if not policy_rules.may_use(layer, context, wanted.arn):
        raise AwsError(
            "AccessDeniedException",
            f"User: {context.principal} is not authorized to perform: lambda:{action} on "
            f"resource: {wanted.arn} because no resource-based policy allows the "
            f"lambda:{action} action",
            403,
        )


async def referenced(
    tx: Transaction, context: RequestContext, arns: Sequence[str] | None
) -> dict[str, Any]:
    """The Layers member for a function that names these layers' versions.

    AwsError when one is not there, or two are versions of one layer.
    """
    found = []
    seen: dict[str, str] = {}
    for text in arns or ():
        wanted = parse(text)
        if wanted is None:
            raise errors.invalid(f"Layer version {text} does not exist.")
        if wanted.region != context.region:
            raise errors.invalid(
                "Layers are not in the same region as the function. Layers are expected to be "
                f"in region {context.region}."
            )
        layer = await wanted.find(tx)
        require_access(context, wanted, layer, "GetLayerVersion")
        if layer is None:
            raise errors.invalid(f"Layer version {text} does not exist.")
        if wanted.layer_arn in seen:
            raise errors.invalid(
                "Two different versions of the same layer are not allowed to be referenced in "
                f"the same function. {seen[wanted.layer_arn]} and {text} are versions of the "
                "same layer."
            )
        seen[wanted.layer_arn] = text
        found.append({"Arn": text, "CodeSize": layer.size})
    return {"Layers": found} if found else {}


async def layer_archives(
    tx: Transaction, layers: Iterable[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """Digest and blob of each layer of a function, in order; those that are deleted too."""
    wanted = [parse(layer["Arn"]) for layer in layers]
    found = [await one.find(tx, kept=True) for one in wanted if one is not None]
    return [(layer.sha256, layer.blob) for layer in found if layer is not None]
