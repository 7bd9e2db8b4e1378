"""The Parameter Store through boto3."""

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def ssm(client):
    return client("ssm")


def code(caught):
    return caught.value.response["Error"]["Code"]


def put(ssm, name, value="v", kind="String", **more):
    return ssm.put_parameter(Name=name, Value=value, Type=kind, **more)


def test_a_parameter_comes_back_with_its_arn_and_version(ssm, account):
    assert put(ssm, "/app/db/host", "localhost")["Version"] == 1
    got = ssm.get_parameter(Name="/app/db/host")["Parameter"]
    assert got["Value"] == "localhost"
    assert got["ARN"] == f"arn:aws:ssm:us-east-1:{account}:parameter/app/db/host"
    put(ssm, "plain")
    plain = ssm.get_parameter(Name="plain")["Parameter"]["ARN"]
    assert plain == f"arn:aws:ssm:us-east-1:{account}:parameter/plain"
    assert ssm.get_parameter(Name=plain)["Parameter"]["Name"] == "plain"


def test_versions_and_labels_select(ssm):
    put(ssm, "p", "one")
    assert put(ssm, "p", "two", Overwrite=True)["Version"] == 2
    ssm.label_parameter_version(Name="p", ParameterVersion=1, Labels=["first", "9bad"])
    assert ssm.get_parameter(Name="p")["Parameter"]["Value"] == "two"
    assert ssm.get_parameter(Name="p:1")["Parameter"]["Value"] == "one"
    assert ssm.get_parameter(Name="p:first")["Parameter"]["Value"] == "one"
    with pytest.raises(ssm.exceptions.ParameterVersionNotFound):
        ssm.get_parameter(Name="p:9")
    history = ssm.get_parameter_history(Name="p")["Parameters"]
    assert [item["Value"] for item in history] == ["one", "two"]


def test_an_existing_parameter_is_not_overwritten_unasked(ssm):
    put(ssm, "p")
    with pytest.raises(ssm.exceptions.ParameterAlreadyExists):
        put(ssm, "p", "other")
    assert ssm.get_parameter(Name="p")["Parameter"]["Value"] == "v"


def test_a_secure_string_needs_decryption_to_be_read(ssm):
    put(ssm, "secret", "hunter2", "SecureString")
    assert ssm.get_parameter(Name="secret")["Parameter"]["Value"] != "hunter2"
    clear = ssm.get_parameter(Name="secret", WithDecryption=True)["Parameter"]
    assert clear["Value"] == "hunter2"
    (described,) = ssm.describe_parameters()["Parameters"]
    assert described["KeyId"] == "alias/aws/ssm"


def test_parameters_are_listed_by_path(ssm):
    for name in ("/a/one", "/a/two", "/a/b/three", "/c/four"):
        put(ssm, name)

    def names(**more):
        pages = ssm.get_paginator("get_parameters_by_path").paginate(
            PaginationConfig={"PageSize": 1}, **more
        )
        return [item["Name"] for page in pages for item in page["Parameters"]]

    assert names(Path="/a") == ["/a/one", "/a/two"]
    assert names(Path="/a/", Recursive=True) == ["/a/b/three", "/a/one", "/a/two"]
    with pytest.raises(ClientError) as caught:
        ssm.get_parameters_by_path(Path="a")
    assert code(caught) == "ValidationException"


def test_several_are_got_and_deleted_with_the_invalid_named(ssm):
    put(ssm, "a")
    put(ssm, "b")
    got = ssm.get_parameters(Names=["b", "a", "nowhere"])
    assert {item["Name"] for item in got["Parameters"]} == {"a", "b"}
    assert got["InvalidParameters"] == ["nowhere"]
    gone = ssm.delete_parameters(Names=["a", "nowhere"])
    assert gone["DeletedParameters"] == ["a"]
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name="a")
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.delete_parameter(Name="a")


def test_describe_filters(ssm):
    put(ssm, "/a/x", Tags=[{"Key": "stage", "Value": "test"}])
    put(ssm, "/b/x", "1,2", "StringList")

    def names(**filter_):
        return [
            item["Name"]
            for item in ssm.describe_parameters(ParameterFilters=[filter_])["Parameters"]
        ]

    assert names(Key="Name", Option="BeginsWith", Values=["/a"]) == ["/a/x"]
    assert names(Key="Name", Option="Contains", Values=["x"]) == ["/a/x", "/b/x"]
    assert names(Key="Type", Values=["StringList"]) == ["/b/x"]
    assert names(Key="tag:stage", Values=["test"]) == ["/a/x"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"Name": "aws-x", "Value": "v", "Type": "String"}, "ValidationException"),
        ({"Name": "/aws/x", "Value": "v", "Type": "String"}, "AccessDeniedException"),
        ({"Name": "a b", "Value": "v", "Type": "String"}, "ValidationException"),
        ({"Name": "p", "Value": "v"}, "ValidationException"),
        ({"Name": "p", "Value": "v" * 4097, "Type": "String"}, "ValidationException"),
        (
            {"Name": "p", "Value": "v", "Type": "String", "AllowedPattern": r"^\d+$"},
            "ParameterPatternMismatchException",
        ),
        (
            {"Name": "/".join(["", *"abcdefghijklmnop"]), "Value": "v", "Type": "String"},
            "HierarchyLevelLimitExceededException",
        ),
    ],
)
def test_wrong_parameters_are_refused(ssm, params, expected):
    with pytest.raises(ClientError) as caught:
        ssm.put_parameter(**params)
    assert code(caught) == expected


def test_tags_are_kept(ssm):
    put(ssm, "p", Tags=[{"Key": "a", "Value": "1"}])
    where = {"ResourceType": "Parameter", "ResourceId": "p"}
    ssm.add_tags_to_resource(Tags=[{"Key": "b", "Value": "2"}], **where)
    ssm.remove_tags_from_resource(TagKeys=["a"], **where)
    assert ssm.list_tags_for_resource(**where)["TagList"] == [{"Key": "b", "Value": "2"}]
    put(ssm, "p", "w", Overwrite=True)
    assert ssm.list_tags_for_resource(**where)["TagList"] == [{"Key": "b", "Value": "2"}]
