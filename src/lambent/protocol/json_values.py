"""JSON documents to parameters and back, compiled per shape. Shared by all JSON protocols.

Wrong types raise SerializationException in the words of AWS's framework.
"""

from __future__ import annotations

import math
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import msgspec

from lambent.core.errors import AwsError
from lambent.protocol.shapes import Compiler, Shape
from lambent.protocol.timestamps import checked, formatted, parse_timestamp, unix

Read = Callable[[Any], Any]
Write = Callable[[Any], Any]

_decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode

_JAVA_TYPES = {
    "string": "String",
    "integer": "Integer",
    "long": "Long",
    "float": "Float",
    "double": "Double",
    "boolean": "Boolean",
    "blob": "ByteBuffer",
    "timestamp": "Date",
}
_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def serialization_error(message: str) -> AwsError:
    """The error of a body that does not fit its shape."""
    return AwsError("SerializationException", message, 400)


def decode_object(body: bytes, explain: bool = True) -> dict[str, Any]:
    """A JSON object; an empty body is an empty one.

    Of a body that is no JSON, AWS JSON services say nothing but that: `explain` False.
    """
    if not body:
        return {}
    document = decode_value(body, explain)
    if type(document) is not dict:
        wrong("structure", document)
    return document


def decode_value(body: bytes | str, explain: bool = True) -> Any:
    """Any JSON value."""
    try:
        return _decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        message = f"Could not parse request body into json: {error}" if explain else ""
        raise serialization_error(message) from error


def wrong(kind: str, value: Any) -> NoReturn:
    """Raise for a JSON value where a shape of another type belongs."""
    if isinstance(value, dict):
        raise serialization_error("Start of structure or map found where not expected")
    if isinstance(value, list):
        raise serialization_error("Start of list found where not expected")
    if kind == "structure":
        raise serialization_error("Unexpected value type in payload")
    if kind in ("list", "map"):
        raise serialization_error("Unexpected field type")
    token = (
        "NULL_VALUE"
        if value is None
        else "TRUE_VALUE"
        if value is True
        else "FALSE_VALUE"
        if value is False
        else "STRING_VALUE"
        if isinstance(value, str)
        else "NUMBER_VALUE"
        if isinstance(value, int)
        else "DECIMAL_VALUE"
    )
    raise serialization_error(f"{token} cannot be converted to {_JAVA_TYPES.get(kind, kind)}")


# Reading -------------------------------------------------------------------------------


def reader(scalars: Mapping[str, Read] | None = None) -> Compiler[Read]:
    """A compiler of functions from a decoded document to a parameter.

    `scalars` by type are those of JSON unless given.
    """
    known = scalars or SCALARS

    def build(shape: Shape, compiler: Compiler[Read]) -> Read:
        return _reader(shape, compiler, known)

    return Compiler(build, lambda cell: lambda value: cell[0](value))


def _reader(shape: Shape, compiler: Compiler[Read], scalars: Mapping[str, Read]) -> Read:
    if shape.model.document:
        return _same
    if shape.type == "structure":
        return structure_reader(shape.members, compiler)
    if shape.type == "list":
        return _list_reader(compiler(shape.member))
    if shape.type == "map":
        return _map_reader(compiler(shape.value))
    return scalars[shape.type]


def structure_reader(members: dict[str, Shape], compiler: Compiler[Read]) -> Read:
    """Reads the given members of a structure; unknown ones and nulls are passed over."""
    known = {member.wire_name or name: (name, compiler(member)) for name, member in members.items()}

    def read(value: Any) -> Any:
        if type(value) is not dict:
            wrong("structure", value)
        out = {}
        for key, item in value.items():
            found = known.get(key)
            if found is not None and item is not None:
                name, convert = found
                # Most members are strings, which are taken as they are.
                if convert is _string and type(item) is str:
                    out[name] = item
                else:
                    out[name] = convert(item)
        return out

    return read


def _list_reader(convert: Read) -> Read:
    def read(value: Any) -> Any:
        if type(value) is not list:
            wrong("list", value)
        return [convert(item) for item in value if item is not None]

    return read


def _map_reader(convert: Read) -> Read:
    def read(value: Any) -> Any:
        if type(value) is not dict:
            wrong("map", value)
        return {key: convert(item) for key, item in value.items() if item is not None}

    return read


def _same(value: Any) -> Any:
    return value


def _string(value: Any) -> Any:
    if type(value) is not str:
        wrong("string", value)
    return value


def _whole(kind: str) -> Read:
    bits = 31 if kind == "integer" else 63
    low, high = -(1 << bits), (1 << bits) - 1

    def read(value: Any) -> Any:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            wrong(kind, value)
        if not low <= value <= high:
            raise serialization_error(f"NUMBER_VALUE cannot be converted to {_JAVA_TYPES[kind]}")
        return value

    return read


def _floating(kind: str) -> Read:
    def read(value: Any) -> Any:
        if type(value) is str and value in _FLOATS:
            return _FLOATS[value]
        if type(value) is not float and type(value) is not int:
            wrong(kind, value)
        try:
            return float(value)
        except OverflowError:
            wrong(kind, value)

    return read


def _boolean(value: Any) -> Any:
    if type(value) is not bool:
        wrong("boolean", value)
    return value


def _blob(value: Any) -> Any:
    if type(value) is not str:
        wrong("blob", value)
    try:
        return a2b_base64(value, strict_mode=True)
    except ValueError as error:
        raise serialization_error("STRING_VALUE cannot be converted to ByteBuffer") from error


def _timestamp(value: Any) -> Any:
    try:
        if type(value) is float or type(value) is int:
            return checked(value)
        if type(value) is str:
            return parse_timestamp(value)
    except (ValueError, OverflowError):
        pass
    return wrong("timestamp", value)


SCALARS: dict[str, Read] = {
    "string": _string,
    "character": _string,
    "integer": _whole("integer"),
    "long": _whole("long"),
    "bigInteger": _whole("long"),
    "float": _floating("float"),
    "double": _floating("double"),
    "bigDecimal": _floating("double"),
    "boolean": _boolean,
    "blob": _blob,
    "timestamp": _timestamp,
}


# Writing -------------------------------------------------------------------------------


def writer(
    scalar: Callable[[Shape], Write | None] | None = None,
) -> Compiler[Write | None]:
    """A compiler of functions from a result to a document that can be encoded.

    None stands for values that are encoded as they are. `scalar` makes the functions of
    scalars, JSON's unless given.
    """
    leaf = scalar or _scalar_writer

    def build(shape: Shape, compiler: Compiler[Write | None]) -> Write | None:
        return _writer(shape, compiler, leaf)

    return Compiler(build, _later)


def _later(cell: list[Write | None]) -> Write:
    def write(value: Any) -> Any:
        found = cell[0]
        return value if found is None else found(value)

    return write


def _writer(
    shape: Shape, compiler: Compiler[Write | None], leaf: Callable[[Shape], Write | None]
) -> Write | None:
    if shape.model.document:
        return None
    if shape.type == "structure":
        return structure_writer(shape.members, compiler)
    if shape.type == "list":
        return _list_writer(compiler(shape.member))
    if shape.type == "map":
        return _map_writer(compiler(shape.value))
    return leaf(shape)


def _scalar_writer(shape: Shape) -> Write | None:
    if shape.type == "timestamp":
        return _timestamp_writer(shape.timestamp_format)
    if shape.type in ("float", "double"):
        return _write_float
    return None


def structure_writer(members: dict[str, Shape], compiler: Compiler[Write | None]) -> Write:
    """Writes the given members of a structure; others and None are left out."""
    known = {name: (member.wire_name or name, compiler(member)) for name, member in members.items()}

    def write(value: Any) -> Any:
        out = {}
        for name, item in value.items():
            found = known.get(name)
            if found is not None and item is not None:
                key, convert = found
                out[key] = item if convert is None else convert(item)
        return out

    return write


def _list_writer(convert: Write | None) -> Write | None:
    if convert is None:
        return None

    def write(value: Any) -> Any:
        return [convert(item) for item in value]

    return write


def _map_writer(convert: Write | None) -> Write | None:
    if convert is None:
        return None

    def write(value: Any) -> Any:
        return {key: convert(item) for key, item in value.items()}

    return write


def _timestamp_writer(form: str | None) -> Write:
    if form in (None, "unixTimestamp"):
        return unix
    return lambda value: formatted(form or "", value)


def _write_float(value: Any) -> Any:
    if value != value:
        return "NaN"
    if value in (math.inf, -math.inf):
        return "Infinity" if value > 0 else "-Infinity"
    return value
