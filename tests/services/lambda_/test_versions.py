"""Published versions and aliases through boto3."""

from __future__ import annotations

from typing import Any

from tests.services.lambda_.conftest import Make, archive, payload
from tests.services.lambda_.test_functions import refused

SAYS = "def handler(event, context):\n    return [{!r}, context.invoked_function_arn]\n"


def test_a_version_stays_as_it_was_published(make: Make, functions: Any) -> None:
    arn = make("f", SAYS.format("one"))["FunctionArn"]
    published = functions.publish_version(FunctionName="f", Description="first")
    assert published["Version"] == "1"
    assert published["FunctionArn"] == f"{arn}:1"
    assert published["Description"] == "first"
    functions.update_function_code(FunctionName="f", ZipFile=archive(SAYS.format("two")))
    assert payload(functions.invoke(FunctionName="f")) == ["two", arn]
    answer = functions.invoke(FunctionName="f", Qualifier="1")
    assert answer["ExecutedVersion"] == "1"
    assert payload(answer) == ["one", f"{arn}:1"]
    listed = functions.list_versions_by_function(FunctionName="f")["Versions"]
    assert [one["Version"] for one in listed] == ["$LATEST", "1"]
    assert listed[0]["FunctionArn"] == f"{arn}:$LATEST"


def test_nothing_new_publishes_nothing_new(make: Make, functions: Any) -> None:
    make("f", Publish=True)
    assert functions.publish_version(FunctionName="f")["Version"] == "1"
    functions.update_function_configuration(FunctionName="f", Timeout=9)
    assert functions.publish_version(FunctionName="f")["Version"] == "2"
    functions.delete_function(FunctionName="f", Qualifier="2")
    functions.update_function_configuration(FunctionName="f", Timeout=10)
    assert functions.publish_version(FunctionName="f")["Version"] == "3", "numbers are not reused"


def test_publishing_other_code_than_expected_is_refused(make: Make, functions: Any) -> None:
    make("f")
    code, _, message = refused(
        lambda: functions.publish_version(FunctionName="f", CodeSha256="other")
    )
    assert code == "InvalidParameterValueException"
    assert message.startswith("CodeSHA256 (other) is different from current CodeSHA256 in $LATEST")


def test_an_alias_names_a_version(make: Make, functions: Any) -> None:
    arn = make("f", SAYS.format("one"), Publish=True)["FunctionArn"].removesuffix(":1")
    made = functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    assert made["AliasArn"] == f"{arn}:live"
    answer = functions.invoke(FunctionName="f:live")
    assert answer["ExecutedVersion"] == "1"
    assert payload(answer) == ["one", f"{arn}:live"]
    functions.update_function_code(
        FunctionName="f", ZipFile=archive(SAYS.format("two")), Publish=True
    )
    functions.update_alias(FunctionName="f", Name="live", FunctionVersion="2")
    assert payload(functions.invoke(FunctionName="f", Qualifier="live"))[0] == "two"
    assert functions.get_alias(FunctionName="f", Name="live")["FunctionVersion"] == "2"
    assert len(functions.list_aliases(FunctionName="f", FunctionVersion="1")["Aliases"]) == 0
    assert refused(lambda: functions.delete_function(FunctionName="f", Qualifier="2"))[:2] == (
        "ResourceConflictException",
        409,
    )
    functions.delete_alias(FunctionName="f", Name="live")
    assert refused(lambda: functions.get_alias(FunctionName="f", Name="live")) == (
        "ResourceNotFoundException",
        404,
        f"Cannot find alias arn: {arn}:live",
    )


def test_a_weighted_alias_shares_calls_out(make: Make, functions: Any) -> None:
    make("f", SAYS.format("one"), Publish=True)
    functions.update_function_code(
        FunctionName="f", ZipFile=archive(SAYS.format("two")), Publish=True
    )
    functions.create_alias(
        FunctionName="f",
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )
    seen = {
        functions.invoke(FunctionName="f", Qualifier="live")["ExecutedVersion"] for _ in range(40)
    }
    assert seen == {"1", "2"}


def test_the_first_page_of_versions_leads_to_the_next(make: Make, functions: Any) -> None:
    make("f", Publish=True)
    pages = functions.get_paginator("list_versions_by_function").paginate(
        FunctionName="f", PaginationConfig={"PageSize": 1}
    )
    assert [one["Version"] for page in pages for one in page["Versions"]] == ["$LATEST", "1"]


def test_a_weighted_alias_shows_the_version_it_points_to(make: Make, functions: Any) -> None:
    make("f", SAYS.format("one"), Publish=True)
    functions.update_function_code(
        FunctionName="f", ZipFile=archive(SAYS.format("two")), Publish=True
    )
    functions.create_alias(
        FunctionName="f",
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.9}},
    )
    shown = functions.get_function_configuration(FunctionName="f", Qualifier="live")
    assert shown["Version"] == "1"
    whole = functions.get_function(FunctionName="f", Qualifier="live")
    assert whole["Configuration"]["Version"] == "1"


def test_an_alias_needs_its_version(make: Make, functions: Any) -> None:
    arn = make("f")["FunctionArn"]
    assert refused(
        lambda: functions.create_alias(FunctionName="f", Name="live", FunctionVersion="9")
    ) == ("ResourceNotFoundException", 404, f"Function not found: {arn}:9")
