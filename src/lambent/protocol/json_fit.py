"""Results that can be encoded as they are: told without rebuilding them.

`json_values.writer` builds a document from a result: members that the shape does not have
are left out, and so is None. Where a shape needs no more than that, and a result has no such
member, it is its own document, but for None, which whoever encodes it can see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lambent.protocol.shapes import Compiler, Shape

Fits = Callable[[Any], bool]

_CONVERTED: Final = frozenset({"timestamp", "float", "double"})


def fit() -> Compiler[Fits | None]:
    """A compiler of functions that tell whether a value is its own document; None for those
    values that always are."""
    return Compiler(_fit, lambda cell: lambda value: cell[0] is None or cell[0](value))


def _never(value: Any) -> bool:
    return False


def _fit(shape: Shape, compiler: Compiler[Fits | None]) -> Fits | None:
    if shape.model.document:
        return None
    if shape.type == "structure":
        return _structure(shape, compiler)
    if shape.type == "list":
        return _list(shape.member, compiler)
    if shape.type == "map":
        return _map(compiler(shape.value))
    return _never if shape.type in _CONVERTED else None


def _structure(shape: Shape, compiler: Compiler[Fits | None]) -> Fits:
    if not _keeps_names(shape):
        return _never
    names = frozenset(shape.members)
    tests = {name: compiler(member) for name, member in shape.members.items()}
    parts = [(name, test) for name, test in tests.items() if test is not None]

    def fits(value: Any) -> bool:
        if type(value) is not dict or not value.keys() <= names:
            return False
        for name, test in parts:
            part = value.get(name)
            if part is not None and not test(part):
                return False
        return True

    return fits


def _keeps_names(shape: Shape) -> bool:
    return all(member.wire_name in (None, name) for name, member in shape.members.items())


def _list(shape: Shape, compiler: Compiler[Fits | None]) -> Fits | None:
    member = compiler(shape)
    if member is None:
        return None
    if shape.type == "structure" and not any(map(compiler, shape.members.values())):
        return _flat_list(frozenset(shape.members)) if _keeps_names(shape) else _never
    return lambda value: type(value) is list and all(map(member, value))


def _flat_list(names: frozenset[str]) -> Fits:
    """Of structures without parts, of which there may be many."""
    has_all = names.issuperset

    def fits(value: Any) -> bool:
        if type(value) is not list:
            return False
        for item in value:  # noqa: SIM110 - a generator takes longer than what it asks
            if type(item) is not dict or not has_all(item):
                return False
        return True

    return fits


def _map(value_fits: Fits | None) -> Fits | None:
    if value_fits is None:
        return None
    return lambda value: type(value) is dict and all(map(value_fits, value.values()))
