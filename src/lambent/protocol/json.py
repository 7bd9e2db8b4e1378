"""AWS JSON 1.0 and 1.1: the operation in `X-Amz-Target`, everything else in a JSON body.

Source: Smithy, "AWS JSON 1.0 protocol", "AWS JSON 1.1 protocol", "awsQueryCompatible".
"""

from __future__ import annotations

import zlib
from typing import Any

from lambent.core.context import Params, Result
from lambent.core.errors import AwsError
from lambent.protocol.contract import WireRequest, WireResponse
from lambent.protocol.conventions import COMMON_TYPES, Conventions
from lambent.protocol.errors import ErrorForm, ErrorShapes, message_member
from lambent.protocol.json_fit import fit
from lambent.protocol.json_types import UNFIT, JsonTypes
from lambent.protocol.json_values import SCALARS, decode_object, encode, reader, writer
from lambent.protocol.model import OperationModel, ServiceModel
from lambent.protocol.operation import CompiledOperation
from lambent.protocol.shapes import Shape

_NULL = b":null"
"""What a result with None in it has in its document, and perhaps another one too."""


class JsonProtocol:
    """Compiles a service's operations to AWS JSON."""

    def __init__(self, model: ServiceModel, habits: Conventions) -> None:
        version = model.metadata.json_version or "1.0"
        self._model = model
        self._habits = habits
        self._type = f"application/x-amz-json-{version}"
        self._read = reader()
        self._write = writer()
        self._types = JsonTypes(SCALARS)
        self._fit = fit()
        self._errors = ErrorShapes(model, habits)

    def compile(self, operation: OperationModel) -> CompiledOperation:
        """One operation."""
        taken = Shape(self._model.shapes, operation.input)
        decode, read = self._types.decoder(taken), self._read(taken)
        given = Shape(self._model.shapes, operation.output)
        fits, write = self._fit(given), self._write(given)
        content_type, crc32 = self._type, self._habits.crc32

        def parse(request: WireRequest) -> Params:
            body = request.body
            assert isinstance(body, bytes)
            try:
                return decode(body)  # type: ignore[no-any-return]
            except UNFIT:
                return read(decode_object(body, explain=False))  # type: ignore[no-any-return]

        def serialize(result: Result, request_id: str) -> WireResponse:
            body = encode(result) if result and (fits is None or fits(result)) else b""
            if not body or _NULL in body:
                body = encode(write(result)) if result and write else b"{}"
            headers = [("x-amzn-RequestId", request_id), ("Content-Type", content_type)]
            if crc32:
                headers.append(("x-amz-crc32", str(zlib.crc32(body))))
            return WireResponse(200, headers, body)

        def serialize_nothing(result: Result, request_id: str) -> WireResponse:
            headers = [("x-amzn-RequestId", request_id), ("Content-Type", content_type)]
            if crc32:
                headers.append(("x-amz-crc32", "0"))
            return WireResponse(200, headers, b"")

        return CompiledOperation(
            operation.name, False, parse, serialize if operation.output else serialize_nothing
        )

    def error(self, error: AwsError, request_id: str) -> WireResponse:
        """An error."""
        form = self._errors.form(error)
        body = encode(self._document(error, form))
        headers = [("x-amzn-RequestId", request_id), ("Content-Type", self._type)]
        if self._model.metadata.aws_query_compatible is not None:
            fault = "Receiver" if form.status >= 500 else "Sender"
            headers.append(("x-amzn-query-error", f"{form.query_code};{fault}"))
        if self._habits.crc32:
            headers.append(("x-amz-crc32", str(zlib.crc32(body))))
        headers.extend(error.headers.items())
        return WireResponse(form.status, headers, body)

    def _document(self, error: AwsError, form: ErrorForm) -> dict[str, Any]:
        prefix = self._habits.type_namespace
        message = message_member(form) or "message"
        members = self._errors.members(error, form)
        if prefix is None:
            prefix = ""
        elif form.shape is None:
            prefix = COMMON_TYPES.get(form.name, "com.amazon.coral.service#")
            if prefix.endswith("service#"):
                message = "Message"
        name = form.name
        if prefix.endswith("service#") and not name.endswith(("Exception", "Failure")):
            name += "Exception"  # the framework's errors, which the query protocol shortens
        document: dict[str, Any] = {"__type": prefix + name}
        if error.message:
            document[message] = error.message
        if form.shape is not None and members:
            write = self._write(form.shape)
            document |= members if write is None else write(members)
        return document
