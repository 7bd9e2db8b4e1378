"""What a protocol makes of one operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lambent.core.context import Params, Result
from lambent.protocol.contract import WireRequest, WireResponse

Parse = Callable[[WireRequest], Params]
Serialize = Callable[[Result, str], WireResponse]


@dataclass(frozen=True, slots=True)
class CompiledOperation:
    """An `OperationCodec` whose two directions are closures."""

    name: str
    streaming_input: bool
    parse: Parse
    serialize: Serialize
