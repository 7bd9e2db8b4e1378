"""Checks parameters against the model's constraints, in the words of AWS's own framework.

`2 validation errors detected: Value null at 'key' failed to satisfy constraint: Member must
not be null; Value 'x' at 'tableName' failed to satisfy constraint: Member must have length
greater than or equal to 3`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from lambent.core.errors import AwsError
from lambent.protocol.patterns import compile_pattern
from lambent.protocol.shapes import Compiler, Shape

Check = Callable[[Any, str, list[str]], None]
"""Called with a value, its path, and the list that broken constraints are added to."""

Constraint = tuple[Callable[[Any], bool], str]
"""Whether a value satisfies it, and its wording."""

NOT_NULL = "Member must not be null"
_SIZED = frozenset({"string", "blob", "list", "map"})
_NUMBERS = frozenset({"integer", "long", "float", "double"})


def compile_check(
    shape: Shape, code: str, own_checks: Collection[str]
) -> Callable[[dict[str, Any]], None] | None:
    """A function that raises AwsError `code` when an input breaks its constraints.

    None when there is nothing to check. Shapes named in `own_checks` are passed over.
    """
    compiler = Compiler[Check | None](lambda each, parts: _check(each, parts, own_checks), _later)
    check = compiler(shape)
    if check is None:
        return None

    def checked(params: dict[str, Any]) -> None:
        errors: list[str] = []
        check(params, "", errors)
        if errors:
            count = len(errors)
            plural = "error" if count == 1 else "errors"
            raise AwsError(code, f"{count} validation {plural} detected: {'; '.join(errors)}", 400)

    return checked


def compile_presence(shape: Shape, code: str) -> Callable[[dict[str, Any]], None] | None:
    """A function that raises AwsError `code` when a required header or query parameter is not
    there, for services that check all else themselves. None when there is nothing to check."""
    needed = [
        (name, shape.members[name].wire_name or name, shape.members[name].location)
        for name in shape.model.required
        if shape.members[name].location in ("header", "querystring")
    ]
    if not needed:
        return None

    def checked(params: dict[str, Any]) -> None:
        for name, shown, location in needed:
            if params.get(name) is None:
                kind = "header" if location == "header" else "parameter"
                raise AwsError(code, f"The required {kind} {shown} is missing.", 400)

    return checked


def _later(cell: list[Check | None]) -> Check:
    def check(value: Any, path: str, errors: list[str]) -> None:
        found = cell[0]
        if found is not None:
            found(value, path, errors)

    return check


def _check(
    shape: Shape, compiler: Compiler[Check | None], own_checks: Collection[str]
) -> Check | None:
    if shape.name in own_checks:
        return None
    parts = {"structure": _structure, "list": _list, "map": _map}.get(shape.type)
    inner = parts(shape, compiler, own_checks) if parts else None
    outer = constraints(shape)
    if not outer:
        return inner
    sensitive = bool(shape.model.sensitive)

    def check(value: Any, path: str, errors: list[str]) -> None:
        for holds, words in outer:
            if not holds(value):
                errors.append(_failure(value, path, words, sensitive))
        if inner is not None:
            inner(value, path, errors)

    return check


def _structure(
    shape: Shape, compiler: Compiler[Check | None], own_checks: Collection[str]
) -> Check | None:
    required = frozenset(shape.model.required)
    members = [
        (name, name[:1].lower() + name[1:], name in required, compiler(member))
        for name, member in shape.members.items()
    ]
    members = [each for each in members if each[2] or each[3] is not None]
    if not members:
        return None

    def check(value: Any, path: str, errors: list[str]) -> None:
        if type(value) is not dict:
            return
        prefix = path + "." if path else ""
        for name, shown, needed, test in members:
            item = value.get(name)
            if item is None:
                if needed:
                    errors.append(
                        f"Value null at '{prefix}{shown}' failed to satisfy constraint: {NOT_NULL}"
                    )
            elif test is not None:
                test(item, prefix + shown, errors)

    return check


def _list(
    shape: Shape, compiler: Compiler[Check | None], own_checks: Collection[str]
) -> Check | None:
    member = shape.member
    sensitive = bool(shape.model.sensitive or member.model.sensitive)
    if member.type in ("structure", "list", "map"):
        inner = compiler(member)
        if inner is None:
            return None

        def each(value: Any, path: str, errors: list[str]) -> None:
            for index, item in enumerate(value, 1):
                inner(item, f"{path}.{index}.member", errors)

        return each
    rules = [] if member.name in own_checks else constraints(member)
    if not rules:
        return None
    tests = [holds for holds, _ in rules]
    words = f"Member must satisfy constraint: {_bracketed(rules)}"

    def check(value: Any, path: str, errors: list[str]) -> None:
        if not all(holds(item) for item in value for holds in tests):
            errors.append(_failure(value, path, words, sensitive))

    return check


def _map(
    shape: Shape, compiler: Compiler[Check | None], own_checks: Collection[str]
) -> Check | None:
    key_rules = [] if shape.key.name in own_checks else constraints(shape.key)
    key_words = f"Map keys must satisfy constraint: {_bracketed(key_rules)}"
    # The rules of a list, like those of a scalar, are told of the map that holds it.
    if shape.value.type == "list":
        inner = _list(shape.value, compiler, own_checks)
    else:
        inner = compiler(shape.value) if shape.value.type in ("structure", "map") else None
    ruled = shape.value.type not in ("structure", "map") and shape.value.name not in own_checks
    value_rules = constraints(shape.value) if ruled else []
    value_words = f"Map value must satisfy constraint: {_bracketed(value_rules)}"
    sensitive = any(bool(s.model.sensitive) for s in (shape, shape.key, shape.value))
    if not key_rules and not value_rules and inner is None:
        return None

    def check(value: Any, path: str, errors: list[str]) -> None:
        if not all(holds(key) for key in value for holds, _ in key_rules):
            errors.append(_failure(value, path, key_words, sensitive))
        if not all(holds(item) for item in value.values() for holds, _ in value_rules):
            errors.append(_failure(value, path, value_words, sensitive))
        if inner is not None:
            for key, item in value.items():
                inner(item, f"{path}.{key}.member", errors)

    return check


def constraints(shape: Shape) -> list[Constraint]:
    """A shape's own constraints, in the order in which AWS reports them."""
    model, rules = shape.model, list[Constraint]()
    low, high = model.min, model.max
    if shape.type == "string" and model.pattern is not None:
        match = compile_pattern(model.pattern)
        if match is not None:
            rules.append(
                (match, f"Member must satisfy regular expression pattern: {model.pattern}")
            )
    if shape.type in _SIZED and not shape.streaming:
        if high is not None:
            rules.append(
                (lambda v: len(v) <= high, f"Member must have length less than or equal to {high}")
            )
        if low:
            rules.append(
                (lambda v: len(v) >= low, f"Member must have length greater than or equal to {low}")
            )
    elif shape.type in _NUMBERS:
        if high is not None:
            rules.append(
                (lambda v: v <= high, f"Member must have value less than or equal to {high}")
            )
        if low is not None:
            rules.append(
                (lambda v: v >= low, f"Member must have value greater than or equal to {low}")
            )
    if shape.type == "string" and model.enum is not None:
        known = frozenset(model.enum)
        rules.append(
            (
                known.__contains__,
                f"Member must satisfy enum value set: [{', '.join(model.enum)}]",
            )
        )
    return rules


def _bracketed(rules: list[Constraint]) -> str:
    # Within brackets AWS names lengths before the pattern, and always the null rule last.
    ordered = sorted(words for _, words in rules if "length" in words or "value " in words)
    ordered.sort(key=lambda words: "less" not in words)
    rest = [words for _, words in rules if words not in ordered]
    return f"[{', '.join([*ordered, *rest, NOT_NULL])}]"


def _failure(value: Any, path: str, words: str, sensitive: bool) -> str:
    shown = "" if sensitive else f" '{_shown(value)}'"
    return f"Value{shown} at '{path}' failed to satisfy constraint: {words}"


def _shown(value: Any) -> str:
    """A value as Java prints it."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        size = len(value)
        return f"java.nio.HeapByteBuffer[pos=0 lim={size} cap={size}]"
    return str(value)
