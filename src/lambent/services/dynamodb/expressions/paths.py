"""Document paths on items: reading, projecting, and paths that get in each other's way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lambent.services.dynamodb.expressions.tree import Path, show
from lambent.services.dynamodb.values import AttributeValue, Item


def bind_path(path: Path, names: Mapping[str, str]) -> Path:
    """The path with `#placeholders` replaced; KeyError with the placeholder it lacks."""
    return tuple(names[part] if isinstance(part, str) and part[0] == "#" else part for part in path)


def lookup(item: Mapping[str, AttributeValue], path: Path) -> AttributeValue | None:
    """The value at a path, or None."""
    value: AttributeValue | None = item.get(path[0])  # type: ignore[arg-type]
    for part in path[1:]:
        if value is None:
            return None
        if isinstance(part, int):
            elements = value.get("L")
            value = elements[part] if elements is not None and part < len(elements) else None
        else:
            members = value.get("M")
            value = members.get(part) if members is not None else None
    return value


def overlap(paths: Sequence[Path]) -> str | None:
    """What is wrong with using these paths together; None when nothing is.

    One path must not be (part of) another, and one place must not be used both as a list
    and as a map.
    """
    if len(paths) == 1:
        return None
    if len({path[0] for path in paths}) == len(paths):
        return None
    for index, later in enumerate(paths):
        for earlier in paths[:index]:
            if verdict := _between(earlier, later):
                return (
                    f"Two document paths {verdict} with each other; must remove or rewrite one "
                    f"of these paths; path one: {show(earlier)}, path two: {show(later)}"
                )
    return None


def _between(one: Path, two: Path) -> str | None:
    for left, right in zip(one, two, strict=False):
        if left != right:
            return "conflict" if isinstance(left, int) != isinstance(right, int) else None
    return "overlap"


class Projector:
    """Cuts items down to some paths.

    Lists keep the chosen elements only, in order; maps keep the chosen members.
    """

    __slots__ = ("_plain", "_tree")

    def __init__(self, paths: Iterable[Path]) -> None:
        tree: dict[Any, Any] = {}
        for path in paths:
            node = tree
            for part in path:
                node = node.setdefault(part, {})
        self._tree = tree
        self._plain = tuple(tree) if not any(tree.values()) else None

    def __call__(self, item: Mapping[str, AttributeValue]) -> Item:
        """The item's projection; empty when it has none of the paths."""
        if self._plain is not None:
            return {name: item[name] for name in self._plain if name in item}
        result: Item = {}
        for name, below in self._tree.items():
            value = item.get(name)
            if value is not None and (cut := _cut(value, below)) is not None:
                result[name] = cut
        return result


def _cut(value: AttributeValue, tree: dict[Any, Any]) -> AttributeValue | None:
    if not tree:
        return value
    if all(isinstance(part, int) for part in tree):
        elements = value.get("L")
        if elements is None:
            return None
        kept = [
            cut
            for index in sorted(tree)
            if index < len(elements) and (cut := _cut(elements[index], tree[index])) is not None
        ]
        return {"L": kept} if kept else None
    members = value.get("M")
    if members is None:
        return None
    found = {
        name: cut
        for name, below in tree.items()
        if name in members and (cut := _cut(members[name], below)) is not None
    }
    return {"M": found} if found else None
