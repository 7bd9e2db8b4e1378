"""REST-XML: HTTP bindings around XML bodies; S3's own habits are in `conventions`.

Source: Smithy, "AWS restXml protocol"; Amazon S3 API Reference, "Error responses".
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

from lambent.core.errors import AwsError
from lambent.protocol.contract import WireResponse
from lambent.protocol.conventions import Conventions
from lambent.protocol.errors import ErrorShapes, message_member
from lambent.protocol.http_bindings import compile_headers, response_body
from lambent.protocol.model import OperationModel, ServiceModel, XmlNamespace, namespace
from lambent.protocol.operation import CompiledOperation
from lambent.protocol.rest import compile_rest
from lambent.protocol.shapes import Shape
from lambent.protocol.xml_tree import Element, parse_xml
from lambent.protocol.xml_values import (
    escape,
    members_writer,
    namespace_attribute,
    structure_reader,
    xml_reader,
    xml_writer,
)

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


class XmlBody:
    """Bodies of XML."""

    content_type = "application/xml"

    def __init__(self, model: ServiceModel, habits: Conventions) -> None:
        self._habits = habits
        self._read = xml_reader()
        self._write = xml_writer(habits.millis)
        uri = habits.xml_namespace
        self._namespace = XmlNamespace(uri) if uri else namespace(model.metadata.xml_namespace)

    def members_reader(
        self, operation: OperationModel, members: dict[str, Shape], shape: Shape
    ) -> Callable[[bytes], dict[str, Any]]:
        read = structure_reader(members, frozenset(shape.model.required), self._read)
        return lambda data: self._parsed(read, data) if data else {}

    def payload_reader(self, member: Shape) -> Callable[[bytes], Any]:
        read = self._read(member)
        if not self._habits.strict_roots:
            return lambda data: self._parsed(read, data)
        root = member.wire_name or member.name

        def read_root(element: Element) -> Any:
            if element.name != root:
                raise ValueError(f"not a {root}: {element.name}")
            return read(element)

        return lambda data: self._parsed(read_root, data)

    def _parsed(self, read: Callable[[Element], Any], data: bytes) -> Any:
        try:
            return read(parse_xml(data))
        except (ValueError, OverflowError) as error:
            message = self._habits.body_message or str(error)
            raise AwsError(self._habits.body_code, message, 400) from error

    def members_writer(
        self, operation: OperationModel, members: dict[str, Shape], shape: Shape
    ) -> Callable[[Mapping[str, Any]], bytes]:
        only = self._habits.bare_outputs.get(operation.name)
        own = shape.xml_namespace or self._namespace
        more = namespace_attribute(own)
        if only is not None:
            return lambda result: _document(
                f"<{only}{more}>{escape(result.get(only) or '')}</{only}>"
            )
        root = self._habits.roots.get(operation.name) or shape.wire_name or shape.name
        content = members_writer(members, self._write)

        def write(result: Mapping[str, Any]) -> bytes:
            out = [f"<{root}{more}>"]
            content(result, out)
            out.append(f"</{root}>")
            return _document("".join(out))

        return write

    def payload_writer(self, member: Shape) -> Callable[[Any], bytes]:
        root = member.wire_name or member.name
        element = self._write(member)
        more = "" if member.xml_namespace else namespace_attribute(self._namespace)

        def write(value: Any) -> bytes:
            out: list[str] = []
            element(root, value, out)
            # The service's namespace belongs on the root, beside what the shape itself says.
            out[0] = out[0].replace(f"<{root}", f"<{root}{more}", 1)
            return _document("".join(out))

        return write

    def error_members(self, members: dict[str, Shape], values: Mapping[str, Any]) -> str:
        """An error's members as elements."""
        out: list[str] = []
        members_writer(members, self._write)(values, out)
        return "".join(out)


def _document(text: str) -> bytes:
    return (_DECLARATION + text).encode("utf-8", "replace")


def _plain_ids(request_id: str) -> list[tuple[str, str]]:
    return [("x-amzn-RequestId", request_id)]


def extended_id(request_id: str) -> str:
    """S3's second id of a request (`x-amz-id-2`), 76 characters that follow from the first."""
    return b64encode(hashlib.sha512(request_id.encode()).digest()[:57]).decode("ascii")


def _s3_ids(request_id: str) -> list[tuple[str, str]]:
    return [("x-amz-request-id", request_id), ("x-amz-id-2", extended_id(request_id))]


class RestXmlProtocol:
    """Compiles a service's operations to REST-XML."""

    def __init__(self, model: ServiceModel, habits: Conventions) -> None:
        self._model = model
        self._habits = habits
        self._body = XmlBody(model, habits)
        self._ids = _s3_ids if habits.bare_errors else _plain_ids
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
            self._ids,
        )

    def error(self, error: AwsError, request_id: str) -> WireResponse:
        """An error: bare as S3 has it, or within `ErrorResponse`."""
        form = self._errors.form(error)
        headers = self._ids(request_id)
        if form.status != 304:
            headers.append(("Content-Type", "application/xml"))
        modelled: dict[str, Shape] = {}
        if form.shape is not None:
            skip = message_member(form)
            inside = response_body(form.shape)
            modelled = {name: member for name, member in inside.items() if name != skip}
            headers += compile_headers(form.shape)(error.members)
        headers.extend(error.headers.items())
        content = self._body.error_members(modelled, error.members)
        # Members that the model lacks (S3's BucketName, Key, Resource) are plain text.
        content += "".join(
            f"<{name}>{escape(str(value))}</{name}>"
            for name, value in error.members.items()
            if (form.shape is None or name not in form.shape.members) and value is not None
        )
        code, message = escape(form.query_code), escape(error.message)
        identity = f"<RequestId>{escape(request_id)}</RequestId>"
        if self._habits.bare_errors:
            document = (
                f"<Error><Code>{code}</Code><Message>{message}</Message>{content}{identity}"
                f"<HostId>{extended_id(request_id)}</HostId></Error>"
            )
        else:
            fault = "Receiver" if form.status >= 500 else "Sender"
            more = namespace_attribute(namespace(self._model.metadata.xml_namespace))
            document = (
                f"<ErrorResponse{more}><Error><Type>{fault}</Type><Code>{code}</Code>"
                f"<Message>{message}</Message>{content}</Error>{identity}</ErrorResponse>"
            )
        return WireResponse(form.status, headers, _document(document))
