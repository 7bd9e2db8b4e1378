"""The query protocol: `Action=...&Name.member.1=...` as a form or query string, XML back.

Source: Smithy, "AWS query protocol". Lists come as `Name.member.N` or, flattened, `Name.N`;
maps as `Name.entry.N.key` and `.value`, or flattened without `entry`. A flattened list or map
of one may lack its number, as in older clients' `Attribute.Name`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import parse_qsl

from lambent.core.context import Params, Result
from lambent.core.errors import AwsError
from lambent.protocol.contract import WireRequest, WireResponse
from lambent.protocol.conventions import Conventions
from lambent.protocol.errors import ErrorShapes, message_member
from lambent.protocol.model import OperationModel, ServiceModel, XmlNamespace, namespace
from lambent.protocol.operation import CompiledOperation
from lambent.protocol.shapes import Compiler, Shape
from lambent.protocol.texts import from_text
from lambent.protocol.xml_values import escape, members_writer, namespace_attribute, xml_writer

CONTENT_TYPE = "text/xml"


class Field:
    """What the form has under one dotted prefix: its own value, and what lies below."""

    __slots__ = ("below", "text")

    def __init__(self) -> None:
        self.text: str | None = None
        self.below: dict[str, Field] = {}


ReadField = Callable[[Field], Any]

_MOST_FIELDS: Final = 100_000
_DEEPEST: Final = 32
"""What a form may have: far more than any operation takes, and parsed within a moment."""


def _pairs(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)


def parse_form(request: WireRequest) -> Field:
    """The form of a request: its query string and its body together."""
    body = request.body
    assert isinstance(body, bytes)
    try:
        pairs = _pairs(request.query)
        pairs += _pairs(body.decode("utf-8"))
    except ValueError as error:
        raise AwsError("MalformedQueryString", "The query string is malformed.", 400) from error
    top = Field()
    for name, text in pairs:
        if name.count(".") > _DEEPEST:
            continue  # no shape is that deep
        field = top
        for part in name.split("."):
            found = field.below.get(part)
            if found is None:
                found = field.below[part] = Field()
            field = found
        field.text = text
    return top


# Reading -------------------------------------------------------------------------------


def _reader(shape: Shape, compiler: Compiler[ReadField]) -> ReadField:
    if shape.type == "structure":
        return _structure_reader(shape, compiler)
    if shape.type == "list":
        return _list_reader(shape, compiler)
    if shape.type == "map":
        return _map_reader(shape, compiler)
    scalar = from_text(shape)

    def read(field: Field) -> Any:
        if field.text is None:
            raise ValueError("a value was expected")
        return scalar(field.text)

    return read


def _structure_reader(shape: Shape, compiler: Compiler[ReadField]) -> ReadField:
    members: list[tuple[str, tuple[str, ...], ReadField]] = []
    for name, member in shape.members.items():
        names = [member.wire_name or name]
        if member.flattened and member.type == "map" and names[0] != name:
            names.append(name)
        if member.flattened and member.type == "list" and member.member.wire_name:
            # Clients put the name of the list's member in the place of the list's own.
            names.insert(0, member.member.wire_name)
        members.append((name, tuple(names), compiler(member)))

    def read(field: Field) -> Any:
        out = {}
        below = field.below
        for name, names, convert in members:
            for wire in names:
                found = below.get(wire)
                if found is not None:
                    out[name] = convert(found)
                    break
        return out

    return read


def _indexed(field: Field) -> Iterator[Field]:
    """What lies below by number, in the order of the numbers."""
    numbered = [(int(n), each) for n, each in field.below.items() if n.isdecimal() and len(n) < 9]
    numbered.sort(key=lambda pair: pair[0])
    return (each for _, each in numbered)


def _list_reader(shape: Shape, compiler: Compiler[ReadField]) -> ReadField:
    convert = compiler(shape.member)
    if shape.flattened:

        def read_flat(field: Field) -> Any:
            found = [convert(each) for each in _indexed(field)]
            # An empty list is sent as an empty text.
            return [convert(field)] if not found and field.text else found

        return read_flat
    names = tuple({shape.member.wire_name or "member", "member"})

    def read(field: Field) -> Any:
        found = next((field.below[name] for name in names if name in field.below), None)
        return [convert(each) for each in _indexed(found)] if found else []

    return read


def _map_reader(shape: Shape, compiler: Compiler[ReadField]) -> ReadField:
    key_name, value_name = shape.key.wire_name or "key", shape.value.wire_name or "value"
    key, value = compiler(shape.key), compiler(shape.value)
    flattened = shape.flattened

    def read(field: Field) -> Any:
        entries = field if flattened else field.below.get("entry")
        found = list(_indexed(entries)) if entries else []
        if not found and flattened and key_name in field.below:
            found = [field]
        out = {}
        for entry in found:
            if key_name not in entry.below or value_name not in entry.below:
                raise ValueError("a map's entry needs a key and a value")
            out[key(entry.below[key_name])] = value(entry.below[value_name])
        return out

    return read


# The protocol --------------------------------------------------------------------------


class QueryProtocol:
    """Compiles a service's operations to the query protocol."""

    def __init__(self, model: ServiceModel, habits: Conventions) -> None:
        uri = habits.query_xml_namespace
        self._model = model
        self._xmlns = namespace_attribute(
            XmlNamespace(uri) if uri else namespace(model.metadata.xml_namespace)
        )
        self._read: Compiler[ReadField] = Compiler(
            _reader, lambda cell: lambda field: cell[0](field)
        )
        self._write = xml_writer(habits.millis)
        self._declaration = '<?xml version="1.0"?>' if habits.query_detail else ""
        self._detail = "<Detail/>" if habits.query_detail else ""
        self._errors = ErrorShapes(model, habits)

    def compile(self, operation: OperationModel) -> CompiledOperation:
        """One operation."""
        shape = Shape(self._model.shapes, operation.input)
        read = self._read(shape)
        by_path = "QueueUrl" in shape.model.members
        head, content, tail = self._envelope(operation)

        def parse(request: WireRequest) -> Params:
            form = parse_form(request)
            try:
                params: Params = read(form)
            except (ValueError, OverflowError) as error:
                raise AwsError("MalformedInput", str(error), 400) from error
            if by_path and "QueueUrl" not in params and request.path.count("/") >= 2:
                # The queue's URL may be the request's own, with no parameter.
                params["QueueUrl"] = f"http://{request.headers.get('host', '')}{request.path}"
            return params

        def serialize(result: Result, request_id: str) -> WireResponse:
            out = [self._declaration, head]
            content(result or {}, out)
            out.append(
                f"{tail[0]}<ResponseMetadata><RequestId>{escape(request_id)}</RequestId>"
                f"</ResponseMetadata>{tail[1]}"
            )
            return self._response(200, "".join(out), request_id)

        return CompiledOperation(operation.name, False, parse, serialize)

    def _envelope(
        self, operation: OperationModel
    ) -> tuple[str, Callable[[Any, list[str]], None], tuple[str, str]]:
        name = operation.name
        head, end = f"<{name}Response{self._xmlns}>", f"</{name}Response>"
        output = Shape(self._model.shapes, operation.output)
        content = members_writer(output.members, self._write)
        if operation.output is None:
            return head, content, ("", end)
        wrapper = output.result_wrapper or f"{name}Result"
        return f"{head}<{wrapper}>", content, (f"</{wrapper}>", end)

    def error(self, error: AwsError, request_id: str) -> WireResponse:
        """An error."""
        form = self._errors.form(error)
        if error.code == "UnknownOperationException" and not error.message:
            # Nothing that an operation could be asked by: the framework's own answer.
            return self._response(form.status, "<UnknownOperationException/>", request_id)
        fault = "Receiver" if form.status >= 500 else "Sender"
        out = [
            f"{self._declaration}<ErrorResponse{self._xmlns}><Error><Type>{fault}</Type>"
            f"<Code>{escape(form.query_code)}</Code><Message>{escape(error.message)}</Message>"
        ]
        if form.shape is not None and error.members:
            skip = message_member(form)
            members = {n: s for n, s in form.shape.members.items() if n != skip}
            members_writer(members, self._write)(self._errors.members(error, form), out)
        out.append(
            f"{self._detail}</Error><RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
        )
        response = self._response(form.status, "".join(out), request_id)
        return WireResponse(
            response.status, [*response.headers, *error.headers.items()], response.body
        )

    def _response(self, status: int, document: str, request_id: str) -> WireResponse:
        return WireResponse(
            status,
            [("x-amzn-RequestId", request_id), ("Content-Type", CONTENT_TYPE)],
            document.encode("utf-8", "replace"),
        )
