"""A function's role: in server mode, Lambda must be able to act as it, and does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import Make, archive, payload

from lambent.services.lambda_ import role_permissions
from lambent.services.lambda_.roles import trusts

WHO = """
import boto3

def handler(event, context):
    answer = boto3.client("sts").get_caller_identity()
    return [answer["Arn"], answer["UserId"], answer["Account"]]
"""


def _trust(**statement: Any) -> str:
    given = {"Effect": "Allow", "Action": "sts:AssumeRole", **statement}
    return json.dumps({"Version": "2012-10-17", "Statement": given})


TRUST = _trust(Principal={"Service": "lambda.amazonaws.com"})
REFUSED = "The role defined for the function cannot be assumed by Lambda."


@pytest.fixture
def server(fresh_node: Callable[..., Any], connect: Callable[..., Any]) -> Callable[[str], Any]:
    """`server("iam")`: the administrator's client of a node that checks."""
    node = fresh_node(auth=True)
    key = node.administrator
    return lambda service: connect(node.endpoint, service, access_key=key.id, secret=key.secret)


def test_server_mode_takes_roles_that_trust_lambda_and_functions_act_as_them(
    server: Callable[[str], Any],
) -> None:
    iam, functions = server("iam"), server("lambda")
    account = server("sts").get_caller_identity()["Account"]
    other = _trust(Principal={"Service": "ec2.amazonaws.com"})
    wary = iam.create_role(RoleName="wary", AssumeRolePolicyDocument=other)["Role"]["Arn"]
    made = iam.create_role(RoleName="good", Path="/app/", AssumeRolePolicyDocument=TRUST)["Role"]

    def create(role: str) -> None:
        functions.create_function(
            FunctionName="f",
            Runtime="python3.11",
            Handler="index.handler",
            Role=role,
            Timeout=20,
            Code={"ZipFile": archive(WHO)},
        )

    nobody = f"arn:aws:iam::{account}:role/nobody"
    for role in (wary, nobody, f"arn:aws:iam::{account}:role/good"):
        with pytest.raises(ClientError) as refused:
            create(role)
        assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
        assert refused.value.response["Error"]["Message"] == REFUSED
    with pytest.raises(ClientError, match="Cross-account pass role is not allowed"):
        create("arn:aws:iam::999988887777:role/good")
    create(made["Arn"])
    with pytest.raises(ClientError, match="cannot be assumed by Lambda"):
        functions.update_function_configuration(FunctionName="f", Role=nobody)
    functions.update_function_configuration(FunctionName="f", MemorySize=256)
    answer = json.load(functions.invoke(FunctionName="f")["Payload"])
    arn = f"arn:aws:sts::{account}:assumed-role/good/f"
    assert answer == [arn, f"{made['RoleId']}:f", account]


def test_local_mode_takes_any_role(client: Callable[..., Any]) -> None:
    client("lambda").create_function(
        FunctionName="f",
        Runtime="python3.11",
        Handler="index.handler",
        Role="arn:aws:iam::999988887777:role/of-a-real-account",
        Code={"ZipFile": archive(WHO)},
    )


def test_in_local_mode_functions_say_whose_role_they_have(
    make: Make, functions: Any, client: Callable[..., Any], account: str
) -> None:
    role = client("iam").create_role(RoleName="there", AssumeRolePolicyDocument=TRUST)["Role"]
    make("f", WHO, Role=role["Arn"], Timeout=20)
    assert payload(functions.invoke(FunctionName="f")) == [
        f"arn:aws:sts::{account}:assumed-role/there/f",
        f"{role['RoleId']}:f",
        account,
    ]
    make("g", WHO, Role=f"arn:aws:iam::{account}:role/nowhere", Timeout=20)
    arn, user_id, whose = payload(functions.invoke(FunctionName="g"))
    assert (arn, whose) == (f"arn:aws:sts::{account}:assumed-role/nowhere/g", account)
    assert user_id.startswith("AROA") and user_id.endswith(":g")


FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"


@pytest.mark.parametrize(
    ("statements", "trusted"),
    [
        ([{"Principal": {"Service": "lambda.amazonaws.com"}}], True),
        ([{"Principal": {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}}], True),
        ([{"Principal": "*"}], True),
        ([{"Principal": {"Service": "lambda.amazonaws.com"}, "Action": ["sts:*"]}], True),
        ([{"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:TagSession"}], False),
        ([{"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}], False),
        ([{"Principal": "*"}, {"Principal": "*", "Effect": "Deny"}], False),
        ([{"Principal": "*", "Condition": {"ArnLike": {"aws:SourceArn": FUNCTION}}}], True),
        ([{"Principal": "*", "Condition": {"ArnLike": {"aws:SourceArn": FUNCTION + "2"}}}], False),
        ([{"Principal": "*", "Condition": {"StringEquals": {"sts:ExternalId": "x"}}}], False),
        ([], False),
    ],
    ids=range(11),
)
def test_what_a_trust_policy_says(statements: list[dict[str, Any]], trusted: bool) -> None:
    common = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    document = json.dumps({"Statement": [{**common, **one} for one in statements]})
    assert trusts(document, FUNCTION) == trusted


INSECURE = {"Bool": {"aws:SecureTransport": "false"}}
HERE = {"StringEquals": {"aws:ResourceAccount": "123456789012", "aws:RequestedRegion": "us-east-1"}}


def _policy(
    *actions: str, resource: str = "*", effect: str = "Allow", **more: Any
) -> dict[str, Any]:
    one = {"Effect": effect, "Action": list(actions), "Resource": resource, **more}
    return {"Statement": [one]}


@pytest.mark.parametrize(
    ("documents", "may"),
    [
        ([], False),
        ([_policy("sqs:*")], True),
        ([_policy("SQS:send*", resource="arn:aws:sqs:*:*:d?ad")], True),
        ([_policy("sqs:SendMessage", resource="arn:aws:sqs:*:*:other")], False),
        ([_policy("sns:Publish")], False),
        ([_policy("sqs:*"), _policy("sqs:SendMessage", effect="Deny")], False),
        ([{"Statement": {"Effect": "Allow", "NotAction": "s3:*", "NotResource": "x"}}], True),
        ([{"Statement": {"Effect": "Allow", "NotAction": "sqs:*", "Resource": "*"}}], False),
        ([_policy("sqs:*"), _policy("*", effect="Deny", Condition=INSECURE)], True),
        ([_policy("sqs:*", Condition=INSECURE)], False),
        ([_policy("sqs:*", Condition=HERE)], True),
    ],
    ids=range(11),
)
def test_a_roles_policies_decide_together(documents: list[dict[str, Any]], may: bool) -> None:
    queue = "arn:aws:sqs:us-east-1:123456789012:dead"
    role = "arn:aws:iam::123456789012:role/r"
    assert role_permissions.allows(documents, role, "sqs:SendMessage", queue) is may


def test_server_mode_looks_at_what_the_role_may_reach(server: Callable[[str], Any]) -> None:
    iam, functions, sqs = server("iam"), server("lambda"), server("sqs")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    queue = found["Attributes"]["QueueArn"]

    def create(**more: Any) -> None:
        functions.create_function(
            FunctionName="f",
            Runtime="python3.11",
            Handler="index.handler",
            Role=role,
            Code={"ZipFile": archive(WHO)},
            **more,
        )

    def reach() -> None:
        functions.put_function_event_invoke_config(
            FunctionName="f", DestinationConfig={"OnFailure": {"Destination": queue}}
        )

    def feed() -> None:
        functions.create_event_source_mapping(FunctionName="f", EventSourceArn=queue)

    def says(action: Callable[[], None]) -> str:
        with pytest.raises(ClientError) as refused:
            action()
        assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
        return str(refused.value.response["Error"]["Message"])

    dead = {"DeadLetterConfig": {"TargetArn": queue}}
    provided = "The provided execution role does not have permissions to call SendMessage on SQS"
    assert says(lambda: create(**dead)) == provided
    create()
    assert says(lambda: _configure(functions, dead)) == provided
    assert says(reach) == (
        f"The function's execution role does not have permissions to call SendMessage on {queue}"
    )
    assert says(feed) == (
        "The function execution role does not have permissions to call ReceiveMessage on SQS"
    )
    iam.put_role_policy(
        RoleName="r", PolicyName="send", PolicyDocument=json.dumps(_policy("sqs:SendMessage"))
    )
    _configure(functions, dead)
    reach()
    iam.attach_role_policy(
        RoleName="r",
        PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole",
    )
    feed()


def _configure(functions: Any, settings: dict[str, Any]) -> None:
    functions.update_function_configuration(FunctionName="f", **settings)
