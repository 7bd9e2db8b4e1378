"""What IAM's simulation says of policies, with their conditions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.services.iam.test_iam import make_role, refusal

from lambent.services.iam.places import places

AFTER = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*",'
    '"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'
)
QUEUE = "arn:aws:sqs:us-east-1:222222222222:q"


@pytest.fixture
def iam(client: Any) -> Any:
    return client("iam")


def policy(*statements: dict[str, Any]) -> str:
    common = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{**common, **one} for one in statements]}
    )


def custom(iam: Any, action: str, *policies: str, **more: Any) -> Any:
    found = iam.simulate_custom_policy(PolicyInputList=list(policies), ActionNames=[action], **more)
    [result] = found["EvaluationResults"]
    return result


def at(value: str) -> list[dict[str, Any]]:
    return [
        {
            "ContextKeyName": "aws:CurrentTime",
            "ContextKeyValues": [value],
            "ContextKeyType": "date",
        }
    ]


def test_a_condition_is_held_against_the_context_that_is_given(iam: Any) -> None:
    # The example of the AWS CLI's reference.
    action = "dynamodb:CreateBackup"
    allowed = custom(iam, action, AFTER, ContextEntries=at("2019-04-25T11:00:00Z"))
    assert (allowed["EvalActionName"], allowed["EvalResourceName"]) == (action, "*")
    assert allowed["EvalDecision"] == "allowed"
    assert allowed["MissingContextValues"] == []
    [matched] = allowed["MatchedStatements"]
    assert matched["SourcePolicyId"] == "PolicyInputList.1"
    assert matched["StartPosition"] == {"Line": 1, "Column": 38}
    assert matched["EndPosition"] == {"Line": 1, "Column": 167}
    early = custom(iam, action, AFTER, ContextEntries=at("2014-04-25T11:00:00Z"))
    assert (early["EvalDecision"], early["MatchedStatements"]) == ("implicitDeny", [])
    unknown = custom(iam, action, AFTER)
    assert unknown["EvalDecision"] == "implicitDeny"
    assert unknown["MissingContextValues"] == ["aws:CurrentTime"]


def test_a_denial_is_all_that_is_shown_of_what_matched(iam: Any) -> None:
    denied = custom(iam, "s3:GetObject", policy({}), policy({"Effect": "Deny"}, {}))
    assert denied["EvalDecision"] == "explicitDeny"
    assert [one["SourcePolicyId"] for one in denied["MatchedStatements"]] == ["PolicyInputList.2"]


def test_resources_are_decided_one_by_one(iam: Any) -> None:
    mine, other = "arn:aws:s3:::b/ann/x", "arn:aws:s3:::b/bob/x"
    home = policy({"Resource": "arn:aws:s3:::b/${aws:username}/*"})
    caller = "arn:aws:iam::111111111111:user/ann"
    result = custom(iam, "s3:GetObject", home, ResourceArns=[mine, other], CallerArn=caller)
    assert result["EvalDecision"] == "implicitDeny"
    specific = result["ResourceSpecificResults"]
    assert [one["EvalResourceName"] for one in specific] == [mine, other]
    assert [one["EvalResourceDecision"] for one in specific] == ["allowed", "implicitDeny"]
    one = custom(iam, "s3:GetObject", home, ResourceArns=[mine], CallerArn=caller)
    assert (one["EvalResourceName"], one["EvalDecision"]) == (mine, "allowed")


@pytest.mark.parametrize(
    ("identity", "resource", "decision"),
    [
        ({}, {}, "allowed"),
        ({}, None, "implicitDeny"),
        ({"Action": "s3:*"}, {}, "implicitDeny"),
        ({}, {"Principal": {"AWS": "333333333333"}}, "implicitDeny"),
        ({}, {"Effect": "Deny"}, "explicitDeny"),
    ],
    ids=range(5),
)
def test_another_accounts_resource_takes_both_policies(
    iam: Any, identity: dict[str, Any], resource: dict[str, Any] | None, decision: str
) -> None:
    more = {} if resource is None else {"ResourcePolicy": policy({"Principal": "*", **resource})}
    result = custom(
        iam,
        "sqs:SendMessage",
        policy(identity),
        ResourceArns=[QUEUE],
        CallerArn="arn:aws:iam::111111111111:user/ann",
        **more,
    )
    assert result["EvalDecision"] == decision
    assert set(result["EvalDecisionDetails"]) == {"IAM Policy", "Resource Policy"}


def test_the_policies_of_a_user_its_groups_and_its_boundary_decide(iam: Any) -> None:
    bound = iam.create_policy(PolicyName="bound", PolicyDocument=policy({"Action": "s3:*"}))
    arn = iam.create_user(UserName="ann")["User"]["Arn"]
    iam.create_group(GroupName="team")
    iam.add_user_to_group(GroupName="team", UserName="ann")
    iam.put_group_policy(
        GroupName="team", PolicyName="all", PolicyDocument=policy({"NotAction": "iam:*"})
    )

    def says(action: str, **more: Any) -> Any:
        found = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=[action], **more)
        return found["EvaluationResults"][0]

    allowed = says("sqs:SendMessage")
    assert allowed["EvalDecision"] == "allowed"
    assert allowed["MatchedStatements"][0]["SourcePolicyType"] == "group"
    assert says("iam:CreateUser")["EvalDecision"] == "implicitDeny"
    iam.put_user_permissions_boundary(UserName="ann", PermissionsBoundary=bound["Policy"]["Arn"])
    bounded = says("sqs:SendMessage")
    assert bounded["EvalDecision"] == "implicitDeny"
    assert not bounded["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"]
    assert says("s3:GetObject")["EvalDecision"] == "allowed"
    left_out = {
        "InlinePolicyIdentifier": {
            "PolicyName": "all",
            "AttachmentType": "group",
            "AttachmentName": "team",
        },
    }
    without = says("s3:GetObject", PolicyExclusionList=[left_out])
    assert without["EvalDecision"] == "implicitDeny"
    for kind, decision in (("inline", "implicitDeny"), ("permission-boundary", "allowed")):
        result = says("sqs:SendMessage", PolicyExclusionList=[{"PolicyType": kind}])
        assert result["EvalDecision"] == decision
    given = says("iam:CreateUser", PolicyInputList=[policy({"Effect": "Deny"})])
    assert given["EvalDecision"] == "explicitDeny"


def test_a_roles_managed_policies_are_simulated_page_by_page(iam: Any) -> None:
    role = make_role(iam)["Role"]["Arn"]
    managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
    iam.attach_role_policy(RoleName="r", PolicyArn=managed)
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=role,
        ActionNames=["sqs:ReceiveMessage", "sqs:SendMessage"],
        PaginationConfig={"PageSize": 1},
    )
    results = [one for each in pages for one in each["EvaluationResults"]]
    assert [one["EvalDecision"] for one in results] == ["allowed", "implicitDeny"]
    [matched] = results[0]["MatchedStatements"]
    assert matched["SourcePolicyId"] == "AWSLambdaSQSQueueExecutionRole"


def test_the_context_keys_that_policies_need_are_named(iam: Any) -> None:
    tagged = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    document = policy({"Condition": tagged}, {"Resource": "arn:aws:s3:::b/${aws:username}"})
    found = iam.get_context_keys_for_custom_policy(PolicyInputList=[document, AFTER])
    assert sorted(found["ContextKeyNames"]) == [
        "aws:CurrentTime",
        "aws:PrincipalTag/team",
        "aws:ResourceTag/team",
        "aws:username",
    ]
    role = make_role(iam)["Role"]["Arn"]
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=AFTER)
    found = iam.get_context_keys_for_principal_policy(PolicySourceArn=role)
    assert found["ContextKeyNames"] == ["aws:CurrentTime"]


def test_what_cannot_be_simulated_is_refused(iam: Any, account: str) -> None:
    code, _, status = refusal(
        iam.simulate_custom_policy, PolicyInputList=["{"], ActionNames=["s3:GetObject"]
    )
    assert (code, status) == ("InvalidInput", 400)
    gone = f"arn:aws:iam::{account}:user/nobody"
    for arn, expected in ((gone, "NoSuchEntity"), ("arn:aws:s3:::bucket/x", "InvalidInput")):
        wrong = refusal(
            iam.simulate_principal_policy, PolicySourceArn=arn, ActionNames=["s3:GetObject"]
        )
        assert wrong[0] == expected
    anyone = policy({"Principal": "*"})
    code, message, _ = refusal(
        iam.simulate_custom_policy,
        PolicyInputList=[AFTER],
        ResourcePolicy=anyone,
        ActionNames=["s3:GetObject"],
    )
    assert (code, "CallerArn" in message) == ("InvalidInput", True)


def test_a_condition_that_is_none_is_no_policy(iam: Any) -> None:
    for block in ({"StringIs": {"aws:x": "y"}}, {"IpAddress": {"aws:SourceIp": "here"}}):
        document = policy({"Condition": block})
        assert refusal(iam.create_policy, PolicyName="p", PolicyDocument=document)[:2] == (
            "MalformedPolicyDocument",
            "Syntax errors in policy.",
        )
    code, message, _ = refusal(
        iam.create_policy,
        PolicyName="p",
        PolicyDocument=policy({"Condition": {"Bool": {"SecureTransport": "true"}}}),
    )
    assert (code, message.startswith("Actions/Conditions must be")) == (
        "MalformedPolicyDocument",
        True,
    )


def test_statements_are_found_where_they_stand() -> None:
    text = '{\n "Version" : "2012-10-17",\n "Statement": [\n  {"a": "}]"},\n  {}\n ]\n}'
    assert places(text) == [
        {
            "StartPosition": {"Line": 4, "Column": 4},
            "EndPosition": {"Line": 4, "Column": 14},
        },
        {"StartPosition": {"Line": 5, "Column": 4}, "EndPosition": {"Line": 5, "Column": 5}},
    ]
    assert places('{"Statement":[]}') == []
    [last] = places('{"Statement":[{},{}],"Statement":{},"Id":{"Statement":[{},{}]}}')
    assert last["StartPosition"] == {"Line": 1, "Column": 35}
    assert places('{ "Version": "x" }') == []
