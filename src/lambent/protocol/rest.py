"""What REST-JSON and REST-XML have in common: bindings around a body in some format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from lambent.core.context import Params, Result
from lambent.core.errors import AwsError
from lambent.core.streams import StreamingResult
from lambent.protocol import eventstream
from lambent.protocol.contract import WireRequest, WireResponse
from lambent.protocol.conventions import Conventions
from lambent.protocol.http_bindings import (
    compile_headers,
    compile_inputs,
    request_body,
    response_body,
    status_member,
)
from lambent.protocol.model import OperationModel
from lambent.protocol.operation import CompiledOperation
from lambent.protocol.routes import Template
from lambent.protocol.shapes import Shape

_TEXT = ("string", "character")
_DOCUMENTS = ("structure", "list", "map")


class BodyFormat(Protocol):
    """How documents lie in a body. Readers raise AwsError for what they cannot read."""

    content_type: str

    def members_reader(
        self, operation: OperationModel, members: dict[str, Shape], shape: Shape
    ) -> Callable[[bytes], dict[str, Any]]:
        """Reads the members of an input that has no payload member."""
        ...

    def payload_reader(self, member: Shape) -> Callable[[bytes], Any]:
        """Reads a payload member."""
        ...

    def members_writer(
        self, operation: OperationModel, members: dict[str, Shape], shape: Shape
    ) -> Callable[[Mapping[str, Any]], bytes]:
        """Writes the members of an output that has no payload member."""
        ...

    def payload_writer(self, member: Shape) -> Callable[[Any], bytes]:
        """Writes a payload member."""
        ...


RequestIds = Callable[[str], list[tuple[str, str]]]


def compile_rest(
    operation: OperationModel,
    input_shape: Shape,
    output_shape: Shape,
    body: BodyFormat,
    habits: Conventions,
    request_ids: RequestIds,
) -> CompiledOperation:
    """One operation."""
    streaming = _payload_member(input_shape)
    return CompiledOperation(
        operation.name,
        streaming is not None and streaming.streaming,
        _compile_parse(operation, input_shape, body, habits),
        _compile_serialize(operation, output_shape, body, habits, request_ids),
    )


def _payload_member(shape: Shape) -> Shape | None:
    name = shape.model.payload
    return shape.members[name] if name else None


def _compile_parse(
    operation: OperationModel, shape: Shape, body: BodyFormat, habits: Conventions
) -> Callable[[WireRequest], Params]:
    template = Template.parse(operation.http.request_uri)
    binds = compile_inputs(shape, template, habits.binding_code)
    read = _body_reader(operation, shape, body, habits)

    def parse(request: WireRequest) -> Params:
        params: Params = {}
        for bind in binds:
            bind(params, request)
        if read is not None:
            read(params, request.body)
        return params

    return parse


def _body_reader(
    operation: OperationModel, shape: Shape, body: BodyFormat, habits: Conventions
) -> Callable[[Params, Any], None] | None:
    member, name = _payload_member(shape), shape.model.payload
    if member is None or name is None:
        inside = request_body(shape)
        if not inside:
            return None
        read_members = body.members_reader(operation, inside, shape)
        return lambda params, data: params.update(read_members(data))

    if member.streaming:

        def read_stream(params: Params, data: Any) -> None:
            params[name] = data

        return read_stream

    convert = _payload_converter(member, body)
    missing = habits.missing_body if name in shape.model.required else None

    def read_payload(params: Params, data: Any) -> None:
        if data:
            params[name] = convert(data)
        elif missing is not None:
            raise AwsError(*missing, 400)

    return read_payload


def _payload_converter(member: Shape, body: BodyFormat) -> Callable[[bytes], Any]:
    if member.type == "blob":
        return _same
    if member.type in _TEXT and not member.jsonvalue:
        return _text
    return body.payload_reader(member)


def _same(data: bytes) -> bytes:
    return data


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AwsError("SerializationException", "The body is not UTF-8 text.", 400) from error


def _compile_serialize(
    operation: OperationModel,
    shape: Shape,
    body: BodyFormat,
    habits: Conventions,
    request_ids: RequestIds,
) -> Callable[[Result, str], WireResponse]:
    bind_headers = compile_headers(shape)
    status_name = status_member(shape)
    default_status = operation.http.response_code or 200
    # RFC 9110: what carries Content-Range is a part of the whole, and says so.
    partial = "ContentRange" in shape.members
    write = _body_writer(operation, shape, body, habits)

    def serialize(result: Result, request_id: str) -> WireResponse:
        result = result or {}
        headers = request_ids(request_id)
        headers += bind_headers(result)
        status = (result.get(status_name) if status_name else None) or default_status
        if partial and result.get("ContentRange"):
            status = 206
        content_type, data = write(result)
        if content_type and not any(key.lower() == "content-type" for key, _ in headers):
            headers.append(("Content-Type", content_type))
        if isinstance(data, StreamingResult):
            headers.extend(data.headers.items())
        return WireResponse(status, headers, data)

    return serialize


def _body_writer(
    operation: OperationModel, shape: Shape, body: BodyFormat, habits: Conventions
) -> Callable[[Mapping[str, Any]], tuple[str, bytes | StreamingResult]]:
    member, name = _payload_member(shape), shape.model.payload
    if member is None or name is None:
        inside = response_body(shape)
        if not inside or operation.http.response_code == 204:
            return lambda result: ("", b"")
        write_members = body.members_writer(operation, inside, shape)
        return lambda result: (body.content_type, write_members(result))

    if member.event_stream:
        events = eventstream.writer(member, body.payload_writer)
        return lambda result: (eventstream.CONTENT_TYPE, events(result[name]))

    document = member.type in _DOCUMENTS or member.jsonvalue
    kind = (
        body.content_type
        if document
        else habits.blob_type
        if member.type == "blob"
        else habits.text_type
    )
    convert = body.payload_writer(member) if document else _raw

    def write(result: Mapping[str, Any]) -> tuple[str, bytes | StreamingResult]:
        value = result.get(name)
        return ("", b"") if value is None else (kind, convert(value))

    return write


def _raw(value: Any) -> Any:
    return value.encode("utf-8") if isinstance(value, str) else value
