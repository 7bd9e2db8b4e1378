"""Shapes as the compilers see them: references resolved, traits of use and shape merged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from lambent.protocol.model import Ref, ShapeModel, XmlNamespace, namespace

T = TypeVar("T")

_EMPTY = ShapeModel(type="structure")


class Shape:
    """A shape in one place of use.

    `wire_name` is the locationName that the use or the shape gives, or None.
    """

    __slots__ = ("_ref", "_table", "model", "name")

    def __init__(self, table: Mapping[str, ShapeModel], ref: Ref | None) -> None:
        self._table = table
        self._ref = ref or Ref(shape="")
        self.name = self._ref.shape
        self.model = table[self.name] if ref is not None else _EMPTY

    @property
    def type(self) -> str:
        return self.model.type

    @property
    def wire_name(self) -> str | None:
        return self._ref.location_name or self.model.location_name

    @property
    def location(self) -> str | None:
        return self._ref.location

    @property
    def flattened(self) -> bool:
        return bool(self._ref.flattened or self.model.flattened)

    @property
    def streaming(self) -> bool:
        return bool(self._ref.streaming or self.model.streaming)

    @property
    def event_stream(self) -> bool:
        """Whether its members are events that are sent one after the other."""
        return bool(self.model.eventstream)

    @property
    def event_payload(self) -> bool:
        """Whether this member is its event's whole body."""
        return bool(self._ref.eventpayload)

    @property
    def jsonvalue(self) -> bool:
        return bool(self._ref.jsonvalue or self.model.jsonvalue)

    @property
    def timestamp_format(self) -> str | None:
        return self._ref.timestamp_format or self.model.timestamp_format

    @property
    def xml_attribute(self) -> bool:
        return bool(self._ref.xml_attribute)

    @property
    def xml_namespace(self) -> XmlNamespace | None:
        return namespace(self._ref.xml_namespace or self.model.xml_namespace)

    @property
    def result_wrapper(self) -> str | None:
        return self._ref.result_wrapper

    @property
    def members(self) -> dict[str, Shape]:
        """A structure's members by name."""
        return {name: Shape(self._table, ref) for name, ref in self.model.members.items()}

    @property
    def member(self) -> Shape:
        """A list's member."""
        return Shape(self._table, self.model.member)

    @property
    def key(self) -> Shape:
        """A map's key."""
        return Shape(self._table, self.model.key)

    @property
    def value(self) -> Shape:
        """A map's value."""
        return Shape(self._table, self.model.value)

    @property
    def identity(self) -> tuple[str, Ref]:
        """Equal for uses that compile to the same closure."""
        return self.name, self._ref


class Compiler(Generic[T]):
    """Compiles shapes to closures, each use once, and recursive shapes without end.

    `build` makes the closure of a shape and asks the compiler for those of its parts.
    `forward` wraps a cell that will hold the closure of a shape still being built.
    """

    def __init__(
        self, build: Callable[[Shape, Compiler[T]], T], forward: Callable[[list[T]], T]
    ) -> None:
        self._build = build
        self._forward = forward
        self._done: dict[object, T] = {}
        self._open: dict[object, list[T]] = {}

    def __call__(self, shape: Shape) -> T:
        key = shape.identity
        if key in self._done:
            return self._done[key]
        if key in self._open:
            return self._forward(self._open[key])
        cell = self._open[key] = []
        made = self._build(shape, self)
        cell.append(made)
        del self._open[key]
        self._done[key] = made
        return made
