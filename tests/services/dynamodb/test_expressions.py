"""The expression language without a store: what it means, and how it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from lambent.core.errors import AwsError
from lambent.services.dynamodb.expressions.application import apply_update
from lambent.services.dynamodb.expressions.request import Expressions

ITEM: dict[str, Any] = {
    "pk": {"S": "k"},
    "n": {"N": "5"},
    "s": {"S": "hello"},
    "b": {"B": b"abc"},
    "t": {"BOOL": True},
    "z": {"NULL": True},
    "ss": {"SS": ["x", "y"]},
    "ns": {"NS": ["1", "2"]},
    "l": {"L": [{"N": "1"}, {"S": "two"}, {"M": {"deep": {"S": "d"}}}]},
    "m": {"M": {"a": {"N": "1"}, "b": {"M": {"c": {"S": "x"}}}}},
}
VALUES: dict[str, Any] = {
    ":zero": {"N": "0"},
    ":one": {"N": "1"},
    ":five": {"N": "5.0"},
    ":nine": {"N": "9"},
    ":hello": {"S": "hello"},
    ":he": {"S": "he"},
    ":ll": {"S": "ll"},
    ":x": {"S": "x"},
    ":yx": {"SS": ["y", "x"]},
    ":list": {"L": [{"S": "new"}]},
    ":map": {"M": {"k": {"S": "v"}}},
    ":true": {"BOOL": True},
    ":null": {"NULL": True},
    ":N": {"S": "N"},
    ":bad": {"S": "bad"},
    ":set": {"SS": ["z"]},
    ":ab": {"B": b"ab"},
}
NAMES = {"#s": "s", "#status": "status", "#m": "m", "#dot": "a.b"}


def _used(text: str, given: dict[str, Any]) -> dict[str, Any]:
    import re

    words = set(re.findall(r"[#:][A-Za-z0-9_]+", text))
    return {name: value for name, value in given.items() if name in words}


def _request(kind: str, text: str) -> Expressions:
    params: dict[str, Any] = {kind: text}
    if names := _used(text, NAMES):
        params["ExpressionAttributeNames"] = names
    if values := _used(text, VALUES):
        params["ExpressionAttributeValues"] = values
    return Expressions(params, (kind,))


def holds(text: str, item: dict[str, Any] = ITEM) -> bool:
    request = _request("ConditionExpression", text)
    condition = request.condition("ConditionExpression", text)
    assert condition is not None
    request.finish()
    return condition.test(item, request.values)


def updated(text: str, item: dict[str, Any] = ITEM) -> dict[str, Any]:
    request = _request("UpdateExpression", text)
    update = request.update(text)
    assert update is not None
    request.finish()
    return apply_update(update, item, request.values)


def projected(text: str) -> dict[str, Any]:
    request = _request("ProjectionExpression", text)
    projection = request.projection(text)
    assert projection is not None
    return projection.project(ITEM)


@pytest.mark.parametrize(
    "text",
    [
        "n = :five",
        "n <> :one",
        "absent <> :one",
        "n > :one AND n < :nine",
        "n BETWEEN :one AND :nine",
        "n IN (:one, :five)",
        "NOT n = :one",
        "not n = :one and s = :hello",
        "n = :one OR s = :hello AND t = :true",
        "(n = :one OR s = :hello) AND z = :null",
        "attribute_exists(m.b.c)",
        "attribute_not_exists(m.b.d)",
        "attribute_not_exists(l[3])",
        "attribute_type(n, :N)",
        "begins_with(s, :he)",
        "begins_with(b, :ab)",
        "contains(s, :ll)",
        "contains(ss, :x)",
        "contains(ns, :one)",
        "contains(l, :one)",
        "ss = :yx",
        "size(s) = :five",
        "size(l) > :one",
        "size(ss) < size(s)",
        "#s = :hello",
        "#m.a = :one",
        "l[2].deep <> :x",
        ":five = n",
        "NOT attribute_exists(absent)",
        "NOT absent > :one",
        "NOT (n = :one OR n = :nine)",
        "(n) = (:five)",
    ],
)
def test_conditions_that_hold(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "n = :hello",
        "absent = :one",
        "s > :one",
        "absent BETWEEN :one AND :nine",
        "contains(n, :one)",
        "contains(s, :one)",
        "size(n) = :one",
        "size(absent) >= :zero",
        "attribute_type(absent, :N)",
        "n = :one OR n = :nine AND s = :hello",
        "NOT n = :five",
        "m.a.b.c = :one",
        "l[0].x = :one",
    ],
)
def test_conditions_that_do_not_hold(text: str) -> None:
    assert not holds(text)


def test_conditions_on_no_item_see_nothing() -> None:
    assert holds("attribute_not_exists(pk)", {})
    assert not holds("n = :five", {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("   ", "The expression can not be empty;"),
        ("n", 'Syntax error; token: "<EOF>", near: "n"'),
        ("n = = :one", 'Syntax error; token: "=", near: "= = :one"'),
        ("n ! :one", 'Syntax error; token: "!", near: "n ! :one"'),
        ("n = :one)", 'Syntax error; token: ")", near: ":one)"'),
        ("n attribute_exists :one", 'Syntax error; token: "attribute_exists", near: '),
        ("_n = :one", 'Syntax error; token: "_", near: "_n"'),
        ("((n = :one))", "The expression has redundant parentheses;"),
        ("nope(n)", "Invalid function name; function: nope"),
        ("Size(n) = :one", "Invalid function name; function: Size"),
        (
            "size(n)",
            "The function is not allowed to be used this way in an expression; function: size",
        ),
        (
            "attribute_exists(n) = :true",
            "The function is not allowed to be used this way in an expression; "
            "function: attribute_exists",
        ),
        (
            "if_not_exists(n, :one) = :one",
            "The function is not allowed in a condition expression; function: if_not_exists",
        ),
        ("status = :one", "Attribute name is a reserved keyword; reserved keyword: status"),
        (
            "#nope = :one",
            "An expression attribute name used in the document path is not defined; "
            "attribute name: #nope",
        ),
        (
            "n = :nope",
            "An expression attribute value used in expression is not defined; "
            "attribute value: :nope",
        ),
        (
            "begins_with(s)",
            "Incorrect number of operands for operator or function; operator or function: "
            "begins_with, number of operands: 1",
        ),
        (
            "begins_with(s, :one)",
            "Incorrect operand type for operator or function; operator or function: begins_with, "
            "operand type: N",
        ),
        (
            "n < :true",
            "Incorrect operand type for operator or function; operator or function: <, "
            "operand type: BOOL",
        ),
        (
            "attribute_type(n, :bad)",
            "Invalid attribute type name found; type: bad, "
            "valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        (
            "attribute_exists(:one)",
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        (
            "m.a = m.a",
            "The first operand must be distinct from the remaining operands for this operator or "
            "function; operator: =, first operand: [m, a]",
        ),
        (
            "n BETWEEN :nine AND :one",
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            "lower bound operand: AttributeValue: {N:9}, upper bound operand: AttributeValue: "
            "{N:1}",
        ),
        (
            "n BETWEEN :one AND :hello",
            "The BETWEEN operator requires same data type for lower and upper bounds; "
            "lower bound operand: AttributeValue: {N:1}, upper bound operand: AttributeValue: "
            "{S:hello}",
        ),
        (
            "n = :one" + " OR n = :one" * 150,
            "The expression contains too many operators; operator count: 301",
        ),
        (
            "n = :one OR " * 400 + "n = :one",
            "Expression size has exceeded the maximum allowed size; expression size: 4808",
        ),
    ],
)
def test_unsound_conditions_are_refused_in_awss_words(text: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        holds(text)
    assert caught.value.code == "ValidationException"
    assert caught.value.message.startswith(f"Invalid ConditionExpression: {message}")


def test_two_pairs_of_parentheses_side_by_side_are_not_redundant() -> None:
    assert holds("((n = :five) AND (s = :hello))")


def test_deep_nesting_is_refused_and_does_not_exhaust_the_stack() -> None:
    for text in ("(" * 1500, "NOT " * 900 + "n = :one", "size(" * 700):
        with pytest.raises(AwsError):
            holds(text)


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("SET n = :nine", {"n": {"N": "9"}}),
        ("set n = n + :one, fresh = :x", {"n": {"N": "6"}, "fresh": {"S": "x"}}),
        ("SET n = :one - n", {"n": {"N": "-4"}}),
        ("SET n = if_not_exists(n, :zero) + :one", {"n": {"N": "6"}}),
        ("SET c = if_not_exists(c, :zero) + :one", {"c": {"N": "1"}}),
        ("SET n = s, s = n", {"n": {"S": "hello"}, "s": {"N": "5"}}),
        ("SET q = list_append(:list, :list)", {"q": {"L": [{"S": "new"}, {"S": "new"}]}}),
        (
            "SET m.a = :nine REMOVE m.b",
            {"m": {"M": {"a": {"N": "9"}}}},
        ),
        ("REMOVE l[0], l[2]", {"l": {"L": [{"S": "two"}]}}),
        (
            "SET l[7] = :x, l[9] = :hello",
            {"l": {"L": [*ITEM["l"]["L"], {"S": "x"}, {"S": "hello"}]}},
        ),
        ("ADD n :one, fresh :five", {"n": {"N": "6"}, "fresh": {"N": "5"}}),
        ("ADD ss :set", {"ss": {"SS": ["x", "y", "z"]}}),
        ("DELETE ss :yx", {"ss": None}),
        ("REMOVE nothing", {}),
        ("DELETE nothing :yx", {}),
        (
            "SET #s = :x REMOVE n ADD c :one DELETE ss :set",
            {"s": {"S": "x"}, "n": None, "c": {"N": "1"}},
        ),
        ("SET n = (n + :one)", {"n": {"N": "6"}}),
    ],
)
def test_updates(text: str, changes: dict[str, Any]) -> None:
    expected = {**ITEM, **changes}
    assert updated(text) == {name: value for name, value in expected.items() if value is not None}


def test_an_update_leaves_the_old_image_alone() -> None:
    import copy

    before = copy.deepcopy(ITEM)
    updated("SET m.b.c = :nine, l[2].deep = :x REMOVE l[0] ADD ss :set")
    assert before == ITEM


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("INVALID SYNTAX HERE", 'Syntax error; token: "INVALID", near: "INVALID SYNTAX"'),
        ("ADD hits : one", 'Syntax error; token: ":", near: "hits : one"'),
        ("SET n = :one,", 'Syntax error; token: "<EOF>", near: ","'),
        ("SET my-name = :one", 'Syntax error; token: "-", near: "my-name"'),
        ("SET n = n + :one + :one", 'Syntax error; token: "+", near: ":one + :one"'),
        (
            "SET n = :one SET s = :x",
            'The "SET" section can only be used once in an update expression;',
        ),
        (
            "SET n = size(s)",
            "The function is not allowed in an update expression; function: size",
        ),
        (
            "SET n = :one, n = :nine",
            "Two document paths overlap with each other; must remove or rewrite one of these "
            "paths; path one: [n], path two: [n]",
        ),
        (
            "SET m.a = :one REMOVE m",
            "Two document paths overlap with each other; must remove or rewrite one of these "
            "paths; path one: [m, a], path two: [m]",
        ),
        (
            "SET m.a = :one, m[1] = :one",
            "Two document paths conflict with each other; must remove or rewrite one of these "
            "paths; path one: [m, a], path two: [m, [1]]",
        ),
        (
            "SET n = n + :hello",
            "Incorrect operand type for operator or function; operator or function: +, "
            "operand type: S",
        ),
        (
            "SET l = list_append(l, :one)",
            "Incorrect operand type for operator or function; operator or function: list_append, "
            "operand type: N",
        ),
        (
            "SET n = if_not_exists(:one, :one)",
            "Operator or function requires a document path; operator or function: if_not_exists",
        ),
        (
            "ADD n :hello",
            "Incorrect operand type for operator or function; operator: ADD, operand type: STRING",
        ),
        (
            "DELETE ss :one",
            "Incorrect operand type for operator or function; operator: DELETE, "
            "operand type: NUMBER",
        ),
    ],
)
def test_unsound_updates_are_refused_in_awss_words(text: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        updated(text)
    assert caught.value.message.startswith(f"Invalid UpdateExpression: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "SET a = absent",
            "The provided expression refers to an attribute that does not exist in the item",
        ),
        (
            "SET absent.a = :one",
            "The document path provided in the update expression is invalid for update",
        ),
        (
            "SET s.a = :one",
            "The document path provided in the update expression is invalid for update",
        ),
        (
            "SET m[0] = :one",
            "The document path provided in the update expression is invalid for update",
        ),
        (
            "REMOVE absent.a",
            "The document path provided in the update expression is invalid for update",
        ),
        ("SET n = s + :one", "An operand in the update expression has an incorrect data type"),
        ("ADD s :one", "An operand in the update expression has an incorrect data type"),
        ("ADD ns :set", "An operand in the update expression has an incorrect data type"),
        ("DELETE n :set", "An operand in the update expression has an incorrect data type"),
    ],
)
def test_updates_that_do_not_fit_the_item_are_refused(text: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        updated(text)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("n, absent", {"n": {"N": "5"}}),
        ("m.b.c", {"m": {"M": {"b": {"M": {"c": {"S": "x"}}}}}}),
        ("l[2], l[0]", {"l": {"L": [{"N": "1"}, {"M": {"deep": {"S": "d"}}}]}}),
        ("l[2].deep", {"l": {"L": [{"M": {"deep": {"S": "d"}}}]}}),
        ("l[9]", {}),
        ("s.x", {}),
        ("#s", {"s": {"S": "hello"}}),
    ],
)
def test_projections(text: str, result: dict[str, Any]) -> None:
    assert projected(text) == result


def test_overlapping_projections_are_refused() -> None:
    with pytest.raises(AwsError) as caught:
        projected("m, m.b")
    assert caught.value.message == (
        "Invalid ProjectionExpression: Two document paths overlap with each other; must remove or "
        "rewrite one of these paths; path one: [m], path two: [m, b]"
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"ExpressionAttributeNames": {"#a": "b"}},
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            {"ExpressionAttributeValues": {":a": {"S": "b"}}},
            "ExpressionAttributeValues can only be specified when using expressions: "
            "ConditionExpression is null",
        ),
        (
            {"ConditionExpression": "a = b", "ExpressionAttributeNames": {}},
            "ExpressionAttributeNames must not be empty",
        ),
        (
            {"ConditionExpression": "a = b", "ExpressionAttributeValues": {}},
            "ExpressionAttributeValues must not be empty",
        ),
        (
            {"ConditionExpression": "a = b", "ExpressionAttributeNames": {"a": "b"}},
            'ExpressionAttributeNames contains invalid key: Syntax error; key: "a"',
        ),
        (
            {"ConditionExpression": "a = b", "ExpressionAttributeValues": {":a": {}}},
            "ExpressionAttributeValues contains invalid value: Supplied AttributeValue is empty, "
            "must contain exactly one of the supported datatypes for key :a",
        ),
        (
            {
                "ConditionExpression": "a = b",
                "ExpressionAttributeNames": {"#a": "b", "#c": "d"},
            },
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a, #c}",
        ),
        (
            {"ConditionExpression": "a = b", "ExpressionAttributeValues": {":a": {"N": "1"}}},
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:a}",
        ),
    ],
)
def test_placeholders_must_be_well_formed_defined_and_used(
    params: dict[str, Any], message: str
) -> None:
    def check() -> None:
        request = Expressions(params, ("ConditionExpression",))
        request.condition("ConditionExpression", params.get("ConditionExpression"))
        request.finish()

    with pytest.raises(AwsError) as caught:
        check()
    assert caught.value.message == message
