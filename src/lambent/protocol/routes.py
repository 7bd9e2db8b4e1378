"""REST routing: method, path template and required query literals to an operation.

Of the operations whose template and literals match, the most specific wins: static
segments before labels, labels before greedy ones, then more literals, then more of its
required headers and query parameters in the request (which is how S3's UploadPart and
CopyObject differ from PutObject).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from lambent.protocol.contract import WireRequest

_MOST_KNOWN = 1024
"""Paths of a service whose operation is remembered, where nothing else tells it."""
_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A `requestUri`: labels are matched on the encoded path and decoded afterwards."""

    pattern: re.Pattern[str]
    labels: tuple[str, ...]
    literals: tuple[tuple[str, str | None], ...]
    rank: tuple[int, ...]
    """By segment: 0 static, 1 label, 2 greedy label; a smaller rank is more specific."""
    greedy: bool
    slashes: int

    @classmethod
    def parse(cls, uri: str) -> Template:
        """A template from the model's text."""
        path, _, query = uri.partition("?")
        segments = [segment for segment in path.split("/") if segment]
        parts, labels, rank = [], list[str](), list[int]()
        for segment in segments:
            found = _LABEL.findall(segment)
            labels += [name for name, _ in found]
            greedy = any(plus for _, plus in found)
            rank.append(2 if greedy else 1 if found else 0)
            parts.append(_segment_pattern(segment))
        greedy = 2 in rank
        end = "" if rank and rank[-1] == 2 else "/?"
        pattern = re.compile("/" + "/".join(parts) + end if parts else "/?", re.DOTALL)
        literals = tuple(
            (name, value if "=" in literal else None)
            for literal in query.split("&")
            if literal
            for name, _, value in [literal.partition("=")]
        )
        return cls(pattern, tuple(labels), literals, tuple(rank), greedy, len(segments))

    def match(self, path: str) -> dict[str, str] | None:
        """The decoded labels, or None when the path is another."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        return {name: unquote(text) for name, text in zip(self.labels, found.groups(), strict=True)}


def _segment_pattern(segment: str) -> str:
    out, place = [], 0
    for found in _LABEL.finditer(segment):
        out.append(re.escape(segment[place : found.start()]))
        out.append("(.+)" if found[2] else "([^/]+)")
        place = found.end()
    out.append(re.escape(segment[place:]))
    return "".join(out)


@dataclass(frozen=True, slots=True)
class Route:
    """One operation's place. `queries` and `headers` are required parameters."""

    operation: str
    method: str
    template: Template
    queries: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    deprecated: bool = False

    def order(self) -> tuple[object, ...]:
        """Sorts the more specific first."""
        template = self.template
        return (
            template.rank,
            -len(template.literals),
            -len(self.queries) - len(self.headers),
            self.deprecated,
            self.operation,
        )

    def wanted(self, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        """Whether the required parameters are in the request."""
        return all(name in query for name in self.queries) and all(
            name in headers for name in self.headers
        )

    def addressed(self, query: Mapping[str, str]) -> bool:
        """Whether the required query literals are in the request."""
        return all(
            name in query and (value is None or query[name] == value)
            for name, value in self.template.literals
        )


class Router:
    """All routes of a service."""

    def __init__(self, routes: Iterable[Route]) -> None:
        ordered = sorted(routes, key=Route.order)
        self._all = _Table(ordered)
        # A request without a query string addresses no query literal.
        plain = [route for route in ordered if not route.template.literals]
        self._plain = _Table(plain)
        self._by_path = not any(route.headers for route in plain)
        self._known: dict[tuple[str, str], str | None] = {}

    def find(self, request: WireRequest) -> str | None:
        """The operation's name, or None when nothing lies there."""
        if not request.query:
            if not self._by_path:
                return self._plain.find(request, {})
            key = (request.method, request.path)
            if key not in self._known:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[key] = self._plain.find(request, {})
            return self._known[key]
        return self._all.find(request, dict(query_pairs(request.query)))


class _Table:
    """Routes by what can be told at once: method, and depth unless a label is greedy."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[tuple[str, int], list[Route]] = {}
        self._greedy: dict[str, list[Route]] = {}
        for route in routes:
            if route.template.greedy:
                self._greedy.setdefault(route.method, []).append(route)
            else:
                key = route.method, route.template.slashes
                self._exact.setdefault(key, []).append(route)

    def find(self, request: WireRequest, query: Mapping[str, str]) -> str | None:
        path = request.path
        depth = 0 if path in ("", "/") else path.count("/", 0, len(path) - 1)
        for routes in (
            self._exact.get((request.method, depth), ()),
            self._greedy.get(request.method, ()),
        ):
            found = _first(routes, path, query, request.headers)
            if found is not None:
                return found
        return None


def _first(
    routes: Iterable[Route], path: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> str | None:
    second: Route | None = None
    matched: re.Pattern[str] | None = None
    missed: re.Pattern[str] | None = None
    for route in routes:
        pattern = route.template.pattern
        if pattern is missed:
            continue
        if pattern is not matched:
            # Neighbours of one template mostly share the pattern (re caches them): match once.
            if pattern.fullmatch(path) is None:
                missed = pattern
                continue
            matched = pattern
        if second is not None and route.template.rank != second.template.rank:
            break
        if not route.addressed(query):
            continue
        if route.wanted(query, headers):
            if second is None or route.template.literals == second.template.literals:
                return route.operation
            break
        if second is None or route.template.literals == second.template.literals:
            second = route
    return second.operation if second else None


def query_pairs(query: str) -> list[tuple[str, str]]:
    """The decoded pairs of a raw query string; `+` is a blank."""
    pairs = []
    for piece in query.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            pairs.append((_decoded(name), _decoded(value)))
    return pairs


def _decoded(text: str) -> str:
    if "+" in text:
        text = text.replace("+", " ")
    return unquote(text) if "%" in text else text
