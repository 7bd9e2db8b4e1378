"""SQS's names in the query protocol, which botocore's model no longer carries.

SQS moved to JSON in 2023, and its model lost the locationNames of the older protocol.
Source: Amazon SQS API Reference, "Making Query API requests", and the botocore models up
to 1.29.
"""

from __future__ import annotations

from msgspec.structs import replace

from lambent.protocol.model import Ref, ServiceModel, ShapeModel

_LIST_MEMBERS = {
    "AWSAccountIdList": "AWSAccountId",
    "ActionNameList": "ActionName",
    "AttributeNameList": "AttributeName",
    "BinaryList": "BinaryListValue",
    "MessageAttributeNameList": "MessageAttributeName",
    "MessageList": "Message",
    "MessageSystemAttributeList": "MessageSystemAttributeName",
    "QueueUrlList": "QueueUrl",
    "StringList": "StringListValue",
    "TagKeyList": "TagKey",
}

_MAP_NAMES = {
    "MessageBodyAttributeMap": ("Name", "Value"),
    "MessageBodySystemAttributeMap": ("Name", "Value"),
    "MessageSystemAttributeMap": ("Name", "Value"),
    "QueueAttributeMap": ("Name", "Value"),
    "TagMap": ("Key", "Value"),
}

_BY_TARGET = {
    "MessageBodyAttributeMap": "MessageAttribute",
    "MessageBodySystemAttributeMap": "MessageSystemAttribute",
    "MessageSystemAttributeMap": "Attribute",
    "QueueAttributeMap": "Attribute",
    "TagMap": "Tag",
    "StringList": "StringListValue",
    "BinaryList": "BinaryListValue",
}


def with_query_names(model: ServiceModel) -> ServiceModel:
    """SQS's model with the names that the query protocol uses."""
    shapes = {name: _shape(name, shape, model) for name, shape in model.shapes.items()}
    return ServiceModel(model.metadata, model.operations, shapes)


def _shape(name: str, shape: ShapeModel, model: ServiceModel) -> ShapeModel:
    if shape.type == "list" and shape.member is not None:
        target = shape.member.shape
        # Lists of structures are named after their structure.
        nested = model.shapes[target].type == "structure"
        wire = _LIST_MEMBERS.get(name, target if nested else None)
        return replace(shape, member=replace(shape.member, location_name=wire))
    if name in _MAP_NAMES and shape.key is not None and shape.value is not None:
        key, value = _MAP_NAMES[name]
        return replace(
            shape,
            key=replace(shape.key, location_name=key),
            value=replace(shape.value, location_name=value),
        )
    if shape.type == "structure":
        members = {member: _member(ref) for member, ref in shape.members.items()}
        return replace(shape, members=members)
    return shape


def _member(ref: Ref) -> Ref:
    wire = _BY_TARGET.get(ref.shape)
    return replace(ref, location_name=wire) if wire else ref
