"""botocore's protocol cases as data, and botocore's own parsers to judge answers with."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from botocore.awsrequest import HeadersDict
from botocore.model import NoShapeFoundError, OperationModel, Shape
from botocore.model import ServiceModel as BotocoreModel
from botocore.parsers import PROTOCOL_PARSERS
from botocore.utils import parse_timestamp

from lambent.protocol.catalog import Codec, traits
from lambent.protocol.contract import WireRequest, WireResponse
from lambent.protocol.model import ServiceModel

FOLDER = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Case:
    """One case: `model` is the suite's service with this operation alone."""

    id: str
    protocol: str
    model: dict[str, Any]
    data: dict[str, Any]

    @property
    def operation(self) -> str:
        return str(self.data["given"]["name"])

    def codec(self) -> Codec:
        model = msgspec.convert(self.model, ServiceModel)
        return Codec(traits("case", model.metadata), self.protocol, model)

    def botocore(self) -> tuple[BotocoreModel, OperationModel]:
        model = BotocoreModel(self.model)
        return model, OperationModel(self.data["given"], model)


def load(direction: str) -> Iterator[Case]:
    """All cases of one direction: "input" or "output"."""
    for path in sorted((FOLDER / direction).glob("*.json")):
        for suite in json.loads(path.read_text()):
            for number, data in enumerate(suite["cases"]):
                model = {
                    "metadata": suite["metadata"],
                    "shapes": suite["shapes"],
                    "operations": {data["given"]["name"]: data["given"]},
                }
                name = data.get("id") or f"{suite['description']}:{number}"
                yield Case(f"{path.stem}/{name}", suite["metadata"]["protocol"], model, data)


def request_of(case: Case) -> WireRequest:
    """The HTTP request that the case expects of a client."""
    wire = case.data["serialized"]
    path, _, query = wire.get("uri", "/").partition("?")
    text = wire.get("body", "")
    body = base64.b64decode(text) if "cbor" in case.protocol else text.encode()
    headers = {key.lower(): value for key, value in wire.get("headers", {}).items()}
    return WireRequest(wire.get("method", "POST"), path, query, headers, body)


def expected_params(case: Case) -> dict[str, Any]:
    """The case's parameters; a map of query parameters without those bound elsewhere.

    Smithy's cases repeat the bound ones in the map or not, as they like.
    """
    params: dict[str, Any] = dict(case.data["params"])
    shapes = case.model["shapes"]
    reference = case.data["given"].get("input")
    members = shapes[reference["shape"]]["members"] if reference else {}
    query = {name: each for name, each in members.items() if each.get("location") == "querystring"}
    bound = {each.get("locationName", name) for name, each in query.items()}
    for name, each in query.items():
        if name in params and shapes[each["shape"]]["type"] == "map":
            free = {key: value for key, value in params[name].items() if key not in bound}
            params[name] = free or None
    return params


def plain(value: Any) -> Any:
    """Parameters as the cases write them: blobs as text, special floats as words, and what
    is None left out, for nothing on the wire tells it from what is absent."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
    return value


def as_result(shape: Shape | None, value: Any) -> Any:
    """The case's value as an operation would return it: blobs as bytes, floats as such."""
    if shape is None or value is None:
        return value
    if shape.type_name == "structure" and isinstance(value, dict):
        if getattr(shape, "is_document_type", False):
            return value
        members = shape.members
        return {key: as_result(members.get(key), item) for key, item in value.items()}
    if shape.type_name == "list":
        return [as_result(shape.member, item) for item in value]
    if shape.type_name == "map":
        return {key: as_result(shape.value, item) for key, item in value.items()}
    if shape.type_name == "blob":
        return value.encode() if isinstance(value, str) else value
    if shape.type_name in ("float", "double") and isinstance(value, str):
        return float(value)
    return value


def _epoch(value: Any) -> float:
    return float(parse_timestamp(value).timestamp())


def parsed_by_botocore(case: Case, response: WireResponse) -> dict[str, Any]:
    """What botocore's own parser makes of our response."""
    model, operation = case.botocore()
    body = response.body
    assert isinstance(body, bytes)
    raw = {
        "status_code": response.status,
        "headers": HeadersDict(
            {key: value for key, value in response.headers if key != "x-amzn-RequestId"}
        ),
        "body": body,
        "context": {"operation_name": case.operation},
    }
    output = operation.output_shape
    if case.protocol == "query" and output is not None and output.members:
        output.serialization["resultWrapper"] = f"{case.operation}Result"
    parser = PROTOCOL_PARSERS[case.protocol](timestamp_parser=_epoch)
    parsed: dict[str, Any] = parser.parse(raw, output)
    if response.status >= 300:
        try:
            shape = model.shape_for_error_code(parsed["Error"]["Code"])
        except NoShapeFoundError:
            shape = None
        if shape is not None:
            parsed.update(parser.parse(raw, shape))
    parsed.pop("ResponseMetadata", None)
    if "Error" in parsed:
        parsed["Error"] = {key: parsed["Error"].get(key) or "" for key in ("Code", "Message")}
    return parsed
