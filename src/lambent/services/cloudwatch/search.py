"""SEARCH expressions: which metrics they mean. Plain.

    SEARCH('{AWS/Lambda,FunctionName} MetricName="Errors" thumb', 'Sum', 300)

A schema in braces names the namespace and exactly the dimensions; words and `"phrases"` must
each occur in one of the metric's parts; `Name="value"` is one dimension's (or MetricName's or
Namespace's) value; OR and NOT stand before or between terms. Source: CloudWatch User Guide,
"CloudWatch search expression syntax".
"""

from __future__ import annotations

import re
from typing import Final

from lambent.services.cloudwatch.math.tree import Broken
from lambent.services.cloudwatch.model import Listed

_SCHEMA: Final = re.compile(r"\s*\{([^}]*)\}\s*")
_TERM: Final = re.compile(
    r"\s*(?:(?P<open>\()|(?P<close>\))|(?P<name>[\w.:-]+)\s*=\s*(?:\"(?P<exact>[^\"]*)\"|"
    r"(?P<value>[^\s()\"]+))|\"(?P<phrase>[^\"]*)\"|(?P<word>[^\s()\"]+))"
)
MOST: Final = 500
"""How many metrics one search finds at most."""


def matches(query: str, metric: Listed) -> bool:
    """Whether the search means the metric. Broken when it is no search."""
    schema = _SCHEMA.match(query)
    rest = query
    if schema is not None:
        namespace, *names = [_unquoted(part) for part in schema[1].split(",")]
        if namespace != metric.namespace:
            return False
        if sorted(names) != [name for name, _ in metric.dimensions]:
            return False
        rest = query[schema.end() :]
    return _Terms(rest, metric).hold()


def _unquoted(text: str) -> str:
    return text.strip().strip('"')


class _Terms:
    """The terms after the schema, evaluated from left to right; OR binds loosest."""

    def __init__(self, text: str, metric: Listed) -> None:
        self._text = text.rstrip()
        self._at = 0
        self._metric = metric
        dimensions = [part for pair in metric.dimensions for part in pair]
        self._parts = [p.lower() for p in (metric.namespace, metric.name, *dimensions)]

    def hold(self) -> bool:
        found = self._any()
        if self._at < len(self._text):
            raise Broken("The search cannot be read to its end.")
        return found

    def _any(self) -> bool:
        found = self._all()
        while self._word("OR"):
            found = self._all() or found
        return found

    def _all(self) -> bool:
        found = True
        while self._at < len(self._text) and not self._ahead(")") and not self._ahead("OR"):
            if not self._word("AND"):
                found = self._one() and found
        return found

    def _one(self) -> bool:
        if self._word("NOT"):
            return not self._one()
        term = _TERM.match(self._text, self._at)
        if term is None:
            raise Broken("The search cannot be read.")
        self._at = term.end()
        if term["open"]:
            found = self._any()
            closing = _TERM.match(self._text, self._at)
            if closing is None or not closing["close"]:
                raise Broken("')' is missing.")
            self._at = closing.end()
            return found
        if term["close"]:
            raise Broken("Unexpected ')'.")
        if term["name"]:
            return self._named(term["name"], term["exact"], term["value"])
        wanted = (term["phrase"] if term["phrase"] is not None else term["word"]).lower()
        return any(wanted in part for part in self._parts)

    def _named(self, name: str, exact: str | None, value: str | None) -> bool:
        metric = self._metric
        if name == "MetricName":
            held: str | None = metric.name
        elif name == "Namespace":
            held = metric.namespace
        else:
            held = dict(metric.dimensions).get(name)
        if held is None:
            return False
        return held == exact if exact is not None else (value or "").lower() in held.lower()

    def _ahead(self, word: str) -> bool:
        return re.match(rf"\s*{re.escape(word)}(?![\w=])", self._text[self._at :]) is not None

    def _word(self, word: str) -> bool:
        found = re.match(rf"\s*{word}(?=[\s(])", self._text[self._at :])
        if found is not None:
            self._at += found.end()
        return found is not None
