"""Reads botocore's bundled service models, keeping only what the codecs need.

botocore itself is not imported (that costs 0.15 s and 20 MB); its data files are read with
msgspec, which never materialises the documentation they carry. A service takes 1 to 8 ms,
when it is first asked for; the head of its file, enough to identify requests, 0.1 ms.
"""

from __future__ import annotations

import importlib.util
import json
import re
import zlib
from pathlib import Path

import msgspec

from lambent.core.errors import StartupError


class XmlNamespace(msgspec.Struct, frozen=True):
    """`uri`, and the prefix it is bound to when it is not the default namespace."""

    uri: str = ""
    prefix: str | None = None


class ErrorTrait(msgspec.Struct, frozen=True, rename="camel"):
    """What an error shape says of its wire form."""

    code: str | None = None
    http_status_code: int | None = None
    sender_fault: bool | None = None


class Ref(msgspec.Struct, frozen=True, rename="camel"):
    """A use of a shape, with the traits of that use."""

    shape: str
    location: str | None = None
    location_name: str | None = None
    flattened: bool | None = None
    streaming: bool | None = None
    jsonvalue: bool | None = None
    timestamp_format: str | None = None
    xml_attribute: bool | None = None
    xml_namespace: XmlNamespace | str | None = None
    result_wrapper: str | None = None
    eventpayload: bool | None = None


class ShapeModel(msgspec.Struct, frozen=True, rename="camel"):
    """A shape as the model's file has it."""

    type: str
    members: dict[str, Ref] = {}
    member: Ref | None = None
    key: Ref | None = None
    value: Ref | None = None
    required: list[str] = []
    payload: str | None = None
    enum: list[str] | None = None
    pattern: str | None = None
    min: float | int | None = None
    max: float | int | None = None
    flattened: bool | None = None
    streaming: bool | None = None
    sensitive: bool | None = None
    document: bool | None = None
    jsonvalue: bool | None = None
    location_name: str | None = None
    timestamp_format: str | None = None
    xml_namespace: XmlNamespace | str | None = None
    error: ErrorTrait | None = None
    exception: bool | None = None
    fault: bool | None = None
    eventstream: bool | None = None


class Http(msgspec.Struct, frozen=True, rename="camel"):
    """Where an operation lies."""

    method: str = "POST"
    request_uri: str = "/"
    response_code: int | None = None


class OperationModel(msgspec.Struct, frozen=True, rename="camel"):
    """An operation as the model's file has it."""

    name: str
    http: Http = Http()
    input: Ref | None = None
    output: Ref | None = None
    deprecated: bool | None = None


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    """The head of a service model."""

    api_version: str = ""
    endpoint_prefix: str = ""
    protocol: str = ""
    protocols: list[str] = []
    json_version: str | None = None
    service_id: str = ""
    signing_name: str | None = None
    target_prefix: str | None = None
    xml_namespace: XmlNamespace | str | None = None
    aws_query_compatible: dict[str, str] | None = None


class ServiceModel(msgspec.Struct, frozen=True):
    """A whole service model."""

    metadata: Metadata
    operations: dict[str, OperationModel]
    shapes: dict[str, ShapeModel]


_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")

_decoder = msgspec.json.Decoder(ServiceModel)


def namespace(value: XmlNamespace | str | None) -> XmlNamespace | None:
    """The two spellings of an XML namespace in the models, made one."""
    return XmlNamespace(value) if isinstance(value, str) else value


def _data_folder() -> Path:
    spec = importlib.util.find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        raise StartupError("The botocore package, which holds the API models, is not installed.")
    return Path(spec.submodule_search_locations[0]) / "data"


class ModelFiles:
    """botocore's folder of service models."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or _data_folder()

    def _file(self, service: str) -> Path:
        if not _NAME.fullmatch(service):  # names come from requests
            raise KeyError(f"not a service: {service!r}")
        folder = self._folder / service
        # The newest API version is the one that today's clients speak.
        found = max(folder.glob("*/service-2.json*"), default=None)
        if found is None:
            raise KeyError(f"botocore has no model of the service {service!r}")
        return found

    def metadata(self, service: str) -> Metadata:
        """The head of a service's model, read without the rest; KeyError when unknown."""
        path = self._file(service)
        head = _inflate(path, 8192).decode("utf-8", "ignore")
        start = head.find('"metadata":')
        try:
            raw, _ = json.JSONDecoder().raw_decode(head[start + len('"metadata":') :].lstrip())
        except ValueError:
            return self.load(service).metadata
        return msgspec.convert(raw, Metadata)

    def load(self, service: str) -> ServiceModel:
        """A service's whole model; KeyError when unknown."""
        return _decoder.decode(_inflate(self._file(service)))


def _inflate(path: Path, limit: int = 0) -> bytes:
    data = path.read_bytes()
    if path.suffix != ".gz":
        return data[:limit] if limit else data
    return zlib.decompressobj(wbits=31).decompress(data, limit)
