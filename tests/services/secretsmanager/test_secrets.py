"""Secrets Manager through boto3."""

import string

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def secrets(client):
    return client("secretsmanager")


def code(caught):
    return caught.value.response["Error"]["Code"]


def test_a_secret_is_read_by_name_arn_and_partial_arn(secrets):
    made = secrets.create_secret(Name="app/db", SecretString="hunter2")
    for identifier in ("app/db", made["ARN"], made["ARN"][:-7]):
        got = secrets.get_secret_value(SecretId=identifier)
        assert got["SecretString"] == "hunter2"
        assert got["VersionStages"] == ["AWSCURRENT"]
        assert got["VersionId"] == made["VersionId"]
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.get_secret_value(SecretId=made["ARN"][:-1] + "?")


def test_a_new_value_makes_the_old_one_previous(secrets):
    secrets.create_secret(Name="s", SecretString="one")
    secrets.put_secret_value(SecretId="s", SecretBinary=b"\x00two")
    secrets.update_secret(SecretId="s", SecretString="three")
    assert secrets.get_secret_value(SecretId="s")["SecretString"] == "three"
    previous = secrets.get_secret_value(SecretId="s", VersionStage="AWSPREVIOUS")
    assert previous["SecretBinary"] == b"\x00two"
    stages = secrets.describe_secret(SecretId="s")["VersionIdsToStages"]
    assert sorted(map(tuple, stages.values())) == [("AWSCURRENT",), ("AWSPREVIOUS",)]


def test_a_pending_version_is_promoted_by_moving_the_label(secrets):
    old = secrets.create_secret(Name="s", SecretString="one")["VersionId"]
    new = secrets.put_secret_value(SecretId="s", SecretString="two", VersionStages=["AWSPENDING"])[
        "VersionId"
    ]
    assert secrets.get_secret_value(SecretId="s")["SecretString"] == "one"
    with pytest.raises(ClientError) as caught:
        secrets.update_secret_version_stage(
            SecretId="s", VersionStage="AWSCURRENT", MoveToVersionId=new
        )
    assert code(caught) == "InvalidParameterException"
    secrets.update_secret_version_stage(
        SecretId="s", VersionStage="AWSCURRENT", MoveToVersionId=new, RemoveFromVersionId=old
    )
    assert secrets.get_secret_value(SecretId="s")["SecretString"] == "two"
    assert secrets.get_secret_value(SecretId="s", VersionId=old)["VersionStages"] == ["AWSPREVIOUS"]


def test_creating_twice_is_refused_but_the_same_token_is_idempotent(secrets):
    token = "a" * 32
    first = secrets.create_secret(Name="s", SecretString="v", ClientRequestToken=token)
    again = secrets.create_secret(Name="s", SecretString="v", ClientRequestToken=token)
    assert again["ARN"] == first["ARN"]
    with pytest.raises(secrets.exceptions.ResourceExistsException):
        secrets.create_secret(Name="s", SecretString="other")


def test_a_deleted_secret_can_be_restored_until_it_is_forced(secrets):
    secrets.create_secret(Name="s", SecretString="v")
    secrets.delete_secret(SecretId="s", RecoveryWindowInDays=7)
    with pytest.raises(secrets.exceptions.InvalidRequestException) as caught:
        secrets.get_secret_value(SecretId="s")
    assert "marked for deletion" in str(caught.value)
    assert secrets.list_secrets()["SecretList"] == []
    secrets.restore_secret(SecretId="s")
    assert secrets.get_secret_value(SecretId="s")["SecretString"] == "v"
    secrets.delete_secret(SecretId="s", ForceDeleteWithoutRecovery=True)
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.describe_secret(SecretId="s")
    secrets.create_secret(Name="s", SecretString="new")


def test_lists_are_paged_and_filtered(secrets):
    for name in ("a/1", "a/2", "b/1"):
        secrets.create_secret(Name=name, SecretString="v", Tags=[{"Key": "k", "Value": name}])
    pages = secrets.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 2})
    assert [item["Name"] for page in pages for item in page["SecretList"]] == ["a/1", "a/2", "b/1"]
    some = secrets.list_secrets(Filters=[{"Key": "name", "Values": ["a/"]}])["SecretList"]
    assert [item["Name"] for item in some] == ["a/1", "a/2"]
    values = secrets.batch_get_secret_value(SecretIdList=["a/1", "zz"])
    assert [item["Name"] for item in values["SecretValues"]] == ["a/1"]
    assert [item["SecretId"] for item in values["Errors"]] == ["zz"]


def test_random_passwords_keep_the_rules(secrets):
    password = secrets.get_random_password(
        PasswordLength=8, ExcludePunctuation=True, ExcludeCharacters="abc"
    )["RandomPassword"]
    assert len(password) == 8
    assert not set(password) & set(string.punctuation + "abc")
    assert set(password) & set(string.digits)
    assert set(password) & set(string.ascii_uppercase)
    assert len(secrets.get_random_password()["RandomPassword"]) == 32


def test_tags_change(secrets):
    secrets.create_secret(Name="s", SecretString="v", Tags=[{"Key": "a", "Value": "1"}])
    secrets.tag_resource(SecretId="s", Tags=[{"Key": "b", "Value": "2"}])
    secrets.untag_resource(SecretId="s", TagKeys=["a"])
    assert secrets.describe_secret(SecretId="s")["Tags"] == [{"Key": "b", "Value": "2"}]


def test_forced_deletion_of_what_is_gone_succeeds(secrets):
    gone = secrets.delete_secret(SecretId="never", ForceDeleteWithoutRecovery=True)
    assert gone["Name"] == "never" and "DeletionDate" in gone
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.delete_secret(SecretId="never")


def test_a_secret_is_text_or_bytes_never_both(secrets):
    both = {"SecretString": "a", "SecretBinary": b"b"}
    with pytest.raises(secrets.exceptions.InvalidParameterException, match="can't specify both"):
        secrets.create_secret(Name="s", **both)
    secrets.create_secret(Name="s", SecretString="a")
    with pytest.raises(secrets.exceptions.InvalidParameterException, match="can't specify both"):
        secrets.put_secret_value(SecretId="s", **both)
    with pytest.raises(secrets.exceptions.InvalidParameterException, match="can't specify both"):
        secrets.update_secret(SecretId="s", **both)
