"""Event patterns: which events a rule or mapping wants.

Owns the whole matching language of EventBridge patterns, which Lambda's FilterCriteria and
Pipes share. A pattern is compiled once into plain functions; matching does no I/O.

Source: EventBridge User Guide, "Comparison operators for use in event patterns"; Lambda
Developer Guide, "Control which events Lambda sends to your function".
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Matcher = Callable[[Mapping[str, Any]], bool]
"""Whether an event (a JSON object) is wanted."""

_Test = Callable[[Any], bool]


class InvalidPattern(ValueError):
    """The text is no event pattern; the message says why."""


def parse(text: str) -> Matcher:
    """Compile a pattern given as JSON text. InvalidPattern when it is none."""
    try:
        pattern = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidPattern(f"the pattern is not JSON: {error}") from error
    return compile_pattern(pattern)


def compile_pattern(pattern: Any) -> Matcher:
    """Compile a pattern given as a JSON value. InvalidPattern when it is none."""
    if not isinstance(pattern, Mapping):
        raise InvalidPattern("a pattern is a JSON object")
    return _object(pattern)


def _object(pattern: Mapping[str, Any]) -> Matcher:
    if not pattern:
        raise InvalidPattern("empty objects are not allowed")
    tests: list[Matcher] = []
    for key, value in pattern.items():
        if key == "$or" and isinstance(value, list):
            tests.append(_alternatives(value))
        elif isinstance(value, Mapping):
            tests.append(_nested(key, _object(value)))
        elif isinstance(value, list):
            tests.append(_leaf(key, value))
        else:
            raise InvalidPattern(f'"{key}" must be an object or an array')
    if len(tests) == 1:
        return tests[0]
    return lambda event: all(test(event) for test in tests)


def _alternatives(patterns: Sequence[Any]) -> Matcher:
    if len(patterns) < 2:
        raise InvalidPattern("$or needs at least two alternatives")
    matchers = [compile_pattern(pattern) for pattern in patterns]
    return lambda event: any(matcher(event) for matcher in matchers)


def _nested(key: str, matcher: Matcher) -> Matcher:
    def test(event: Mapping[str, Any]) -> bool:
        value = event.get(key)
        if isinstance(value, Mapping):
            return matcher(value)
        if isinstance(value, list):
            objects = [item for item in value if isinstance(item, Mapping)]
            if objects:
                return any(matcher(item) for item in objects)
        # Nothing is there: only {"exists": false} below can hold.
        return matcher({})

    return test


def _leaf(key: str, alternatives: Sequence[Any]) -> Matcher:
    if not alternatives:
        raise InvalidPattern("empty arrays are not allowed")
    absent = False
    tests: list[_Test] = []
    for alternative in alternatives:
        if isinstance(alternative, Mapping) and "exists" in alternative:
            wanted = _single(alternative, "exists")
            if not isinstance(wanted, bool):
                raise InvalidPattern("exists match pattern must be either true or false")
            if wanted:
                tests.append(lambda _: True)
            else:
                absent = True
        else:
            tests.append(_value(alternative))

    def test(event: Mapping[str, Any]) -> bool:
        values = list(_values(event[key])) if key in event else []
        if not values:
            return absent
        return any(one(value) for value in values for one in tests)

    return test


def _values(value: Any) -> Any:
    """The scalar values of a field: an array stands for each of its elements."""
    if isinstance(value, list):
        for item in value:
            yield from _values(item)
    elif not isinstance(value, Mapping):
        yield value


def _value(alternative: Any) -> _Test:
    if isinstance(alternative, Mapping):
        if len(alternative) != 1:
            raise InvalidPattern("only one key is allowed in a match expression")
        ((operator, operand),) = alternative.items()
        return _operator(operator, operand)
    if isinstance(alternative, list):
        raise InvalidPattern("nested arrays are not allowed")
    return _equals(alternative)


def _equals(wanted: Any) -> _Test:
    if wanted is None or isinstance(wanted, bool):
        return lambda value: value is wanted
    if isinstance(wanted, (int, float)):
        return lambda value: _is_number(value) and value == wanted
    return lambda value: isinstance(value, str) and value == wanted


def _operator(operator: str, operand: Any) -> _Test:
    if operator == "anything-but":
        return _anything_but(operand)
    if operator == "numeric":
        return _numeric(operand)
    if operator == "cidr":
        return _cidr(operand)
    if operator in _TEXT_OPERATORS:
        return _text(operator, operand)
    raise InvalidPattern(f"unrecognized match type {operator}")


_TEXT_OPERATORS = frozenset({"prefix", "suffix", "equals-ignore-case", "wildcard"})


def _text(operator: str, operand: Any) -> _Test:
    fold = False
    if operator in ("prefix", "suffix") and isinstance(operand, Mapping):
        operand = _single(operand, "equals-ignore-case")
        fold = True
    if not isinstance(operand, str):
        raise InvalidPattern(f"{operator} match pattern must be a string")
    wanted = operand.lower() if fold or operator == "equals-ignore-case" else operand
    if operator == "prefix":
        return lambda value: (
            isinstance(value, str) and (value.lower() if fold else value).startswith(wanted)
        )
    if operator == "suffix":
        return lambda value: (
            isinstance(value, str) and (value.lower() if fold else value).endswith(wanted)
        )
    if operator == "equals-ignore-case":
        return lambda value: isinstance(value, str) and value.lower() == wanted
    expression = _wildcard(operand)
    return lambda value: isinstance(value, str) and expression.fullmatch(value) is not None


def _wildcard(text: str) -> re.Pattern[str]:
    parts: list[str] = []
    position = 0
    after_star = False
    while position < len(text):
        char = text[position]
        if char == "\\":
            position += 1
            if position >= len(text) or text[position] not in "*\\":
                raise InvalidPattern("invalid escape character in a wildcard")
            parts.append(re.escape(text[position]))
            after_star = False
        elif char == "*":
            if after_star:
                raise InvalidPattern("consecutive wildcard characters")
            parts.append(".*")
            after_star = True
        else:
            parts.append(re.escape(char))
            after_star = False
        position += 1
    return re.compile("".join(parts), re.DOTALL)


def _anything_but(operand: Any) -> _Test:
    if isinstance(operand, Mapping):
        if len(operand) != 1:
            raise InvalidPattern("only one key is allowed in a match expression")
        ((operator, inner),) = operand.items()
        if operator not in _TEXT_OPERATORS:
            raise InvalidPattern(f"unsupported anything-but pattern: {operator}")
        inners = inner if isinstance(inner, list) else [inner]
        if not inners:
            raise InvalidPattern("empty arrays are not allowed")
        excluded = [_text(operator, one) for one in inners]
    else:
        values = operand if isinstance(operand, list) else [operand]
        if not values:
            raise InvalidPattern("empty arrays are not allowed")
        kinds = {_kind(one) for one in values}
        if len(kinds) != 1:
            raise InvalidPattern("inside an anything-but list all values must be of one type")
        excluded = [_equals(one) for one in values]
    return lambda value: not any(test(value) for test in excluded)


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "string"
    if _is_number(value):
        return "number"
    raise InvalidPattern("anything-but takes strings or numbers")


_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


def _numeric(operand: Any) -> _Test:
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        raise InvalidPattern("numeric takes one or two pairs of an operator and a number")
    bounds: list[tuple[Callable[[float, float], bool], float]] = []
    for operator, bound in zip(operand[::2], operand[1::2], strict=True):
        if not isinstance(operator, str) or operator not in _COMPARISONS:
            raise InvalidPattern(f"unrecognized numeric range operator: {operator}")
        if not _is_number(bound):
            raise InvalidPattern(f"value of {operator} must be numeric")
        bounds.append((_COMPARISONS[operator], bound))
    if len(bounds) == 2:
        first, second = operand[0], operand[2]
        if {first[0], second[0]} != {">", "<"}:
            raise InvalidPattern("a numeric range needs a lower and an upper bound")
        low, high = sorted((operand[1], operand[3]))
        if (first[0] == ">") != (operand[1] == low) or low == high:
            raise InvalidPattern("bottom must be less than top")
    return lambda value: (
        _is_number(value) and all(compare(value, bound) for compare, bound in bounds)
    )


def _cidr(operand: Any) -> _Test:
    if not isinstance(operand, str) or "/" not in operand:
        raise InvalidPattern("cidr takes an address block")
    try:
        network = ipaddress.ip_network(operand, strict=False)
    except ValueError as error:
        raise InvalidPattern(f"malformed CIDR: {error}") from error

    def test(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return test


def _single(mapping: Mapping[str, Any], key: str) -> Any:
    if len(mapping) != 1 or key not in mapping:
        raise InvalidPattern("only one key is allowed in a match expression")
    return mapping[key]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
