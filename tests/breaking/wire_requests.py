"""Makes requests that are right but for one member, for every operation of a service.

A right request is made from botocore's model (required members, and the member under test);
then the member is left out, or set to something that it must not be, on the wire: JSON
values, form fields, headers, query and XML texts. So no client-side check stands between.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.serialize import create_serializer

JSON_VALUES: tuple[Any, ...] = (
    None,
    "",
    "x",
    "W10=",
    "eyJhIjpbMV19",
    "9" * 5000,
    "\ud800\x00\u200b",
    -1,
    10**30,
    1.5,
    True,
    [],
    {},
    [None],
    [[{}]],
    {"a": {"b": [1]}},
)
TEXTS = (
    "",
    "x",
    "W10=",
    "eyJhIjpbMV19",
    "-1",
    "99999999999999999999",
    "1.5e300",
    "a" * 3000,
    "\u00e9\x01",
)


@dataclass(frozen=True)
class Wire:
    """A request, and what was done to it."""

    operation: str
    changed: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Maker:
    """Requests for one service. `known` are values by member name, for what exists."""

    def __init__(self, model: ServiceModel, known: Mapping[str, Any]) -> None:
        self.model = model
        self.known = known
        self.protocol = model.metadata["protocol"]
        self.serializer = create_serializer(self.protocol, include_validation=False)

    def sample(self, shape: Shape, name: str, depth: int = 0) -> Any:
        """A value that the model allows, as far as it says."""
        if name in self.known:
            return self.known[name]
        if isinstance(shape, StructureShape):
            return self.members(shape, depth)
        if isinstance(shape, ListShape):
            return [self.sample(shape.member, shape.member.name, depth + 1)]
        if isinstance(shape, MapShape):
            key = self.sample(shape.key, shape.key.name, depth + 1)
            return {key: self.sample(shape.value, shape.value.name, depth + 1)}
        kind = shape.type_name
        if kind == "string":
            text = shape.enum[0] if getattr(shape, "enum", None) else "abcd"
            return text.ljust(int(shape.metadata.get("min", 0)), "a")
        if kind in ("integer", "long", "float", "double"):
            return max(1, int(shape.metadata.get("min", 1)))
        return {"boolean": True, "blob": b"abcd", "timestamp": 1_700_000_000}[kind]

    def members(self, shape: StructureShape, depth: int, also: str | None = None) -> dict[str, Any]:
        """The required members, and `also`; of a union its first."""
        wanted = list(shape.required_members)
        if not wanted and depth and shape.members:
            wanted = [next(iter(shape.members))]
        if also is not None and also not in wanted:
            wanted.append(also)
        if depth > 4:
            return {}
        return {name: self.sample(shape.members[name], name, depth + 1) for name in wanted}

    def requests(self, operation: OperationModel) -> Iterator[Wire]:
        """Every request for an operation, the right one first."""
        shape = operation.input_shape
        if shape is None:
            yield self.wire(operation, {}, "nothing")
            return
        yield self.wire(operation, self.members(shape, 0), "nothing")
        for name in shape.members:
            right = self.members(shape, 0, name)
            yield self.wire(operation, right, f"{name} present")
            left = {key: value for key, value in right.items() if key != name}
            location = shape.members[name].serialization.get("location")
            if location != "uri":  # a path cannot be made without it
                yield self.wire(operation, left, f"{name} missing")
            if location in ("uri", "querystring", "header", "headers"):
                yield from self._as_text(operation, right, name)
            elif self.protocol in ("json", "rest-json"):
                yield from self._as_json(operation, right, name)
            elif self.protocol == "query":
                yield from self._as_form(operation, right, name)
            else:
                yield from self._as_xml(operation, right, name)

    def wire(self, operation: OperationModel, params: Mapping[str, Any], changed: str) -> Wire:
        made = self.serializer.serialize_to_request(dict(params), operation)
        query = made["query_string"]
        if isinstance(query, Mapping):
            query = urlencode(query, doseq=True, quote_via=quote)
        path = made["url_path"]
        if query:
            path += ("&" if "?" in path else "?") + query
        body = made["body"]
        headers = {str(k): str(v) for k, v in made["headers"].items()}
        if isinstance(body, Mapping):
            body = urlencode(body, quote_via=quote).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = body.encode() if isinstance(body, str) else (body or b"")
        return Wire(operation.name, changed, made["method"], path, headers, bytes(body))

    def _as_text(
        self, operation: OperationModel, right: dict[str, Any], name: str
    ) -> Iterator[Wire]:
        shape = operation.input_shape.members[name]
        mark = "QmarkQ"
        if shape.type_name not in ("string", "list", "map"):
            mark = "1700000000"
            base = self.wire(operation, {**right, name: int(mark)}, "")
        elif shape.type_name == "string":
            base = self.wire(operation, {**right, name: mark}, "")
        else:
            return
        for text in TEXTS:
            quoted = quote(text, safe="")
            headers = {
                key: value.replace(mark, re.sub(r"[^ -~]", "?", text))
                for key, value in base.headers.items()
            }
            path = base.path.replace(mark, quoted)
            yield replace(base, changed=f"{name}={text[:20]!r}", path=path, headers=headers)

    def _as_json(
        self, operation: OperationModel, right: dict[str, Any], name: str
    ) -> Iterator[Wire]:
        base = self.wire(operation, right, "")
        shape = operation.input_shape.members[name]
        key = shape.serialization.get("name", name)
        try:
            document = json.loads(base.body or b"{}")
        except ValueError:
            document = None
        if not isinstance(document, dict) or key not in document:
            for value in JSON_VALUES:
                yield replace(base, changed=f"body={value!r}"[:60], body=_json(value))
            return
        for where, changed in _variants(document[key]):
            yield replace(
                base,
                changed=f"{name}{where}={changed!r}"[:80],
                body=_json({**document, key: changed}),
            )

    def _as_form(
        self, operation: OperationModel, right: dict[str, Any], name: str
    ) -> Iterator[Wire]:
        made = self.serializer.serialize_to_request(dict(right), operation)
        form: dict[str, str] = dict(made["body"])
        base = self.wire(operation, right, "")
        fields = [field for field in form if field.split(".")[0] == name]
        for field in fields or [name]:
            for text in TEXTS:
                body = urlencode({**form, field: text}, quote_via=quote).encode()
                yield replace(base, changed=f"{field}={text[:20]!r}", body=body)
            for other in (f"{field}.1", f"{field}.member.x", f"{field}.entry.1.key", field + "."):
                body = urlencode({**form, other: "x"}, quote_via=quote).encode()
                yield replace(base, changed=f"{other}=x", body=body)

    def _as_xml(
        self, operation: OperationModel, right: dict[str, Any], name: str
    ) -> Iterator[Wire]:
        base = self.wire(operation, right, "")
        text = base.body.decode("utf-8", "replace")
        entity = "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"
        for junk in ("", "x", "<a>", "<a/>", "[]", entity):
            yield replace(base, changed=f"{name}: body={junk!r}", body=junk.encode())
        for found in re.finditer(r">([^<>]+)<", text):
            for value in TEXTS[:-1]:
                body = text[: found.start(1)] + value + text[found.end(1) :]
                yield replace(
                    base, changed=f"{name}: {found[1]!r}={value[:20]!r}", body=body.encode()
                )
        for tag in sorted(set(re.findall(r"<(\w+)>", text))):
            body = re.sub(rf"<{tag}>.*?</{tag}>", "", text, flags=re.S)
            yield replace(base, changed=f"{name}: no <{tag}>", body=body.encode())
            doubled = re.sub(rf"(<{tag}>.*?</{tag}>)", r"\1\1<b><c/></b>", text, flags=re.S)
            yield replace(base, changed=f"{name}: two <{tag}>", body=doubled.encode())


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _variants(value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The value with itself, or one thing in it, made wrong."""
    for wrong in JSON_VALUES:
        yield "", wrong
    if depth > 3:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f".{key} missing", {k: v for k, v in value.items() if k != key}
            for where, changed in _variants(inner, depth + 1):
                yield f".{key}{where}", {**value, key: changed}
        yield ".unknown", {**value, "Unknown": 1}
    if isinstance(value, list) and value:
        for where, changed in _variants(value[0], depth + 1):
            yield f"[0]{where}", [changed, *value[1:]]
        yield "[twice]", [*value, *value]
        yield "[many]", value * 300
