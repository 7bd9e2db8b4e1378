"""Resource policies: as AWS writes them, and what they allow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.conftest import ClientFactory
from tests.services.lambda_.conftest import Make, payload, until
from tests.services.lambda_.test_functions import refused

from lambent.core.arns import Arn
from lambent.core.context import RequestContext
from lambent.events.contract import Sender
from lambent.services.lambda_.names import from_arn
from lambent.services.lambda_.policy import statement, whole
from lambent.services.lambda_.policy_rules import may_visit, takes

BUCKET = "arn:aws:s3:::photos"
S3 = "s3.amazonaws.com"
ACCOUNT = "123456789012"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
REFERENCE = from_arn(Arn.parse(FUNCTION))


def allows(statements: list[dict[str, Any]], principal: str, source: str) -> bool:
    """Whether a service may invoke the function for a resource of its own account, or for the
    one that the resource's ARN names."""
    account = source.split(":")[4] or ACCOUNT
    return takes(whole(statements), Sender(principal, source, account), REFERENCE)


def visits(statements: list[dict[str, Any]], account: str, auth_type: str) -> bool:
    """Whether an account ("": anyone) may call the function's URL."""
    who = f"arn:aws:iam::{account}:root" if account else ""
    context = RequestContext(account, "us-east-1", "r", 0.0, "", who, client="10.0.0.1")
    return may_visit(whole(statements), context, REFERENCE, auth_type)


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
        ({"Principal": S3, "SourceAccount": "111111111111"}, S3, BUCKET, False),
        ({"Principal": S3, "SourceAccount": ACCOUNT}, S3, BUCKET, True),
        ({"Principal": S3, "PrincipalOrgID": "o-1234567890"}, S3, BUCKET, False),
        ({"Principal": S3, "InvokedViaFunctionUrl": True}, S3, BUCKET, False),
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
    made = statement({"StatementId": "s", "Action": "lambda:InvokeFunction", **params}, FUNCTION)
    assert allows([made], principal, source) is allowed


def _one(effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {
        "Effect": effect,
        "Principal": {"Service": [S3, "sns.amazonaws.com"]},
        "Action": ["lambda:GetFunction", "lambda:Invoke*"],
        "Resource": FUNCTION,
        **more,
    }


_FROM = {"aws:SourceArn": "arn:aws:s3:::pho*"}


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([_one()], True),
        ([_one(Principal={"AWS": "*"})], True),
        ([_one(Principal={"Service": "events.amazonaws.com"})], False),
        ([_one(Action="lambda:GetFunction")], False),
        ([_one(Action="LAMBDA:invokefunction")], True),
        ([_one(Resource=f"{FUNCTION}:*")], False),
        ([_one(Resource=["*"])], True),
        ([_one(), _one("Deny")], False),
        ([_one("Deny"), _one(Principal="*")], False),
        ([_one(), _one("Deny", Action="lambda:GetFunction")], True),
        ([_one(), _one("Deny", Condition={"ArnLike": _FROM})], False),
        ([_one(), _one("Deny", Condition={"ArnNotLike": _FROM})], True),
        (
            [_one(Condition={"ArnEquals": _FROM, "StringEquals": {"aws:PrincipalOrgID": "o"}})],
            False,
        ),
        ([_one(Condition={"StringEqualsIfExists": {"aws:PrincipalOrgID": "o"}})], True),
        ([_one(Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o"}})], True),
        ([_one(Condition={"Null": {"aws:PrincipalOrgID": "true"}})], True),
        ([_one(Condition={"StringEquals": {"AWS:SourceAccount": ["1", ACCOUNT]}})], True),
        ([_one(Condition={"StringEquals": {"AWS:SourceAccount": ["1", "2"]}})], False),
        ([_one(Condition={"Bool": {"aws:PrincipalIsAWSService": "true"}})], True),
        ([_one(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})], False),
    ],
    ids=range(20),
)
def test_a_policy_that_was_put_as_a_whole_allows_what_it_says(
    statements: list[dict[str, Any]], allowed: bool
) -> None:
    assert allows(statements, S3, BUCKET) is allowed


def test_a_url_is_open_to_whom_both_of_its_actions_are() -> None:
    everyone = _one(Principal="*", Action="lambda:Invoke*")
    assert visits([everyone], "", "NONE")
    assert not visits([{**everyone, "Action": "lambda:InvokeFunction"}], "", "NONE")
    friends = {**everyone, "Principal": {"AWS": ["arn:aws:iam::111122223333:root", "444455556666"]}}
    assert visits([friends], "444455556666", "AWS_IAM")
    assert not visits([friends], "999999999999", "AWS_IAM")
    denied = {**everyone, "Effect": "Deny", "Principal": {"AWS": "444455556666"}}
    assert not visits([friends, denied], "444455556666", "AWS_IAM")
    assert visits([friends, denied], "111122223333", "AWS_IAM")
    assert visits([], ACCOUNT, "AWS_IAM")
    assert not visits([_one("Deny", Principal="*", Action="lambda:*")], ACCOUNT, "AWS_IAM")


@pytest.mark.parametrize(
    ("condition", "auth_type", "allowed"),
    [
        ({"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}, "NONE", True),
        ({"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}, "AWS_IAM", False),
        ({"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}, "NONE", True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, "NONE", True),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, "NONE", False),
    ],
    ids=range(5),
)
def test_a_url_is_open_under_the_conditions_of_its_policy(
    condition: dict[str, Any], auth_type: str, allowed: bool
) -> None:
    everyone = _one(Principal="*", Action="lambda:Invoke*", Condition=condition)
    assert visits([everyone], "", auth_type) is allowed


def test_a_whole_policy_takes_the_place_of_what_was_there(make: Make, functions: Any) -> None:
    arn = make("f")["FunctionArn"]
    functions.add_permission(
        FunctionName="f", StatementId="s", Action="lambda:InvokeFunction", Principal=S3
    )
    wanted = {"Version": "2012-10-17", "Statement": [_one(Resource=arn), _one("Deny", Sid="no")]}
    put = functions.put_resource_policy(ResourceArn=arn, Policy=json.dumps(wanted))
    assert json.loads(put["Policy"]) == wanted
    got = functions.get_resource_policy(ResourceArn=arn)
    assert (got["Policy"], got["RevisionId"]) == (put["Policy"], put["RevisionId"])
    assert functions.get_policy(FunctionName="f")["Policy"] == put["Policy"]
    functions.remove_permission(FunctionName="f", StatementId="no")
    stale = {"ResourceArn": arn, "RevisionId": put["RevisionId"]}
    for call in (
        lambda: functions.put_resource_policy(**stale, Policy=json.dumps(wanted)),
        lambda: functions.delete_resource_policy(**stale),
    ):
        assert refused(call)[0] == "PreconditionFailedException"
    functions.delete_resource_policy(ResourceArn=arn)
    for call in (
        lambda: functions.get_resource_policy(ResourceArn=arn),
        lambda: functions.delete_resource_policy(ResourceArn=arn),
        lambda: functions.get_policy(FunctionName="f"),
    ):
        assert refused(call)[0] == "ResourceNotFoundException"


def test_an_alias_has_a_policy_of_its_own(make: Make, functions: Any) -> None:
    make("f")
    functions.publish_version(FunctionName="f")
    alias = functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")["AliasArn"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": _one(Resource=alias)})
    functions.put_resource_policy(ResourceArn=alias, Policy=policy)
    assert functions.get_policy(FunctionName="f", Qualifier="live")["Policy"]
    assert refused(lambda: functions.get_policy(FunctionName="f"))[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ("{", "InvalidParameterValueException"),
        ("[]", "InvalidParameterValueException"),
        ("{}", "InvalidParameterValueException"),
        (json.dumps({"Statement": [{"Effect": "Allow"}]}), "InvalidParameterValueException"),
        (json.dumps({"Statement": [_one("Perhaps")]}), "InvalidParameterValueException"),
        (
            json.dumps({"Statement": [_one(Condition={"Bool": 1})]}),
            "InvalidParameterValueException",
        ),
        (json.dumps({"Statement": [_one(Sid="x" * 20_480)]}), "ValidationException"),
    ],
    ids=range(7),
)
def test_what_is_no_policy_is_refused(make: Make, functions: Any, policy: str, code: str) -> None:
    arn = make("f")["FunctionArn"]
    assert refused(lambda: functions.put_resource_policy(ResourceArn=arn, Policy=policy))[0] == code


def test_a_policy_that_grows_too_long_is_refused(make: Make, functions: Any) -> None:
    arn = make("f")["FunctionArn"]
    statement = _one(Resource=arn, Condition={"StringLike": {"aws:x": "x" * 19_900}})
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    functions.put_resource_policy(ResourceArn=arn, Policy=policy)
    code, status, message = refused(
        lambda: functions.add_permission(
            FunctionName="f",
            StatementId="s" * 100,
            Action="lambda:InvokeFunction",
            Principal=S3,
            SourceArn="arn:aws:s3:::" + "x" * 60,
        )
    )
    assert (code, status) == ("PolicyLengthExceededException", 400)
    assert message.startswith("The final policy size (") and "limit (20480)." in message


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


def test_what_a_functions_policy_denies_holds_for_its_own_account(
    make: Make, functions: Any
) -> None:
    arn = make("f")["FunctionArn"]

    def deny(condition: dict[str, Any]) -> None:
        denial = _one("Deny", Principal="*", Resource=arn, Condition=condition)
        policy = json.dumps({"Version": "2012-10-17", "Statement": denial})
        functions.put_resource_policy(ResourceArn=arn, Policy=policy)

    deny({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    assert payload(functions.invoke(FunctionName="f", Payload=b"1")) == 1
    deny({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    for kind in ("RequestResponse", "Event", "DryRun"):
        code, status, message = refused(
            lambda kind=kind: functions.invoke(FunctionName="f", InvocationType=kind)
        )
        assert (code, status) == ("AccessDeniedException", 403)
        assert message.endswith(f"{arn} with an explicit deny in a resource-based policy")


def test_a_destination_takes_what_its_policy_does_not_deny_to_the_functions_role(
    make: Make, functions: Any, client: ClientFactory, account: str
) -> None:
    sqs = client("sqs")
    role = f"arn:aws:iam::{account}:role/worker"
    queues = {}
    for name, denied in (("open", f"{role}2"), ("closed", role)):
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:{account}:{name}"
        policy = {"Effect": "Deny", "Principal": {"AWS": denied}, "Action": "*", "Resource": arn}
        attributes = {"Policy": json.dumps({"Statement": policy})}
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        queues[name] = (url, arn)
    make("f", Role=role)

    def destine(name: str) -> None:
        functions.put_function_event_invoke_config(
            FunctionName="f", DestinationConfig={"OnSuccess": {"Destination": queues[name][1]}}
        )

    code, _, message = refused(lambda: destine("closed"))
    assert (code, message) == (
        "InvalidParameterValueException",
        f"The destination ARN {queues['closed'][1]} is invalid.",
    )
    destine("open")
    functions.invoke(FunctionName="f", InvocationType="Event")
    url = queues["open"][0]
    until(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))


def test_a_template_puts_a_whole_policy(make: Make, functions: Any, client: ClientFactory) -> None:
    arn = make("f")["FunctionArn"]
    stacks = client("cloudformation")
    policy = {"Version": "2012-10-17", "Statement": [_one(Resource=arn)]}

    def deploy(call: Any, done: str) -> None:
        resource = {
            "Type": "AWS::Lambda::ResourcePolicy",
            "Properties": {"ResourceArn": arn, "PolicyDocument": policy},
        }
        call(StackName="s", TemplateBody=json.dumps({"Resources": {"Policy": resource}}))
        stacks.get_waiter(done).wait(
            StackName="s", WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
        )
        assert json.loads(functions.get_resource_policy(ResourceArn=arn)["Policy"]) == policy

    deploy(stacks.create_stack, "stack_create_complete")
    policy["Statement"] = [_one("Deny", Resource=arn)]
    deploy(stacks.update_stack, "stack_update_complete")
    stacks.delete_stack(StackName="s")
    stacks.get_waiter("stack_delete_complete").wait(
        StackName="s", WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
    )
    assert refused(lambda: functions.get_policy(FunctionName="f"))[0] == "ResourceNotFoundException"
