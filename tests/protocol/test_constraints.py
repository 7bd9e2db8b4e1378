"""Broken constraints in AWS's words, and the errors of values of the wrong type."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.protocol.real_models import CATALOG

from lambent.core.errors import AwsError
from lambent.protocol.contract import WireRequest


def _error(service: str, operation: str, body: Any, path: str = "/") -> AwsError:
    codec = CATALOG.service(service).operation(operation)
    assert codec is not None
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(AwsError) as caught:
        codec.parse(WireRequest("POST", path, "", {}, data))
    return caught.value


@pytest.mark.parametrize(
    ("service", "operation", "body", "code", "message"),
    [
        (
            "dynamodb",
            "DeleteTable",
            {},
            "ValidationException",
            "1 validation error detected: Value null at 'tableName' failed to satisfy constraint: "
            "Member must not be null",
        ),
        (
            "dynamodb",
            "Query",
            {"TableName": "abc", "Limit": 0},
            "ValidationException",
            "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
        ),
        (
            "dynamodb",
            "CreateTable",
            {
                "TableName": "abc",
                "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "X"}],
                "KeySchema": [{"AttributeName": "a"}],
            },
            "ValidationException",
            "2 validation errors detected: Value 'X' at 'attributeDefinitions.1.member."
            "attributeType' failed to satisfy constraint: Member must satisfy enum value set: "
            "[S, N, B]; Value null at 'keySchema.1.member.keyType' failed to satisfy constraint: "
            "Member must not be null",
        ),
        (
            "logs",
            "CreateLogGroup",
            {"logGroupName": "a b"},
            "InvalidParameterException",
            "1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+",
        ),
        (
            "secretsmanager",
            "CreateSecret",
            {"Name": ""},
            "ValidationException",
            "1 validation error detected: Value '' at 'name' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
    ],
)
def test_broken_constraints_are_named_as_aws_names_them(
    service: str, operation: str, body: Any, code: str, message: str
) -> None:
    error = _error(service, operation, body)
    assert (error.code, error.status) == (code, 400)
    assert error.message == message


def test_the_constraints_of_a_lists_members_are_told_of_the_list() -> None:
    body = {
        "FunctionName": "f",
        "Role": "arn:aws:iam::123456789012:role/r",
        "Code": {},
        "Layers": ["nonsense"],
    }
    error = _error("lambda", "CreateFunction", body)
    assert error.message.startswith(
        "1 validation error detected: Value '[nonsense]' at 'layers' failed to satisfy "
        "constraint: Member must satisfy constraint: [Member must have length less than or equal "
        "to 2048, Member must have length greater than or equal to 1, Member must satisfy regular "
        "expression pattern: "
    )
    assert error.message.endswith(", Member must not be null]")


def test_the_constraints_of_a_lists_length_in_a_map_are_told_of_the_map() -> None:
    error = _error("dynamodb", "BatchWriteItem", {"RequestItems": {"tbl": []}})
    assert error.message.startswith(
        "1 validation error detected: Value '{tbl=[]}' at 'requestItems' failed to satisfy "
        "constraint: Map value must satisfy constraint: [Member must have length less than or "
        "equal to 25, Member must have length greater than or equal to 1"
    )


def test_a_sensitive_value_is_not_repeated() -> None:
    body = {
        "FunctionName": "f",
        "Role": "arn:aws:iam::123456789012:role/r",
        "Code": {},
        "Environment": {"Variables": {"1x": "secret"}},
    }
    error = _error("lambda", "CreateFunction", body)
    assert "secret" not in error.message
    assert (
        "Value at 'environment.variables' failed to satisfy constraint: Map keys" in error.message
    )


def test_sqs_leaves_its_parameters_to_the_service() -> None:
    codec = CATALOG.service("sqs").operation("SendMessage")
    assert codec is not None
    assert codec.parse(WireRequest("POST", "/", "", {}, b"{}")) == {}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"TableName": 1}, "NUMBER_VALUE cannot be converted to String"),
        ({"TableName": 1.5}, "DECIMAL_VALUE cannot be converted to String"),
        ({"TableName": True}, "TRUE_VALUE cannot be converted to String"),
        ({"TableName": {}}, "Start of structure or map found where not expected"),
        ({"TableName": []}, "Start of list found where not expected"),
        ({"Limit": "1"}, "STRING_VALUE cannot be converted to Integer"),
        ({"Limit": 2**31}, "NUMBER_VALUE cannot be converted to Integer"),
        ({"ConsistentRead": "x"}, "STRING_VALUE cannot be converted to Boolean"),
        ({"ExpressionAttributeNames": "x"}, "Unexpected field type"),
        ({"KeyConditions": {"a": 1}}, "Unexpected value type in payload"),
        (b"{", ""),
        (b"[]", "Start of list found where not expected"),
    ],
)
def test_values_of_the_wrong_type_are_a_serialization_exception(body: Any, message: str) -> None:
    error = _error("dynamodb", "Query", body)
    assert (error.code, error.status, error.message) == ("SerializationException", 400, message)


def test_unknown_members_are_passed_over() -> None:
    codec = CATALOG.service("dynamodb").operation("ListTables")
    assert codec is not None
    assert codec.parse(WireRequest("POST", "/", "", {}, b'{"Nonsense":1,"Limit":3}')) == {
        "Limit": 3
    }


@pytest.mark.parametrize(
    "body",
    [
        b"<Tagging>",
        b"not xml",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><Tagging><TagSet>&a;</TagSet></Tagging>",
        b"<Tagging/>",
        b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
    ],
)
def test_s3_refuses_xml_that_breaks_its_schema(body: bytes) -> None:
    error = _error("s3", "PutBucketTagging", body, "/bucket")
    assert (error.code, error.status) == ("MalformedXML", 400)
    assert error.message == (
        "The XML you provided was not well-formed or did not validate against our published schema"
    )


def test_s3_misses_a_body_that_must_be_there() -> None:
    error = _error("s3", "PutBucketTagging", b"", "/bucket")
    assert (error.code, error.message) == ("MissingRequestBodyError", "Request Body is empty")
