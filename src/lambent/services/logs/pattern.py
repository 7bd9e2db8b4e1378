"""Filter patterns of CloudWatch Logs: from text to a test of one message. Pure.

Three forms: unstructured terms (`ERROR -debug ?warn ?fail "two words" %regex%`), JSON
(`{ $.level = "error" && $.ms > 100 }`) and space-delimited fields (`[ip, user, status=4*]`).
Source: CloudWatch Logs user guide, "Filter pattern syntax".
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import Any

from lambent.core.errors import AwsError

Test = Callable[[str], bool]
_Value = Callable[[Any], bool]

_TERM = re.compile(r'([-?])?(?:"((?:[^"\\]|\\.)*)"|%((?:[^%\\]|\\.)+)%|(\S+))')
_FIELD = re.compile(r'"[^"]*"|\[[^\]]*\]|\S+')
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<op>\&\&|\|\||!=|<=|>=|=|<|>|\(|\))
      | (?P<selector>\$(?:\.[A-Za-z0-9_\-]+|\[(?:\d+|\*|"[^"]*"|'[^']*')\]|\.\*)*)
      | "(?P<string>(?:[^"\\]|\\.)*)"
      | %(?P<regex>(?:[^%\\]|\\.)+)%
      | (?P<word>[^\s()&|=!<>"]+)
    )""",
    re.VERBOSE,
)


def invalid() -> AwsError:
    """The pattern is not one."""
    return AwsError("InvalidParameterException", "Invalid filter pattern")


@functools.lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> Test:
    """The test that a pattern describes; an empty one matches everything."""
    text = pattern.strip()
    if not text:
        return lambda message: True
    if text.startswith("{") and text.endswith("}"):
        return _json_pattern(text[1:-1])
    if text.startswith("[") and text.endswith("]"):
        return _field_pattern(text[1:-1])
    if text[0] in "{[":
        raise invalid()
    return _term_pattern(text)


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error:
        raise invalid() from None


def _term_pattern(text: str) -> Test:
    required: list[Test] = []
    excluded: list[Test] = []
    optional: list[Test] = []
    for sign, quoted, regex, word in _TERM.findall(text):
        test: Test
        if regex:
            test = functools.partial(_search, _regex(regex))
        else:
            test = functools.partial(_contains, re.sub(r"\\(.)", r"\1", quoted) or word)
        {"": required, "-": excluded, "?": optional}[sign].append(test)

    def matches(message: str) -> bool:
        # Optional terms matter only where nothing else is asked for.
        if required:
            found = all(test(message) for test in required)
        else:
            found = not optional or any(test(message) for test in optional)
        return found and not any(test(message) for test in excluded)

    return matches


def _contains(needle: str, message: str) -> bool:
    return needle in message


def _search(regex: re.Pattern[str], message: str) -> bool:
    return regex.search(message) is not None


# JSON ------------------------------------------------------------------------------------


def _json_pattern(text: str) -> Test:
    condition = _Conditions(text).parse()

    def matches(message: str) -> bool:
        try:
            document = json.loads(message)
        except ValueError:
            return False
        return condition(document)

    return matches


class _Conditions:
    """Recursive descent over `||`, `&&`, parentheses and comparisons."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        position = 0
        text = text.strip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise invalid()
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()
        self._next = 0

    def parse(self) -> _Value:
        condition = self._any()
        if self._next != len(self._tokens):
            raise invalid()
        return condition

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "")

    def _take(self, *kinds: str) -> tuple[str, str]:
        token = self._peek()
        if token[0] not in kinds:
            raise invalid()
        self._next += 1
        return token

    def _any(self) -> _Value:
        parts = [self._all()]
        while self._peek() == ("op", "||"):
            self._next += 1
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda doc: any(part(doc) for part in parts)

    def _all(self) -> _Value:
        parts = [self._one()]
        while self._peek() == ("op", "&&"):
            self._next += 1
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda doc: all(part(doc) for part in parts)

    def _one(self) -> _Value:
        if self._peek() == ("op", "("):
            self._next += 1
            inner = self._any()
            if self._take("op")[1] != ")":
                raise invalid()
            return inner
        _, selector = self._take("selector")
        path = _path(selector)
        kind, operator = self._take("op", "word")
        if kind == "word":
            return self._word_condition(path, operator)
        test = _comparison(operator, *self._take("string", "word", "regex"))
        return lambda doc: any(test(value) for value in _select(doc, path))

    def _word_condition(self, path: list[str | int], word: str) -> _Value:
        if word == "EXISTS":
            return lambda doc: bool(_select(doc, path))
        if word == "NOT" and self._take("word")[1] == "EXISTS":
            return lambda doc: not _select(doc, path)
        if word == "IS":
            wanted = {"TRUE": True, "FALSE": False, "NULL": None}
            name = self._take("word")[1]
            if name not in wanted:
                raise invalid()
            expected = wanted[name]
            return lambda doc: any(value is expected for value in _select(doc, path))
        raise invalid()


def _path(selector: str) -> list[str | int]:
    steps: list[str | int] = []
    for name, index, quoted in re.findall(
        r"\.([A-Za-z0-9_\-]+|\*)|\[(\d+|\*)\]|\[[\"']([^\"']*)[\"']\]", selector
    ):
        if name or quoted:
            steps.append(name or quoted)
        else:
            steps.append(index if index == "*" else int(index))
    return steps


def _select(document: Any, path: list[str | int]) -> list[Any]:
    found = [document]
    for step in path:
        found = [reached for value in found for reached in _step(value, step)]
    return found


def _step(value: Any, step: str | int) -> list[Any]:
    if isinstance(value, dict):
        if step == "*":
            return list(value.values())
        return [value[step]] if step in value else []
    if isinstance(value, list):
        if step == "*":
            return value
        return [value[step]] if isinstance(step, int) and step < len(value) else []
    return []


def _comparison(operator: str, kind: str, text: str) -> _Value:
    number = _number(text) if kind == "word" else None
    if kind == "regex":
        regex = _regex(text)
        if operator not in ("=", "!="):
            raise invalid()
        return lambda value: (
            isinstance(value, str) and (regex.search(value) is not None) == (operator == "=")
        )
    if number is not None:
        tests: dict[str, Callable[[float], bool]] = {
            "=": lambda value: value == number,
            "!=": lambda value: value != number,
            "<": lambda value: value < number,
            "<=": lambda value: value <= number,
            ">": lambda value: value > number,
            ">=": lambda value: value >= number,
        }
        if operator not in tests:
            raise invalid()
        numeric = tests[operator]
        return lambda value: (
            isinstance(value, int | float) and not isinstance(value, bool) and numeric(value)
        )
    if operator not in ("=", "!="):
        raise invalid()
    wild = re.compile(
        ".*".join(re.escape(part) for part in re.sub(r"\\(.)", r"\1", text).split("*")),
        re.DOTALL,
    )
    return lambda value: (
        isinstance(value, str | bool | int | float)
        and (wild.fullmatch(_plain(value)) is not None) == (operator == "=")
    )


def _plain(value: str | bool | float) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


# Space-delimited fields ------------------------------------------------------------------

_COMPARISON = re.compile(r"(?P<name>[^\s=!<>]+)\s*(?P<op>!=|<=|>=|=|<|>)\s*(?P<value>.+)")


def _field_pattern(text: str) -> Test:
    tests: list[_Value | None] = []
    rest: int | None = None
    for index, field in enumerate(part.strip() for part in text.split(",")):
        if field in ("...", ".."):
            if rest is not None:
                raise invalid()
            rest = index
            tests.append(None)
        else:
            tests.append(_field_test(field))

    def matches(message: str) -> bool:
        fields = [_unwrapped(field) for field in _FIELD.findall(message)]
        wanted = tests
        if rest is not None:
            gap = len(fields) - (len(tests) - 1)
            if gap < 0:
                return False
            wanted = [*tests[:rest], *[None] * gap, *tests[rest + 1 :]]
        return len(fields) == len(wanted) and all(
            test is None or test(field) for test, field in zip(wanted, fields, strict=True)
        )

    return matches


def _unwrapped(field: str) -> str:
    return field[1:-1] if field[0] in '"[' and len(field) > 1 else field


def _field_test(field: str) -> _Value | None:
    alternatives: list[list[_Value]] = []
    for alternative in field.split("||"):
        matches = [_COMPARISON.fullmatch(part.strip()) for part in alternative.split("&&")]
        conditions = [_field_comparison(match) for match in matches if match is not None]
        if not conditions:
            return None
        alternatives.append(conditions)
    return lambda value: any(
        all(condition(value) for condition in conditions) for conditions in alternatives
    )


def _field_comparison(match: re.Match[str]) -> _Value:
    text = match["value"].strip()
    if len(text) > 1 and text[0] == text[-1] == "%":
        return _comparison(match["op"], "regex", text[1:-1])
    if len(text) > 1 and text[0] == text[-1] == '"':
        return _comparison(match["op"], "string", text[1:-1])
    test = _comparison(match["op"], "word", text)
    if _number(text) is None:
        return test

    def numeric(value: str) -> bool:
        number = _number(value)
        return number is not None and test(number)

    return numeric


def selected(pattern: str, selector: str, message: str) -> str | None:
    """What a selector of a metric filter means in a message: `$.ms` of JSON, `$bytes` of the
    fields that the pattern names; None when it is not there."""
    if selector.startswith(("$.", "$[")):
        try:
            found = _select(json.loads(message), _path(selector))
        except (ValueError, RecursionError):
            return None
        value = found[0] if found else None
        if isinstance(value, bool) or value is None or isinstance(value, (dict, list)):
            return None
        return str(value)
    return extracted(pattern, message).get(selector)


def extracted(pattern: str, message: str) -> dict[str, str]:
    """What the fields of a space-delimited pattern, or the selectors of a JSON pattern, are in
    a message."""
    text = pattern.strip()
    if text.startswith("{"):
        selectors = [m["selector"] for m in _TOKEN.finditer(text[1:-1]) if m["selector"]]
        values = {one: selected(pattern, one, message) for one in selectors}
        return {one: value for one, value in values.items() if value is not None}
    if not text.startswith("["):
        return {}
    fields = [_unwrapped(field) for field in _FIELD.findall(message)]
    names = [part.strip() for part in text[1:-1].split(",")]
    if "..." in names:
        at = names.index("...")
        names[at : at + 1] = [""] * max(0, len(fields) - len(names) + 1)
    found = {}
    for place, (name, field) in enumerate(zip(names, fields, strict=False), 1):
        known = re.match(r"[A-Za-z_]\w*", name)
        found[f"${known[0] if known else place}"] = field
    return found
