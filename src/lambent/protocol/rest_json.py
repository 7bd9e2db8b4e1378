"""REST-JSON: HTTP bindings around JSON bodies.

Source: Smithy, "AWS restJson1 protocol".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lambent.core.errors import AwsError
from lambent.protocol.contract import WireResponse
from lambent.protocol.conventions import Conventions
from lambent.protocol.errors import ErrorShapes, message_member
from lambent.protocol.http_bindings import compile_headers, response_body
from lambent.protocol.json_values import (
    decode_object,
    decode_value,
    encode,
    reader,
    structure_reader,
    structure_writer,
    writer,
)
from lambent.protocol.model import OperationModel, ServiceModel
from lambent.protocol.operation import CompiledOperation
from lambent.protocol.rest import compile_rest
from lambent.protocol.shapes import Shape


class JsonBody:
    """Bodies of JSON."""

    content_type = "application/json"

    def __init__(self) -> None:
        self._read = reader()
        self._write = writer()

    def members_reader(
        self, operation: OperationModel, members: dict[str, Shape], shape: Shape
    ) -> Callable[[bytes], dict[str, Any]]:
        read = structure_reader(members, self._read)
        return lambda data: read(decode_object(data))

    def payload_reader(self, member: Shape) -> Callable[[bytes], Any]:
        read = self._read(member)
        return lambda data: read(decode_value(data))

    def members_writer(
        self, operation: OperationModel, members: dict[str, Shape], shape: Shape
    ) -> Callable[[Mapping[str, Any]], bytes]:
        write = structure_writer(members, self._write)
        return lambda result: encode(write(result))

    def payload_writer(self, member: Shape) -> Callable[[Any], bytes]:
        write = self._write(member)
        return encode if write is None else lambda value: encode(write(value))

    def error_writer(self, members: dict[str, Shape]) -> Callable[[Any], Any]:
        """Makes a document of an error's members."""
        return structure_writer(members, self._write)


def _request_ids(request_id: str) -> list[tuple[str, str]]:
    return [("x-amzn-RequestId", request_id)]


class RestJsonProtocol:
    """Compiles a service's operations to REST-JSON."""

    def __init__(self, model: ServiceModel, habits: Conventions) -> None:
        self._model = model
        self._habits = habits
        self._body = JsonBody()
        self._errors = ErrorShapes(model, habits)

    def compile(self, operation: OperationModel) -> CompiledOperation:
        """One operation."""
        shapes = self._model.shapes
        return compile_rest(
            operation,
            Shape(shapes, operation.input),
            Shape(shapes, operation.output),
            self._body,
            self._habits,
            _request_ids,
        )

    def error(self, error: AwsError, request_id: str) -> WireResponse:
        """An error: its name in `x-amzn-ErrorType`, its members in the body and headers."""
        form = self._errors.form(error)
        headers = [
            ("x-amzn-RequestId", request_id),
            ("x-amzn-ErrorType", form.name),
            ("Content-Type", "application/json"),
        ]
        members = self._errors.members(error, form)
        document: dict[str, Any] = {}
        if form.shape is not None:
            document = self._body.error_writer(response_body(form.shape))(members)
            headers += compile_headers(form.shape)(members)
        if error.message:
            document[message_member(form) or "message"] = error.message
        headers.extend(error.headers.items())
        return WireResponse(form.status, headers, encode(document))
