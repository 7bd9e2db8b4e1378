"""STS through boto3 against a live node."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import ClientFactory

from lambent.core.clock import VirtualClock

TRUST = json.dumps(
    {
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
        ]
    }
)


@pytest.fixture
def sts(client: ClientFactory) -> Any:
    return client("sts")


def as_key(client: ClientFactory, service: str, credentials: Any) -> Any:
    return client(
        service,
        access_key=credentials["AccessKeyId"],
        secret=credentials["SecretAccessKey"],
        token=credentials["SessionToken"],
    )


def test_the_caller_is_its_account(sts: Any, account: str) -> None:
    said = sts.get_caller_identity()
    assert said["Account"] == account
    assert said["Arn"] == f"arn:aws:iam::{account}:root"
    assert said["UserId"] == account


def test_an_assumed_role_acts_in_the_roles_account(
    sts: Any, client: ClientFactory, account: str
) -> None:
    other = "210987654321"
    iam = client("iam", access_key=other)
    name = f"role-{account}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]
    assumed = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="visit")
    arn = f"arn:aws:sts::{other}:assumed-role/{name}/visit"
    assert assumed["AssumedRoleUser"] == {
        "AssumedRoleId": f"{role['RoleId']}:visit",
        "Arn": arn,
    }
    assert assumed["Credentials"]["AccessKeyId"].startswith("ASIA")
    said = as_key(client, "sts", assumed["Credentials"]).get_caller_identity()
    assert (said["Account"], said["Arn"]) == (other, arn)
    assert said["UserId"] == f"{role['RoleId']}:visit"
    key_id = assumed["Credentials"]["AccessKeyId"]
    assert sts.get_access_key_info(AccessKeyId=key_id)["Account"] == other


def test_a_session_may_not_outlast_what_its_role_allows(sts: Any, client: ClientFactory) -> None:
    role = client("iam").create_role(RoleName="short", AssumeRolePolicyDocument=TRUST)["Role"]
    with pytest.raises(ClientError) as caught:
        sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", DurationSeconds=7200)
    assert caught.value.response["Error"]["Message"] == (
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    )


def test_what_is_no_role_cannot_be_assumed(sts: Any) -> None:
    with pytest.raises(ClientError) as caught:
        sts.assume_role(RoleArn="arn:aws:s3:::bucket-not-role", RoleSessionName="s1")
    assert caught.value.response["Error"] == {
        "Type": "Sender",
        "Code": "ValidationError",
        "Message": "arn:aws:s3:::bucket-not-role is invalid",
    }


def test_a_session_token_keeps_its_caller(sts: Any, client: ClientFactory, account: str) -> None:
    made = sts.get_session_token(DurationSeconds=900)["Credentials"]
    said = as_key(client, "sts", made).get_caller_identity()
    assert said["Arn"] == f"arn:aws:iam::{account}:root"


def test_a_web_identity_assumes_a_role(sts: Any, account: str) -> None:
    claims = {"sub": "subject-1", "aud": "client", "iss": "https://issuer.example"}
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    answer = sts.assume_role_with_web_identity(
        RoleArn=f"arn:aws:iam::{account}:role/web",
        RoleSessionName="w1",
        WebIdentityToken=f"e30.{body}.sig",
    )
    assert answer["SubjectFromWebIdentityToken"] == "subject-1"
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{account}:assumed-role/web/w1"
    with pytest.raises(ClientError) as caught:
        sts.assume_role_with_web_identity(
            RoleArn=f"arn:aws:iam::{account}:role/web",
            RoleSessionName="w1",
            WebIdentityToken="no-token",
        )
    assert caught.value.response["Error"]["Code"] == "InvalidIdentityToken"


def test_in_server_mode_only_roles_that_exist_can_be_assumed(
    fresh_node: Any, connect: ClientFactory
) -> None:
    node = fresh_node(auth=True)
    key = node.administrator
    assert key is not None
    sts = connect(node.endpoint, "sts", access_key=key.id, secret=key.secret)
    with pytest.raises(ClientError) as caught:
        sts.assume_role(RoleArn=f"arn:aws:iam::{key.account}:role/none", RoleSessionName="s1")
    assert caught.value.response["Error"]["Code"] == "AccessDenied"


def test_ended_keys_are_forgotten_when_new_ones_are_made(
    fresh_node: Any, connect: ClientFactory
) -> None:
    clock = VirtualClock()
    node = fresh_node(clock=clock, data_dir=None)
    sts = connect(node.endpoint, "sts")
    old = sts.get_session_token(DurationSeconds=900)["Credentials"]["AccessKeyId"]
    assert sts.get_access_key_info(AccessKeyId=old)["Account"]
    node.run(clock.advance(901))
    sts.get_session_token(DurationSeconds=900)
    with pytest.raises(ClientError):
        sts.get_access_key_info(AccessKeyId=old)
