"""Resource policies: as AWS writes them, and what they allow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.conftest import ClientFactory
from tests.services.lambda_.conftest import Make, payload
from tests.services.lambda_.test_functions import refused

from lambent.services.lambda_.policy import allows, statement

BUCKET = "arn:aws:s3:::photos"
S3 = "s3.amazonaws.com"


def test_a_permission_becomes_a_statement(make: Make, functions: Any) -> None:
    arn = make("f")["FunctionArn"]
    added = functions.add_permission(
        FunctionName="f",
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal=S3,
        SourceArn=BUCKET,
        SourceAccount="123456789012",
    )
    expected = {
        "Sid": "s3",
        "Effect": "Allow",
        "Principal": {"Service": S3},
        "Action": "lambda:InvokeFunction",
        "Resource": arn,
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": "123456789012"},
            "ArnLike": {"AWS:SourceArn": BUCKET},
        },
    }
    assert json.loads(added["Statement"]) == expected
    policy = functions.get_policy(FunctionName="f")
    assert json.loads(policy["Policy"]) == {
        "Version": "2012-10-17",
        "Id": "default",
        "Statement": [expected],
    }
    assert (
        functions.get_function_configuration(FunctionName="f")["RevisionId"]
        == (policy["RevisionId"])
    )


def test_a_statement_id_is_used_once_and_can_be_removed(make: Make, functions: Any) -> None:
    make("f")
    arguments = {
        "FunctionName": "f",
        "StatementId": "s",
        "Action": "lambda:InvokeFunction",
        "Principal": "123456789012",
    }
    functions.add_permission(**arguments)
    assert refused(lambda: functions.add_permission(**arguments)) == (
        "ResourceConflictException",
        409,
        "The statement id (s) provided already exists. Please provide a new statement id, or "
        "remove the existing statement.",
    )
    functions.remove_permission(FunctionName="f", StatementId="s")
    assert refused(lambda: functions.get_policy(FunctionName="f")) == (
        "ResourceNotFoundException",
        404,
        "The resource you requested does not exist.",
    )
    code, _, message = refused(
        lambda: functions.remove_permission(FunctionName="f", StatementId="s")
    )
    assert code == "ResourceNotFoundException"
    assert message == "No policy is associated with the given resource."


@pytest.mark.parametrize(
    ("params", "principal", "source", "allowed"),
    [
        ({"Principal": S3}, S3, BUCKET, True),
        ({"Principal": S3}, "sns.amazonaws.com", BUCKET, False),
        ({"Principal": "*"}, S3, BUCKET, True),
        ({"Principal": "123456789012"}, S3, BUCKET, False),
        ({"Principal": S3, "Action": "lambda:GetFunction"}, S3, BUCKET, False),
        ({"Principal": S3, "Action": "lambda:*"}, S3, BUCKET, True),
        ({"Principal": S3, "SourceArn": BUCKET}, S3, BUCKET, True),
        ({"Principal": S3, "SourceArn": "arn:aws:s3:::pho*"}, S3, BUCKET, True),
        ({"Principal": S3, "SourceArn": "arn:aws:s3:::other"}, S3, BUCKET, False),
        ({"Principal": S3, "SourceAccount": "111111111111"}, S3, BUCKET, True),
        (
            {"Principal": "sns.amazonaws.com", "SourceAccount": "111111111111"},
            "sns.amazonaws.com",
            "arn:aws:sns:us-east-1:222222222222:topic",
            False,
        ),
        ({"Principal": S3, "EventSourceToken": "token"}, S3, BUCKET, False),
    ],
)
def test_a_policy_allows_what_it_says(
    params: dict[str, Any], principal: str, source: str, allowed: bool
) -> None:
    made = statement(
        {"StatementId": "s", "Action": "lambda:InvokeFunction", **params}, "arn:aws:lambda:::f"
    )
    assert allows([made], principal, source) is allowed


def test_another_account_invokes_what_its_permission_names(
    make: Make, functions: Any, client: ClientFactory
) -> None:
    arn = make("f", Publish=True)["FunctionArn"].removesuffix(":1")
    friend, stranger = (
        client("lambda", access_key=one) for one in ("222222222222", "111111111111")
    )
    functions.add_permission(
        FunctionName="f",
        StatementId="friend",
        Action="lambda:InvokeFunction",
        Principal="222222222222",
    )
    assert payload(friend.invoke(FunctionName=arn, Payload=b'"hello"')) == "hello"
    assert friend.invoke(FunctionName=arn, InvocationType="Event")["StatusCode"] == 202
    # The permission is for the function as such, not for its version 1.
    for caller, whom in ((stranger, arn), (friend, f"{arn}:1")):
        assert refused(lambda caller=caller, whom=whom: caller.invoke(FunctionName=whom))[:2] == (
            "AccessDeniedException",
            403,
        )
