"""The pure rules of templates: parsing, functions, parameters, conditions, order, names."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.core.errors import AwsError
from lambent.services.cloudformation import capabilities, graph, parameters, plan, template
from lambent.services.cloudformation.conditions import evaluate
from lambent.services.cloudformation.intrinsics import Known, Scope, resolve
from lambent.services.cloudformation.model import Resource
from lambent.services.cloudformation.names import physical_name
from lambent.services.cloudformation.resources import Inert
from lambent.services.cloudformation.source import s3_location

SCOPE = Scope(
    parameters={"P": "value", "L": ["a", "b"], "AWS::Region": "eu-west-1", "N": 5},
    mappings={"M": {"eu-west-1": {"key": "found"}}},
    conditions={"Yes": True, "No": False},
    resources={"R": Known("r-1", {"Arn": "arn:r", "Outputs": {"Url": "u"}, "Deep.Name": "d"})},
    exports={"e": "exported"},
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "P"}, "value"),
        ({"Ref": "L"}, ["a", "b"]),
        ({"Ref": "R"}, "r-1"),
        ({"Fn::GetAtt": ["R", "Arn"]}, "arn:r"),
        ({"Fn::GetAtt": "R.Arn"}, "arn:r"),
        ({"Fn::GetAtt": ["R", "Outputs.Url"]}, "u"),
        ({"Fn::GetAtt": "R.Deep.Name"}, "d"),
        ({"Fn::Sub": "${P}-${R}-${R.Arn}-${!P}-${AWS::Region}"}, "value-r-1-arn:r-${P}-eu-west-1"),
        ({"Fn::Sub": ["${own}/${P}", {"own": {"Ref": "R"}}]}, "r-1/value"),
        ({"Fn::Sub": "$P ${ P }"}, "$P value"),
        ({"Fn::Join": ["-", ["a", {"Ref": "P"}, 1, True]]}, "a-value-1-true"),
        ({"Fn::Join": ["", {"Ref": "L"}]}, "ab"),
        ({"Fn::Select": ["1", ["x", "y"]]}, "y"),
        ({"Fn::Select": [0, {"Fn::Split": [",", "x,y"]}]}, "x"),
        ({"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "key"]}, "found"),
        ({"Fn::FindInMap": ["M", "x", "y", {"DefaultValue": 3}]}, 3),
        ({"Fn::If": ["Yes", 1, 2]}, 1),
        ({"a": {"Fn::If": ["No", 1, {"Ref": "AWS::NoValue"}]}, "b": 2}, {"b": 2}),
        ([1, {"Ref": "AWS::NoValue"}, 2], [1, 2]),
        ({"Fn::And": [{"Condition": "Yes"}, {"Fn::Not": [{"Condition": "No"}]}]}, True),
        ({"Fn::Or": [{"Condition": "No"}, {"Fn::Equals": [{"Ref": "N"}, "5"]}]}, True),
        ({"Fn::Base64": "hello"}, "aGVsbG8="),
        ({"Fn::ImportValue": {"Fn::Sub": "e"}}, "exported"),
        ({"Fn::GetAZs": ""}, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
        ({"Fn::Cidr": ["10.0.0.0/24", 2, 5]}, ["10.0.0.0/27", "10.0.0.32/27"]),
        ({"Fn::Length": {"Ref": "L"}}, 2),
        ({"Fn::ToJsonString": {"a": {"Ref": "P"}}}, '{"a":"value"}'),
        ({"Ref": "P", "other": 1}, {"Ref": "P", "other": 1}),
        ({"Condition": {"StringEquals": {"a": "b"}}}, {"Condition": {"StringEquals": {"a": "b"}}}),
    ],
)
def test_intrinsic_functions(value: Any, expected: Any) -> None:
    assert resolve(value, SCOPE) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"Fn::GetAtt": ["R", "Nothing"]},
            "Template error: resource R does not support attribute type Nothing in Fn::GetAtt",
        ),
        (
            {"Fn::Select": [5, ["a"]]},
            "Template error: Fn::Select  cannot select nonexistent value at index 5",
        ),
        (
            {"Fn::FindInMap": ["M", "x", "y"]},
            "Template error: Unable to get mapping for M::x::y",
        ),
        ({"Fn::ImportValue": "gone"}, "No export named gone found."),
    ],
)
def test_functions_that_cannot_be_carried_out(value: Any, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        resolve(value, SCOPE)
    assert (caught.value.code, caught.value.message) == ("ValidationError", message)


def test_the_exports_that_are_used_are_told() -> None:
    scope = Scope({}, exports={"a": "1", "b": "2"})
    resolve({"x": {"Fn::ImportValue": "b"}}, scope)
    assert scope.imported == {"b"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: !Ref B", {"Ref": "B"}),
        ("a: !GetAtt B.C.D", {"Fn::GetAtt": ["B", "C.D"]}),
        ("a: !GetAtt [B, C]", {"Fn::GetAtt": ["B", "C"]}),
        ("a: !Sub '${B}'", {"Fn::Sub": "${B}"}),
        ("a: !Sub ['${x}', {x: !Ref B}]", {"Fn::Sub": ["${x}", {"x": {"Ref": "B"}}]}),
        ("a: !Join [',', [a, !Ref B]]", {"Fn::Join": [",", ["a", {"Ref": "B"}]]}),
        ("a: !If [C, 1, !Ref AWS::NoValue]", {"Fn::If": ["C", 1, {"Ref": "AWS::NoValue"}]}),
        ("a: !Not [!Condition C]", {"Fn::Not": [{"Condition": "C"}]}),
        ("a: !Select [0, !GetAZs '']", {"Fn::Select": [0, {"Fn::GetAZs": ""}]}),
        ("a: 2010-09-09", "2010-09-09"),
        ("a: {80: x}", {"80": "x"}),
    ],
)
def test_yaml_short_forms(text: str, value: Any) -> None:
    assert template.parse(text) == {"a": value}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1\nb: *x", "YAML aliases are not allowed in CloudFormation templates"),
        ("a: !python/object:os.system x", "could not determine a constructor"),
        ("- a", "Template format error: unsupported structure."),
        ("{", "JSON not well-formed. (line 1, column 2)"),
    ],
)
def test_yaml_that_is_refused(text: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        template.parse(text)
    assert message in caught.value.message


def test_references_are_found_at_any_depth() -> None:
    found = graph.references(
        {
            "a": [{"Ref": "A"}, {"Fn::GetAtt": "B.Arn"}],
            "b": {"Fn::Sub": ["${C} ${D.Arn} ${own} ${!no}", {"own": {"Ref": "E"}}]},
            "c": {"Fn::If": ["Cond", {"Ref": "F"}, 1]},
        }
    )
    assert found.targets() == {"A", "B", "C", "D", "E", "F"}
    assert found.conditions == {"Cond"}


@given(st.dictionaries(st.integers(0, 12), st.sets(st.integers(0, 12)), max_size=12))
def test_order_puts_everything_after_what_it_needs_unless_there_is_a_circle(
    raw: dict[int, set[int]],
) -> None:
    needs = {str(k): sorted(str(v) for v in vs if v in raw) for k, vs in raw.items()}
    ordered = graph.order(needs)
    for name in ordered:
        assert all(ordered.index(need) < ordered.index(name) for need in needs[name])
    assert (len(ordered) == len(needs)) == (graph.cycle(needs) == [])


def test_only_what_lies_on_the_circle_is_named() -> None:
    assert graph.cycle({"A": ["B"], "B": ["C"], "C": ["B"], "D": []}) == ["B", "C"]


def test_conditions_may_build_on_each_other() -> None:
    declared = {
        "Both": {"Fn::And": [{"Condition": "One"}, {"Condition": "Two"}]},
        "One": {"Fn::Equals": [{"Ref": "P"}, "value"]},
        "Two": {"Fn::Not": [{"Fn::Equals": [{"Ref": "P"}, "other"]}]},
    }
    assert evaluate(declared, SCOPE) == {"Both": True, "One": True, "Two": True}
    with pytest.raises(AwsError, match="Circular dependency between conditions"):
        evaluate({"A": {"Condition": "B"}, "B": {"Condition": "A"}}, SCOPE)


@pytest.mark.parametrize(
    ("declared", "value", "problem"),
    [
        (
            {"Type": "String", "AllowedValues": ["a"]},
            "b",
            "Parameter 'P' must be one of AllowedValues",
        ),
        (
            {"Type": "String", "MinLength": 2},
            "b",
            "Parameter 'P' must contain at least 2 characters",
        ),
        (
            {"Type": "String", "MaxLength": "2"},
            "bcd",
            "Parameter 'P' must contain at most 2 characters",
        ),
        ({"Type": "Number"}, "x", "Parameter 'P' must be a number."),
        ({"Type": "Number", "MinValue": 3}, "2", "Parameter 'P' must be a number not less than 3"),
        ({"Type": "CommaDelimitedList", "AllowedPattern": "[a-z]"}, "a,b", None),
        (
            {
                "Type": "CommaDelimitedList",
                "AllowedPattern": "[a-z]",
                "ConstraintDescription": "no.",
            },
            "a,B",
            "Parameter P failed to satisfy constraint: no.",
        ),
        ({"Type": "Number", "AllowedValues": [1, 2]}, "2", None),
    ],
)
def test_parameter_constraints(declared: Any, value: str, problem: str | None) -> None:
    assert parameters.violation("P", declared, value) == problem


def test_lists_of_parameters_become_lists() -> None:
    declared = {
        "L": {"Type": "CommaDelimitedList"},
        "S": {"Type": "AWS::SSM::Parameter::Value<String>"},
    }
    values = parameters.complete(declared, {"L": "a, b", "S": "/name"}, {"S": "fetched"})
    assert values["L"].value == ["a", "b"]
    assert (values["S"].given, values["S"].value) == ("/name", "fetched")


@given(
    st.from_regex(r"[a-zA-Z][-a-zA-Z0-9]{0,127}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9]{1,255}", fullmatch=True),
)
def test_physical_names_are_short_repeatable_and_differ_by_generation(
    stack: str, logical: str
) -> None:
    first = physical_name("id", stack, logical, 0)
    assert len(first) <= 63
    assert first == physical_name("id", stack, logical, 0)
    assert first != physical_name("id", stack, logical, 1)
    assert first != physical_name("other", stack, logical, 0)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://localhost:4566/bucket/a/b.json", ("bucket", "a/b.json", None)),
        ("http://127.0.0.1:4566/bucket/k?versionId=v", ("bucket", "k", "v")),
        ("https://bucket.s3.amazonaws.com/k", ("bucket", "k", None)),
        ("https://s3.eu-west-1.amazonaws.com/b.c/k%20x", ("b.c", "k x", None)),
        ("https://b.c.s3.eu-west-1.amazonaws.com/k", ("b.c", "k", None)),
        ("http://bucket.s3.localhost.localstack.cloud:4566/k", ("bucket", "k", None)),
        ("http://bucket.localhost:4566/k", ("bucket", "k", None)),
    ],
)
def test_template_urls(url: str, place: tuple[str, str, str | None]) -> None:
    assert s3_location(url) == place


def test_capabilities_for_named_and_unnamed_iam() -> None:
    unnamed = {"R": {"Type": "AWS::IAM::Role"}}
    named = {"R": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r"}}, "S": unnamed["R"]}
    assert capabilities.required(unnamed) == ["CAPABILITY_IAM"]
    assert capabilities.required(named, ["T"]) == ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
    capabilities.check(["CAPABILITY_IAM"], ["CAPABILITY_NAMED_IAM"])
    with pytest.raises(AwsError) as caught:
        capabilities.check(["CAPABILITY_NAMED_IAM"], ["CAPABILITY_IAM"])
    assert caught.value.message == "Requires capabilities : [CAPABILITY_NAMED_IAM]"


def test_what_refers_to_a_replaced_resource_is_known_after_the_deployment() -> None:
    existing = {
        "A": Resource("A", "T", "CREATE_COMPLETE", 0, physical_id="a-1", properties={"Name": "x"}),
        "B": Resource("B", "T", "CREATE_COMPLETE", 0, physical_id="b-1", properties={"A": "a-1"}),
        "C": Resource("C", "T", "CREATE_COMPLETE", 0, physical_id="c-1"),
    }
    resources = {
        "A": {"Type": "T", "Properties": {"Name": "y"}},
        "B": {"Type": "T", "Properties": {"A": {"Ref": "A"}}},
        "D": {"Type": "T"},
    }
    found = plan.changes(existing, resources, Scope({}), {"T": Inert("A", name="Name")})
    assert [(one.logical_id, one.action, one.replacement) for one in found] == [
        ("A", "Modify", "True"),
        ("B", "Modify", "False"),
        ("C", "Remove", None),
        ("D", "Add", None),
    ]
