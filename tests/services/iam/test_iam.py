"""IAM through boto3 against a live node."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import ClientFactory

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
}


@pytest.fixture
def iam(client: ClientFactory) -> Any:
    return client("iam")


def refusal(call: Any, **arguments: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    error = response["Error"]
    return error["Code"], error["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def make_role(iam: Any, name: str = "r", **more: Any) -> Any:
    return iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST), **more)


def test_a_role_keeps_what_it_was_given(iam: Any, account: str) -> None:
    made = make_role(iam, "worker", Path="/app/", Tags=[{"Key": "a", "Value": "b"}])["Role"]
    assert made["Arn"] == f"arn:aws:iam::{account}:role/app/worker"
    assert made["RoleId"].startswith("AROA") and len(made["RoleId"]) == 21
    role = iam.get_role(RoleName="worker")["Role"]
    assert role["AssumeRolePolicyDocument"] == TRUST
    assert role["MaxSessionDuration"] == 3600
    assert role["Tags"] == [{"Key": "a", "Value": "b"}]
    [listed] = iam.list_roles(PathPrefix="/app/")["Roles"]
    assert listed["RoleName"] == "worker" and "Tags" not in listed
    assert iam.list_roles(PathPrefix="/other/")["Roles"] == []
    iam.update_role(RoleName="worker", Description="d", MaxSessionDuration=7200)
    assert iam.get_role(RoleName="worker")["Role"]["MaxSessionDuration"] == 7200
    iam.untag_role(RoleName="worker", TagKeys=["a"])
    assert iam.list_role_tags(RoleName="worker")["Tags"] == []


def test_missing_and_taken_names_are_told_as_iam_tells_them(iam: Any) -> None:
    assert refusal(iam.get_role, RoleName="no") == (
        "NoSuchEntity",
        "The role with name no cannot be found.",
        404,
    )
    make_role(iam)
    code, message, status = refusal(
        iam.create_role, RoleName="R", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    assert (code, message, status) == (
        "EntityAlreadyExists",
        "Role with name R already exists.",
        409,
    )
    assert refusal(iam.get_user, UserName="no")[1] == "The user with name no cannot be found."
    assert refusal(iam.get_group, GroupName="no")[1] == "The group with name no cannot be found."
    assert refusal(iam.get_role_policy, RoleName="r", PolicyName="p")[1] == (
        "The role policy with name p cannot be found."
    )


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "This policy contains invalid Json"),
        ("{}", "Syntax errors in policy."),
        (json.dumps({"Statement": {"Effect": "Maybe"}}), "Syntax errors in policy."),
        (
            json.dumps({"Statement": {"Effect": "Allow", "Resource": "*"}}),
            "Policy statement must contain actions.",
        ),
        (
            json.dumps({"Statement": {"Effect": "Allow", "Action": "s3:*"}}),
            "Policy statement must contain resources.",
        ),
        (
            json.dumps({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "b"}}),
            'Resource b must be in ARN format or "*".',
        ),
        (
            json.dumps({"Statement": {**POLICY["Statement"][0], "Principal": "*"}}),  # type: ignore[dict-item]
            "Policy document should not specify a principal.",
        ),
    ],
)
def test_malformed_policies_are_refused(iam: Any, document: str, message: str) -> None:
    code, said, status = refusal(iam.create_policy, PolicyName="p", PolicyDocument=document)
    assert (code, said, status) == ("MalformedPolicyDocument", message, 400)


def test_a_trust_policy_must_name_principals_and_no_resources(iam: Any) -> None:
    for document, message in (
        (POLICY, "Has prohibited field Resource"),
        (
            {"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole"}},
            "Missing required field Principal",
        ),
    ):
        code, said, _ = refusal(
            iam.create_role, RoleName="r", AssumeRolePolicyDocument=json.dumps(document)
        )
        assert (code, said) == ("MalformedPolicyDocument", message)


def test_inline_and_attached_policies_hold_a_role_until_taken_off(iam: Any) -> None:
    make_role(iam)
    iam.put_role_policy(RoleName="r", PolicyName="own", PolicyDocument=json.dumps(POLICY))
    assert iam.get_role_policy(RoleName="r", PolicyName="own")["PolicyDocument"] == POLICY
    managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam.attach_role_policy(RoleName="r", PolicyArn=managed)
    iam.attach_role_policy(RoleName="r", PolicyArn=managed)
    [attached] = iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"]
    assert attached == {"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": managed}
    assert refusal(iam.delete_role, RoleName="r") == (
        "DeleteConflict",
        "Cannot delete entity, must detach all policies first.",
        409,
    )
    iam.detach_role_policy(RoleName="r", PolicyArn=managed)
    assert refusal(iam.delete_role, RoleName="r")[1] == (
        "Cannot delete entity, must delete policies first."
    )
    iam.delete_role_policy(RoleName="r", PolicyName="own")
    iam.delete_role(RoleName="r")
    assert refusal(iam.detach_role_policy, RoleName="r", PolicyArn=managed)[0] == "NoSuchEntity"


def test_managed_policies_have_versions(iam: Any, account: str) -> None:
    arn = iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(POLICY))["Policy"]["Arn"]
    assert arn == f"arn:aws:iam::{account}:policy/p"
    other = {**POLICY, "Id": "two"}
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(other), SetAsDefault=True)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
    assert version["Document"] == other and version["IsDefaultVersion"]
    assert refusal(iam.delete_policy_version, PolicyArn=arn, VersionId="v2")[0] == "DeleteConflict"
    assert refusal(iam.delete_policy, PolicyArn=arn)[0] == "DeleteConflict"
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    make_role(iam)
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    assert refusal(iam.delete_policy, PolicyArn=arn)[1] == (
        "Cannot delete a policy attached to entities."
    )
    entities = iam.list_entities_for_policy(PolicyArn=arn)
    assert [one["RoleName"] for one in entities["PolicyRoles"]] == ["r"]
    iam.detach_role_policy(RoleName="r", PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)
    assert refusal(iam.get_policy, PolicyArn=arn) == (
        "NoSuchEntity",
        f"Policy {arn} was not found.",
        404,
    )
    assert refusal(iam.attach_role_policy, RoleName="r", PolicyArn=arn)[1] == (
        f"Policy {arn} does not exist or is not attachable."
    )


def test_lists_come_in_pages(iam: Any) -> None:
    for number in range(5):
        iam.create_user(UserName=f"u{number}")
    first = iam.list_users(MaxItems=2)
    assert first["IsTruncated"] and len(first["Users"]) == 2
    pages = iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 2})
    names = [user["UserName"] for page in pages for user in page["Users"]]
    assert names == [f"u{number}" for number in range(5)]


def test_access_keys_act_as_their_user(iam: Any, client: ClientFactory, account: str) -> None:
    iam.create_user(UserName="ann", Path="/team/")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    sts = client("sts", access_key=key["AccessKeyId"], secret=key["SecretAccessKey"])
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:user/team/ann"
    own = client("iam", access_key=key["AccessKeyId"], secret=key["SecretAccessKey"])
    assert own.get_user()["User"]["UserName"] == "ann"
    iam.create_access_key(UserName="ann")
    assert refusal(iam.create_access_key, UserName="ann") == (
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
        409,
    )
    iam.update_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    listed = iam.list_access_keys(UserName="ann")["AccessKeyMetadata"]
    assert {one["Status"] for one in listed} == {"Active", "Inactive"}
    assert refusal(iam.delete_user, UserName="ann")[1] == (
        "Cannot delete entity, must delete access keys first."
    )
    for one in listed:
        iam.delete_access_key(UserName="ann", AccessKeyId=one["AccessKeyId"])
    iam.delete_user(UserName="ann")


def test_groups_hold_users(iam: Any) -> None:
    iam.create_group(GroupName="g")
    iam.create_user(UserName="u")
    iam.add_user_to_group(GroupName="g", UserName="u")
    assert [one["UserName"] for one in iam.get_group(GroupName="g")["Users"]] == ["u"]
    groups = iam.list_groups_for_user(UserName="u")["Groups"]
    assert [one["GroupName"] for one in groups] == ["g"]
    assert refusal(iam.delete_group, GroupName="g")[0] == "DeleteConflict"
    iam.remove_user_from_group(GroupName="g", UserName="u")
    iam.delete_group(GroupName="g")


def test_an_instance_profile_holds_one_role(iam: Any) -> None:
    make_role(iam, "one")
    make_role(iam, "two")
    iam.create_instance_profile(InstanceProfileName="p")
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="one")
    code, message, _ = refusal(
        iam.add_role_to_instance_profile, InstanceProfileName="p", RoleName="two"
    )
    assert (code, message) == (
        "LimitExceeded",
        "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
    )
    [role] = iam.get_instance_profile(InstanceProfileName="p")["InstanceProfile"]["Roles"]
    assert role["RoleName"] == "one"
    assert refusal(iam.delete_role, RoleName="one")[1] == (
        "Cannot delete entity, must remove roles from instance profile first."
    )


def test_iam_is_the_same_in_every_region(client: ClientFactory) -> None:
    make_role(client("iam"))
    assert client("iam", region="eu-west-1").get_role(RoleName="r")["Role"]["RoleName"] == "r"


def test_accounts_do_not_see_each_other(client: ClientFactory) -> None:
    make_role(client("iam"))
    other = client("iam", access_key="123456789012")
    assert refusal(other.get_role, RoleName="r")[0] == "NoSuchEntity"


def test_iam_resources_come_and_go_with_their_stack(client: ClientFactory, iam: Any) -> None:
    body = {
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": TRUST,
                    "ManagedPolicyArns": ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"],
                    "Policies": [{"PolicyName": "in", "PolicyDocument": POLICY}],
                },
            },
            "User": {"Type": "AWS::IAM::User", "Properties": {"Groups": [{"Ref": "Group"}]}},
            "Group": {"Type": "AWS::IAM::Group"},
            "Key": {"Type": "AWS::IAM::AccessKey", "Properties": {"UserName": {"Ref": "User"}}},
            "Extra": {
                "Type": "AWS::IAM::Policy",
                "Properties": {
                    "PolicyName": "extra",
                    "PolicyDocument": POLICY,
                    "Roles": [{"Ref": "Role"}],
                },
            },
            "Managed": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {"PolicyDocument": POLICY, "Users": [{"Ref": "User"}]},
            },
            "Profile": {
                "Type": "AWS::IAM::InstanceProfile",
                "Properties": {"Roles": [{"Ref": "Role"}]},
            },
        },
        "Outputs": {
            "Role": {"Value": {"Ref": "Role"}},
            "Arn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}},
            "Secret": {"Value": {"Fn::GetAtt": ["Key", "SecretAccessKey"]}},
        },
    }
    cfn = client("cloudformation")
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_IAM\]"):
        cfn.create_stack(StackName="iam", TemplateBody=json.dumps(body))
    cfn.create_stack(
        StackName="iam", TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_IAM"]
    )
    [stack] = cfn.describe_stacks(StackName="iam")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE", cfn.describe_stack_events(StackName="iam")
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    assert sorted(iam.list_role_policies(RoleName=outputs["Role"])["PolicyNames"]) == [
        "extra",
        "in",
    ]
    assert iam.get_role(RoleName=outputs["Role"])["Role"]["Arn"] == outputs["Arn"]
    assert len(outputs["Secret"]) == 40
    cfn.delete_stack(StackName="iam")
    assert iam.list_roles()["Roles"] == [] and iam.list_users()["Users"] == []
    assert iam.list_policies(Scope="Local")["Policies"] == []


def test_creations_answer_with_less_than_later_questions(iam: Any) -> None:
    made = make_role(iam)["Role"]
    assert made.keys().isdisjoint({"MaxSessionDuration", "RoleLastUsed", "Tags"})
    assert iam.get_role(RoleName="r")["Role"]["RoleLastUsed"] == {}
    assert made["CreateDate"].microsecond == 0
    document = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    )
    policy = iam.create_policy(PolicyName="p", PolicyDocument=document)["Policy"]
    assert "Tags" not in policy
    assert iam.get_policy(PolicyArn=policy["Arn"])["Policy"]["Tags"] == []
