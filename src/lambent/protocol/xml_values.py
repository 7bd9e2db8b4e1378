"""XML elements to parameters and results to XML, compiled per shape."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lambent.protocol.model import XmlNamespace
from lambent.protocol.shapes import Compiler, Shape
from lambent.protocol.texts import from_text, to_text
from lambent.protocol.xml_tree import Element

ReadXml = Callable[[Element], Any]
"""Raises ValueError when the element does not fit its shape."""

WriteXml = Callable[[str, Any, list[str]], None]
"""Adds an element of the given tag (and attributes' text, after a blank) to the output."""

_SPECIAL = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]')
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def escape(text: str) -> str:
    """Text as XML content or attribute value; control characters as references, as AWS."""
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda found: _NAMED.get(found[0]) or f"&#x{ord(found[0]):x};", text)


# Reading -------------------------------------------------------------------------------


def xml_reader() -> Compiler[ReadXml]:
    """A compiler of functions from an element to a parameter."""
    return Compiler(_reader, lambda cell: lambda element: cell[0](element))


def _reader(shape: Shape, compiler: Compiler[ReadXml]) -> ReadXml:
    if shape.type == "structure":
        return structure_reader(shape.members, frozenset(shape.model.required), compiler)
    if shape.type == "list":
        convert = compiler(shape.member)
        name = shape.member.wire_name or "member"
        return lambda element: [convert(child) for child in element.all(name)]
    if shape.type == "map":
        entry = _entry_reader(shape, compiler)
        return lambda element: dict(map(entry, element.all("entry")))
    scalar = from_text(shape)
    return lambda element: scalar(element.text)


def structure_reader(
    members: dict[str, Shape], required: frozenset[str], compiler: Compiler[ReadXml]
) -> ReadXml:
    """Reads the given members of a structure; ValueError when a required one is missing."""
    single: dict[str, tuple[str, ReadXml]] = {}
    flat: dict[str, tuple[str, ReadXml, bool]] = {}
    attributes: dict[str, tuple[str, Callable[[str], Any]]] = {}
    for name, member in members.items():
        tag = (member.wire_name or name).rpartition(":")[2]
        if member.xml_attribute:
            attributes[tag] = name, from_text(member)
        elif member.flattened and member.type == "list":
            flat[tag] = name, compiler(member.member), False
        elif member.flattened and member.type == "map":
            flat[tag] = name, _entry_reader(member, compiler), True
        else:
            single[tag] = name, compiler(member)
    needed = required & members.keys()

    def read(element: Element) -> Any:
        out: dict[str, Any] = {}
        for child in element.children:
            tag = child.name
            if tag in single:
                name, convert = single[tag]
                out[name] = convert(child)
            elif tag in flat:
                name, convert, is_map = flat[tag]
                if is_map:
                    key, value = convert(child)
                    out.setdefault(name, {})[key] = value
                else:
                    out.setdefault(name, []).append(convert(child))
        for tag, (name, scalar) in attributes.items():
            if tag in element.attributes:
                out[name] = scalar(element.attributes[tag])
        if needed and not needed <= out.keys():
            raise ValueError(f"missing: {', '.join(sorted(needed - out.keys()))}")
        return out

    return read


def _entry_reader(shape: Shape, compiler: Compiler[ReadXml]) -> ReadXml:
    key_tag, value_tag = shape.key.wire_name or "key", shape.value.wire_name or "value"
    key, value = compiler(shape.key), compiler(shape.value)

    def read(element: Element) -> Any:
        keys, values = element.all(key_tag), element.all(value_tag)
        if not keys or not values:
            raise ValueError("a map's entry needs a key and a value")
        return key(keys[0]), value(values[0])

    return read


# Writing -------------------------------------------------------------------------------


def xml_writer(millis: bool) -> Compiler[WriteXml]:
    """A compiler of functions from a result to an element."""

    def build(shape: Shape, compiler: Compiler[WriteXml]) -> WriteXml:
        return _writer(shape, compiler, millis)

    return Compiler(build, lambda cell: lambda tag, value, out: cell[0](tag, value, out))


def namespace_attribute(namespace: XmlNamespace | None) -> str:
    """` xmlns="..."`, or nothing."""
    if namespace is None or not namespace.uri:
        return ""
    name = f"xmlns:{namespace.prefix}" if namespace.prefix else "xmlns"
    return f' {name}="{escape(namespace.uri)}"'


def _writer(shape: Shape, compiler: Compiler[WriteXml], millis: bool) -> WriteXml:
    if shape.type == "structure":
        return _structure_writer(shape, compiler)
    if shape.type == "list":
        return _list_writer(shape, compiler)
    if shape.type == "map":
        return _map_writer(shape, compiler)
    text = to_text(shape, "iso8601", millis)
    plain = shape.type not in ("string", "character")
    more = namespace_attribute(shape.xml_namespace)

    def write(tag: str, value: Any, out: list[str]) -> None:
        shown = text(value) if plain else escape(str(value))
        out.append(f"<{tag}{more}>{shown}</{tag}>")

    return write


def _structure_writer(shape: Shape, compiler: Compiler[WriteXml]) -> WriteXml:
    own = namespace_attribute(shape.xml_namespace)
    attributes = [
        (name, member.wire_name or name, to_text(member, "iso8601"))
        for name, member in shape.members.items()
        if member.xml_attribute
    ]
    content = members_writer(
        {name: member for name, member in shape.members.items() if not member.xml_attribute},
        compiler,
    )

    def write(tag: str, value: Any, out: list[str]) -> None:
        more = own
        for name, key, text in attributes:
            if value.get(name) is not None:
                more += f' {key}="{escape(text(value[name]))}"'
        out.append(f"<{tag}{more}>")
        content(value, out)
        out.append(f"</{tag}>")

    return write


def members_writer(
    members: dict[str, Shape], compiler: Compiler[WriteXml]
) -> Callable[[Any, list[str]], None]:
    """Writes the given members of a structure, in the model's order."""
    parts = []
    for name, member in members.items():
        tag = member.wire_name or name
        if member.flattened and member.type == "list" and not member.wire_name:
            tag = member.member.wire_name or name
        parts.append((name, tag, compiler(member)))

    def write(value: Any, out: list[str]) -> None:
        for name, tag, element in parts:
            item = value.get(name)
            if item is not None:
                element(tag, item, out)

    return write


def _list_writer(shape: Shape, compiler: Compiler[WriteXml]) -> WriteXml:
    element = compiler(shape.member)
    if shape.flattened:

        def flat(tag: str, value: Any, out: list[str]) -> None:
            for item in value:
                element(tag, item, out)

        return flat
    more = namespace_attribute(shape.xml_namespace)
    inner = shape.member.wire_name or "member"

    def write(tag: str, value: Any, out: list[str]) -> None:
        out.append(f"<{tag}{more}>")
        for item in value:
            element(inner, item, out)
        out.append(f"</{tag}>")

    return write


def _map_writer(shape: Shape, compiler: Compiler[WriteXml]) -> WriteXml:
    key, value = compiler(shape.key), compiler(shape.value)
    key_tag, value_tag = shape.key.wire_name or "key", shape.value.wire_name or "value"
    more = namespace_attribute(shape.xml_namespace)

    def entries(tag: str, mapping: Any, out: list[str]) -> None:
        for name, item in mapping.items():
            if item is not None:
                out.append(f"<{tag}>")
                key(key_tag, name, out)
                value(value_tag, item, out)
                out.append(f"</{tag}>")

    if shape.flattened:
        return entries

    def write(tag: str, mapping: Any, out: list[str]) -> None:
        out.append(f"<{tag}{more}>")
        entries("entry", mapping, out)
        out.append(f"</{tag}>")

    return write
