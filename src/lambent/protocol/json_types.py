"""Inputs decoded straight to parameters: the types by which msgspec reads a shape's JSON.

What it reads is what `json_values.reader` makes of the decoded document, in a third of the
time. Whatever does not fit, a null among it, it refuses without saying more: then the reader
says what is wrong, or passes over the null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, TypedDict

import msgspec

from lambent.core.errors import AwsError
from lambent.protocol.shapes import Shape

Read = Callable[[Any], Any]

UNFIT: Final = (msgspec.MsgspecError, AwsError, ValueError, RecursionError)
"""What a decoder raises for a document that it does not take."""

_PLAIN: Final[Mapping[str, Any]] = {
    "string": str,
    "character": str,
    "boolean": bool,
    "integer": Annotated[int, msgspec.Meta(ge=-(1 << 31), le=(1 << 31) - 1)],
    "long": Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)],
}


class _Converted(type):
    """The type of types whose values a function makes, of whatever type they are."""

    read: Read

    def __instancecheck__(cls, instance: object) -> bool:
        return True


class JsonTypes:
    """The types of a model's shapes, each made once, so that shapes may hold themselves.

    `scalars` read the types that JSON does not have. Members go by their own names, as they
    do in the AWS JSON protocols.
    """

    def __init__(self, scalars: Mapping[str, Read]) -> None:
        self._made: dict[str, Any] = {}
        self._converted = {
            kind: _Converted(f"_{kind}", (), {"read": staticmethod(read)})
            for kind, read in scalars.items()
        }

    def decoder(self, shape: Shape) -> Callable[[bytes], Any]:
        """What decodes a structure; it raises one of `UNFIT`."""
        return msgspec.json.Decoder(self._of(shape), dec_hook=_convert).decode

    def _of(self, shape: Shape) -> Any:
        if shape.model.document:
            return Any
        if shape.type == "structure":
            return self._structure(shape)
        if shape.type == "list":
            return list[self._of(shape.member)]  # type: ignore[misc]
        if shape.type == "map":
            return dict[str, self._of(shape.value)]  # type: ignore[misc]
        return _PLAIN.get(shape.type) or self._converted[shape.type]

    def _structure(self, shape: Shape) -> Any:
        known = self._made.get(shape.name)
        if known is not None:
            return known
        # Its members are told afterwards, as it may be among them.
        made = self._made[shape.name] = TypedDict(f"_{shape.name}", {}, total=False)  # type: ignore[operator]
        for name, member in shape.members.items():
            made.__annotations__[name] = self._of(member)
        return made


def _convert(kind: type, value: Any) -> Any:
    return kind.read(value)  # type: ignore[attr-defined]
