"""Random parameters and results for real operations, and botocore's way with them."""

from __future__ import annotations

import functools
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore
from botocore.awsrequest import HeadersDict
from botocore.model import ServiceModel as BotocoreModel
from botocore.model import Shape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.utils import percent_encode_sequence
from hypothesis import strategies as st

from lambent.protocol.catalog import PROTOCOLS, Catalog
from lambent.protocol.contract import WireRequest, WireResponse
from lambent.protocol.conventions import conventions
from lambent.protocol.operation import CompiledOperation

CATALOG = Catalog()
FOLDER = Path(botocore.__file__).parent / "data"

_DEEPEST = 5
_HEADER_TEXT = st.text("abcXYZ019-_.:/+=~()", min_size=1, max_size=12)
_TEXT = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12
)
_TIME = st.integers(0, 4_000_000_000)


@functools.cache
def botocore_model(service: str) -> BotocoreModel:
    """botocore's view of the very file that we read."""
    path = max(FOLDER.glob(f"{service}/*/service-2.json.gz"))
    return BotocoreModel(json.loads(gzip.decompress(path.read_bytes())), service)


@functools.cache
def compiled(service: str, protocol: str, operation: str) -> CompiledOperation:
    """Our codec without the constraints, which random values would break."""
    model = CATALOG.service(service, protocol)._model
    wire = PROTOCOLS[protocol](model, conventions(service))
    return wire.compile(model.operations[operation])


def operations(service: str) -> list[str]:
    """The operations that have no event stream."""
    model = botocore_model(service)
    return [
        name
        for name in model.operation_names
        if not model.operation_model(name).has_event_stream_output
        and not model.operation_model(name).has_event_stream_input
    ]


def values(service: str, operation: str, direction: str) -> st.SearchStrategy[dict[str, Any]]:
    """Random members of the operation's input or output."""
    model = botocore_model(service).operation_model(operation)
    shape = model.input_shape if direction == "input" else model.output_shape
    return st.just({}) if shape is None else _top(shape).map(pruned)


@st.composite
def _top(draw: st.DrawFn, shape: Shape) -> dict[str, Any]:
    """A structure with those of its required members that its address or body stands on."""
    members = {
        name: member
        for name, member in shape.members.items()
        if member.serialization.get("location") != "statusCode"
    }
    payload = shape.serialization.get("payload")
    needed = {
        name
        for name in shape.required_members
        if "location" in members[name].serialization or name == payload
    }
    chosen = needed | _some(draw, members)
    return {name: draw(_member(member)) for name, member in members.items() if name in chosen}


def _some(draw: st.DrawFn, members: dict[str, Shape]) -> set[str]:
    return draw(st.sets(st.sampled_from(sorted(members)), max_size=6)) if members else set()


def _member(shape: Shape) -> st.SearchStrategy[Any]:
    location = shape.serialization.get("location")
    if location == "headers":
        return st.dictionaries(st.text("abc-9", min_size=1, max_size=6), _HEADER_TEXT, max_size=3)
    if location in ("header", "uri") and shape.type_name == "string":
        return _HEADER_TEXT
    if location == "header" and shape.type_name == "list":
        return st.lists(st.sampled_from(shape.member.enum or ["a", "b"]), min_size=1, max_size=3)
    return _value(shape, 0)


@st.composite
def _value(draw: st.DrawFn, shape: Shape, depth: int, needed: bool = False) -> Any:
    """A random value; required members are always there, and never empty when `needed`."""
    kind = shape.type_name
    if kind == "structure":
        members = shape.members
        chosen = set(shape.required_members)
        if depth < _DEEPEST:
            chosen |= _some(draw, members)
        if needed and not chosen and members:
            chosen = {sorted(members)[0]}
        return {
            name: draw(_value(members[name], depth + 1, name in shape.required_members or needed))
            for name in sorted(chosen)
        }
    if kind == "list":
        size = draw(st.integers(int(needed), 2)) if depth < _DEEPEST else int(needed)
        return [draw(_value(shape.member, depth + 1, needed)) for _ in range(size)]
    if kind == "map":
        size = draw(st.integers(int(needed), 2)) if depth < _DEEPEST else int(needed)
        keys = draw(st.sets(_TEXT, min_size=size, max_size=size))
        return {key: draw(_value(shape.value, depth + 1, needed)) for key in sorted(keys)}
    return draw(_SCALARS[kind])


_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": _TEXT,
    "character": _TEXT,
    "integer": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False, width=32),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "blob": st.binary(max_size=12),
    "timestamp": _TIME,
}


def pruned(value: Any) -> Any:
    """Without empty lists, maps and structures, of which some wire forms know nothing."""
    if isinstance(value, dict):
        kept = {key: pruned(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in ({}, [])}
    if isinstance(value, list):
        return [item for item in map(pruned, value) if item not in ({}, [])]
    return value


def _with_dates(shape: Shape | None, value: Any) -> Any:
    if shape is None:
        return value
    if shape.type_name == "structure":
        return {key: _with_dates(shape.members[key], item) for key, item in value.items()}
    if shape.type_name == "list":
        return [_with_dates(shape.member, item) for item in value]
    if shape.type_name == "map":
        return {key: _with_dates(shape.value, item) for key, item in value.items()}
    if shape.type_name == "timestamp":
        return datetime.fromtimestamp(value, UTC)
    return value


def botocore_request(
    service: str, protocol: str, operation: str, params: dict[str, Any]
) -> WireRequest:
    """The request that botocore makes of parameters."""
    model = botocore_model(service).operation_model(operation)
    serializer = create_serializer(protocol, include_validation=False)
    made = serializer.serialize_to_request(_with_dates(model.input_shape, params), model)
    path, _, query = made["url_path"].partition("?")
    more = made["query_string"]
    if isinstance(more, (dict, list)):
        more = percent_encode_sequence(more)
    query = "&".join(part for part in (query, more) if part)
    body = made["body"]
    if isinstance(body, dict):
        body = percent_encode_sequence(body)
    if isinstance(body, str):
        body = body.encode()
    headers = {key.lower(): str(value) for key, value in made["headers"].items()}
    return WireRequest(made["method"], path, query, headers, body)


def botocore_result(
    service: str, protocol: str, operation: str, response: WireResponse
) -> dict[str, Any]:
    """What botocore makes of a response."""
    model = botocore_model(service).operation_model(operation)
    body = response.body
    assert isinstance(body, bytes)
    raw = {
        "status_code": response.status,
        "headers": HeadersDict(dict(response.headers)),
        "body": memoryview(body) if model.has_streaming_output else body,
        "context": {"operation_name": operation},
    }
    output = model.output_shape
    if protocol == "query" and output is not None:
        output.serialization.setdefault("resultWrapper", f"{operation}Result")
    parsed: dict[str, Any] = create_parser(protocol).parse(raw, output)
    parsed.pop("ResponseMetadata", None)
    return _without_dates(parsed)  # type: ignore[no-any-return]


def _without_dates(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_dates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_dates(item) for item in value]
    if isinstance(value, datetime):
        return value.timestamp()
    return value
