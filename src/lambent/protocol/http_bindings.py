"""Members that travel outside the body: labels, query strings, headers, the status code.

Source: Smithy, "HTTP binding traits".
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any

from lambent.core.errors import AwsError
from lambent.protocol.contract import WireRequest
from lambent.protocol.json_values import decode_value, encode
from lambent.protocol.routes import Template, query_pairs
from lambent.protocol.shapes import Shape
from lambent.protocol.texts import from_text, integer, to_text

_IN_REQUESTS = frozenset({"uri", "querystring", "header", "headers"})
_IN_RESPONSES = frozenset({"header", "headers", "statusCode"})
_QUOTED = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*?))\s*(?:,|$)', re.DOTALL)
_BREAKS = re.compile(r"[\r\n\x00]+")

Bind = Callable[[dict[str, Any], WireRequest], None]
BindHeaders = Callable[[Mapping[str, Any]], list[tuple[str, str]]]


def request_body(shape: Shape) -> dict[str, Shape]:
    """An input's members that lie in the body."""
    return {n: m for n, m in shape.members.items() if m.location not in _IN_REQUESTS}


def response_body(shape: Shape) -> dict[str, Shape]:
    """An output's or error's members that lie in the body."""
    return {n: m for n, m in shape.members.items() if m.location not in _IN_RESPONSES}


# Requests ------------------------------------------------------------------------------


def compile_inputs(shape: Shape, template: Template, code: str) -> list[Bind]:
    """Functions that each put some of an input's members into the parameters.

    They raise AwsError `code` for text that does not fit its shape.
    """
    by_location: dict[str, dict[str, Shape]] = {}
    for name, member in shape.members.items():
        if member.location in _IN_REQUESTS:
            by_location.setdefault(member.location, {})[name] = member
    binds = []
    if template.labels:
        binds.append(_labels(by_location.get("uri", {}), template, code))
    if "querystring" in by_location:
        binds.append(_query(by_location["querystring"], code))
    if "header" in by_location:
        binds.append(_headers(by_location["header"], code))
    for name, member in by_location.get("headers", {}).items():
        binds.append(_prefixed(name, (member.wire_name or "").lower()))
    return binds


def _converted(code: str, name: str, convert: Callable[[Any], Any], value: Any) -> Any:
    try:
        return convert(value)
    except (ValueError, OverflowError) as error:
        shown = value if isinstance(value, str) else ", ".join(value)
        message = f"Provided {name} is not valid: {shown}"
        if convert is integer:
            message = f"Provided {name} not an integer or within integer range"
        members = {"ArgumentName": name, "ArgumentValue": shown}
        raise AwsError(code, message, 400, members) from error


def _labels(members: dict[str, Shape], template: Template, code: str) -> Bind:
    known = {
        member.wire_name or name: (name, from_text(member)) for name, member in members.items()
    }

    def bind(params: dict[str, Any], request: WireRequest) -> None:
        for label, text in (template.match(request.path) or {}).items():
            if label in known:
                name, convert = known[label]
                params[name] = _converted(code, label, convert, text)

    return bind


def _query(members: dict[str, Shape], code: str) -> Bind:
    lists: dict[str, tuple[str, Callable[[list[str]], Any]]] = {}
    single: dict[str, tuple[str, Callable[[str], Any]]] = {}
    rest: tuple[str, bool] | None = None
    for name, member in members.items():
        wire = member.wire_name or name
        if member.type == "list":
            lists[wire] = name, _each(from_text(member.member))
        elif member.type == "map":
            rest = name, member.value.type == "list"
        else:
            single[wire] = name, from_text(member)

    def bind(params: dict[str, Any], request: WireRequest) -> None:
        if not request.query:
            return
        several: dict[str, list[str]] = {}
        other: dict[str, list[str]] = {}
        for wire, text in query_pairs(request.query):
            if wire in single:
                name, convert = single[wire]
                params[name] = _converted(code, wire, convert, text)
            elif wire in lists:
                several.setdefault(wire, []).append(text)
            elif rest is not None:
                other.setdefault(wire, []).append(text)
        for wire, texts in several.items():
            name, convert_all = lists[wire]
            params[name] = _converted(code, wire, convert_all, texts)
        if rest is not None and other:
            params[rest[0]] = other if rest[1] else {key: v[-1] for key, v in other.items()}

    return bind


def _each(convert: Callable[[str], Any]) -> Callable[[list[str]], Any]:
    return lambda texts: [convert(text) for text in texts]


def _headers(members: dict[str, Shape], code: str) -> Bind:
    known = {
        (member.wire_name or name).lower(): (name, header_reader(member), member.type)
        for name, member in members.items()
    }

    def bind(params: dict[str, Any], request: WireRequest) -> None:
        for wire, text in request.headers.items():
            found = known.get(wire)
            if found is None:
                continue
            name, convert, kind = found
            try:
                params[name] = convert(text)
            except (ValueError, OverflowError, AwsError):
                # HTTP has a date that is none ignored (RFC 9110, 13.1.3 and 13.1.4).
                if kind != "timestamp":
                    _converted(code, wire, _refuse, text)

    return bind


def _refuse(text: str) -> None:
    raise ValueError(text)


def _prefixed(name: str, prefix: str) -> Bind:
    def bind(params: dict[str, Any], request: WireRequest) -> None:
        found = {
            key[len(prefix) :]: value
            for key, value in request.headers.items()
            if key.startswith(prefix)
        }
        if found:
            params[name] = found

    return bind


def header_reader(shape: Shape) -> Callable[[str], Any]:
    """Reads a header's text."""
    if shape.jsonvalue:
        return lambda text: decode_value(b64decode(text))
    if shape.type == "list":
        convert = from_text(shape.member)
        if shape.member.type == "timestamp" and shape.member.timestamp_format in (None, "rfc822"):
            return lambda text: [convert(each) for each in _dates(text)]
        return lambda text: [convert(each) for each in _split(text)]
    return from_text(shape)


def _split(text: str) -> list[str]:
    """A header's comma-separated values; those in quotes may hold commas."""
    if not text:
        return []
    if '"' not in text:
        return [each.strip() for each in text.split(",")]
    values, place = [], 0
    while place < len(text):
        found = _QUOTED.match(text, place)
        if found is None:
            raise ValueError(f"not a list: {text!r}")
        quoted, bare = found.groups()
        values.append(bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        place = found.end()
    return values


def _dates(text: str) -> list[str]:
    """Dates of the form `Mon, 16 Dec 2019 23:48:18 GMT`, separated by commas."""
    parts = [part.strip() for part in text.split(",")]
    return [", ".join(parts[start : start + 2]) for start in range(0, len(parts), 2)]


# Responses -----------------------------------------------------------------------------


def compile_headers(shape: Shape) -> BindHeaders:
    """A function from a result to the headers that its members make."""
    known = {
        name: (member.wire_name or name, header_writer(member))
        for name, member in shape.members.items()
        if member.location == "header"
    }
    prefixes = [
        (name, member.wire_name or "")
        for name, member in shape.members.items()
        if member.location == "headers"
    ]

    def bind(result: Mapping[str, Any]) -> list[tuple[str, str]]:
        out = []
        # A result has few of the many members that a shape may have.
        for name, value in result.items():
            found = known.get(name)
            if found is not None and value is not None:
                out.append((found[0], clean(found[1](value))))
        for name, prefix in prefixes:
            for key, value in (result.get(name) or {}).items():
                if value is not None:
                    out.append((clean(prefix + key), clean(str(value))))
        return out

    return bind


def header_writer(shape: Shape) -> Callable[[Any], str]:
    """Writes a header's text."""
    if shape.jsonvalue:
        return lambda value: b64encode(encode(value)).decode("ascii")
    if shape.type == "list":
        text = to_text(shape.member, "rfc822")
        quote = shape.member.type == "string"
        return lambda value: ", ".join(
            _quoted(text(each)) if quote else text(each) for each in value
        )
    return to_text(shape, "rfc822")


def _quoted(text: str) -> str:
    if "," not in text and '"' not in text:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def clean(text: str) -> str:
    """A header's text without line breaks, which would begin another header."""
    return text if text.isprintable() else _BREAKS.sub(" ", text)


def status_member(shape: Shape) -> str | None:
    """The member that is the HTTP status, if any."""
    return next((n for n, m in shape.members.items() if m.location == "statusCode"), None)
