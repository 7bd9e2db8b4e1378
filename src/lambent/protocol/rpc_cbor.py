"""RPC v2 CBOR: the operation in the path, everything else in a CBOR body.

`POST /service/{target}/operation/{operation}` with `smithy-protocol: rpc-v2-cbor`.
Source: Smithy, "Smithy RPC v2 CBOR protocol".
"""

from __future__ import annotations

import re
from typing import Any

from lambent.core.context import Params, Result
from lambent.core.errors import AwsError
from lambent.protocol.cbor import Epoch, decode, encode
from lambent.protocol.contract import WireRequest, WireResponse
from lambent.protocol.conventions import Conventions
from lambent.protocol.errors import ErrorShapes, message_member
from lambent.protocol.json_values import SCALARS, Write, reader, serialization_error, writer, wrong
from lambent.protocol.model import OperationModel, ServiceModel
from lambent.protocol.operation import CompiledOperation
from lambent.protocol.shapes import Shape

_PATH = re.compile(r".*/service/[^/]+/operation/([^/]+)/?")
_PROTOCOL = ("smithy-protocol", "rpc-v2-cbor")
_TYPE = ("Content-Type", "application/cbor")


def operation_in(path: str) -> str | None:
    """The operation that a request's path names."""
    found = _PATH.fullmatch(path)
    return found[1] if found else None


def _bytes(value: Any) -> Any:
    if type(value) is not bytes:
        wrong("blob", value)
    return value


def _scalar(shape: Shape) -> Write | None:
    if shape.type == "timestamp":
        return Epoch
    return float if shape.type in ("float", "double") else None


class CborProtocol:
    """Compiles a service's operations to RPC v2 CBOR."""

    def __init__(self, model: ServiceModel, habits: Conventions) -> None:
        self._model = model
        self._habits = habits
        self._read = reader({**SCALARS, "blob": _bytes, "timestamp": _timestamp})
        self._write = writer(_scalar)
        self._errors = ErrorShapes(model, habits)

    def compile(self, operation: OperationModel) -> CompiledOperation:
        """One operation."""
        read = self._read(Shape(self._model.shapes, operation.input))
        write = self._write(Shape(self._model.shapes, operation.output))
        has_output = operation.output is not None

        def parse(request: WireRequest) -> Params:
            body = request.body
            assert isinstance(body, bytes)
            if not body:
                return {}
            try:
                document = decode(body)
            except ValueError as error:
                raise serialization_error(str(error)) from error
            return read(document)  # type: ignore[no-any-return]

        def serialize(result: Result, request_id: str) -> WireResponse:
            headers = [("x-amzn-RequestId", request_id), _PROTOCOL]
            if not has_output:
                return WireResponse(200, headers)
            document = write(result or {}) if write else {}
            return WireResponse(200, [*headers, _TYPE], encode(document))

        return CompiledOperation(operation.name, False, parse, serialize)

    def error(self, error: AwsError, request_id: str) -> WireResponse:
        """An error."""
        form = self._errors.form(error)
        document: dict[str, Any] = {"__type": (self._habits.type_namespace or "") + form.name}
        if error.message:
            document[message_member(form) or "message"] = error.message
        members = self._errors.members(error, form)
        if form.shape is not None and members:
            write = self._write(form.shape)
            document |= members if write is None else write(members)
        headers = [("x-amzn-RequestId", request_id), _PROTOCOL, _TYPE]
        if self._model.metadata.aws_query_compatible is not None:
            fault = "Receiver" if form.status >= 500 else "Sender"
            headers.append(("x-amzn-query-error", f"{form.query_code};{fault}"))
        return WireResponse(form.status, [*headers, *error.headers.items()], encode(document))


def _timestamp(value: Any) -> Any:
    return float(SCALARS["timestamp"](float(value) if isinstance(value, Epoch) else value))
