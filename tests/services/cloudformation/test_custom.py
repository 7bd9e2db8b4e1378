"""Custom resources: what a template's own function makes, through boto3 on a live node."""

from __future__ import annotations

import contextlib
import json
import textwrap
import threading
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tests.conftest import ClientFactory
from tests.support.nodes import ProcessNode, ThreadNode

from lambent.core.clock import VirtualClock

WAIT = {"Delay": 0.05, "MaxAttempts": 2000}
ROLE = "arn:aws:iam::123456789012:role/r"
PROVIDER = textwrap.dedent(
    """
    import json, os, boto3, cfnresponse

    def handler(event, context):
        sqs = boto3.client("sqs")
        url = sqs.get_queue_url(QueueName="requests")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event))
        wanted = event["ResourceProperties"]
        if wanted.get("Silent") == event["RequestType"]:
            return
        failed = wanted.get("Fail") == event["RequestType"]
        cfnresponse.send(
            event,
            context,
            cfnresponse.FAILED if failed else cfnresponse.SUCCESS,
            {"Word": "said " + wanted.get("Word", ""), "Deep": {"er": 7}},
            wanted.get("Id"),
            noEcho=wanted.get("Secret") == "true",
            reason="as I was asked" if failed else None,
        )
    """
)


def provider(code: str = PROVIDER) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.11",
            "Handler": "index.handler",
            "Role": ROLE,
            "Timeout": 30,
            "Code": {"ZipFile": code},
        },
    }


def thing(kind: str = "Custom::Thing", /, **properties: Any) -> dict[str, Any]:
    token = {"Fn::GetAtt": ["Provider", "Arn"]}
    return {"Type": kind, "Properties": {"ServiceToken": token, **properties}}


def template(code: str = PROVIDER, outputs: dict[str, Any] | None = None, /, **more: Any) -> str:
    outputs = {name: {"Value": value} for name, value in (outputs or {}).items()}
    resources = {"Provider": provider(code), **more}
    return json.dumps({"Resources": resources, **({"Outputs": outputs} if outputs else {})})


class Stacks:
    """A node's stacks and the requests that its provider has written down."""

    def __init__(self, endpoint: str, connect: ClientFactory) -> None:
        self.cfn = connect(endpoint, "cloudformation")
        self.sqs = connect(endpoint, "sqs")
        self.queue = self.sqs.create_queue(QueueName="requests")["QueueUrl"]

    def create(self, body: str, **more: Any) -> Any:
        self.cfn.create_stack(StackName="s", TemplateBody=body, **more)
        return self.rest()

    def update(self, body: str, **more: Any) -> Any:
        self.cfn.update_stack(StackName="s", TemplateBody=body, **more)
        return self.rest()

    def rest(self) -> Any:
        while True:
            [stack] = self.cfn.describe_stacks(StackName="s")["Stacks"]
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                return stack

    def outputs(self) -> dict[str, str]:
        [stack] = self.cfn.describe_stacks(StackName="s")["Stacks"]
        return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}

    def requests(self) -> list[Any]:
        found = []
        while batch := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            found += batch
            for one in batch:
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=one["ReceiptHandle"])
        return sorted((json.loads(one["Body"]) for one in found), key=_order)

    def reasons(self, status: str, name: str = "Thing") -> list[str]:
        events = self.cfn.describe_stack_events(StackName="s")["StackEvents"]
        return [
            one.get("ResourceStatusReason", "")
            for one in reversed(events)
            if one["ResourceStatus"] == status and one["LogicalResourceId"] == name
        ]


def _order(event: Any) -> int:
    return ["Create", "Update", "Delete"].index(event["RequestType"])


@pytest.fixture
def stacks(node: ThreadNode, connect: ClientFactory) -> Stacks:
    return Stacks(node.endpoint, connect)


def test_a_function_makes_changes_and_deletes_what_the_template_names(stacks: Stacks) -> None:
    outputs = {
        "Word": {"Fn::GetAtt": ["Thing", "Word"]},
        "Deep": {"Fn::GetAtt": ["Thing", "Deep.er"]},
        "Id": {"Ref": "Thing"},
    }
    made = thing(Word="one", Id="thing-1", Number=3, Flag=True, List=[1, {"a": False}])
    stack = stacks.create(template(PROVIDER, outputs, Thing=made))
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stacks.outputs() == {"Word": "said one", "Deep": "7", "Id": "thing-1"}
    [created] = stacks.requests()
    assert created.pop("ResponseURL").startswith("http")
    token = created["ServiceToken"]
    properties = {
        "ServiceToken": token,
        "Word": "one",
        "Id": "thing-1",
        "Number": "3",
        "Flag": "true",
        "List": ["1", {"a": "false"}],
    }
    request = created.pop("RequestId")
    assert created == {
        "RequestType": "Create",
        "ServiceToken": token,
        "StackId": stack["StackId"],
        "LogicalResourceId": "Thing",
        "ResourceType": "Custom::Thing",
        "ResourceProperties": properties,
    }
    stacks.update(template(PROVIDER, outputs, Thing=thing(Word="two", Id="thing-1")))
    assert stacks.outputs()["Word"] == "said two"
    [updated] = stacks.requests()
    assert updated["RequestType"] == "Update" and updated["RequestId"] != request
    assert updated["PhysicalResourceId"] == "thing-1"
    assert updated["OldResourceProperties"] == properties
    stacks.cfn.delete_stack(StackName="s")
    [deleted] = stacks.requests()
    assert deleted["RequestType"] == "Delete" and deleted["PhysicalResourceId"] == "thing-1"
    assert deleted["ResourceProperties"]["Word"] == "two"


def test_another_physical_id_makes_an_update_a_replacement(stacks: Stacks) -> None:
    stacks.create(template(Thing=thing(Id="old")))
    assert stacks.update(template(Thing=thing(Id="new")))["StackStatus"] == "UPDATE_COMPLETE"
    _, updated, deleted = stacks.requests()
    assert updated["PhysicalResourceId"] == "old"
    assert (deleted["RequestType"], deleted["PhysicalResourceId"]) == ("Delete", "old")
    assert stacks.reasons("UPDATE_IN_PROGRESS")[-1] == (
        "Requested update required the provider to create a new physical resource"
    )
    [shown] = stacks.cfn.describe_stack_resources(StackName="s", LogicalResourceId="Thing")[
        "StackResources"
    ]
    assert shown["PhysicalResourceId"] == "new"


def test_a_failed_creation_gives_the_reason_and_is_deleted(stacks: Stacks) -> None:
    stack = stacks.create(template(Thing=thing(Fail="Create", Id="half")))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    created, deleted = stacks.requests()
    assert stacks.reasons("CREATE_FAILED") == [
        "Received response status [FAILED] from custom resource. Message returned: as I was asked "
        f"(RequestId: {created['RequestId']})"
    ]
    assert (deleted["RequestType"], deleted["PhysicalResourceId"]) == ("Delete", "half")


def test_a_failed_update_goes_back_by_an_update(stacks: Stacks) -> None:
    stacks.create(template(Thing=thing(Word="good", Id="x")))
    stack = stacks.update(template(Thing=thing(Word="bad", Id="x", Fail="Update")))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    _, forth, back = stacks.requests()
    words = [one["ResourceProperties"]["Word"] for one in (forth, back)]
    assert sorted(words) == ["bad", "good"]


def test_a_replacement_is_undone_when_another_resource_fails(stacks: Stacks) -> None:
    stacks.create(template(Thing=thing(Id="old")))
    bad = {"Type": "AWS::SQS::Queue", "DependsOn": "Thing", "Properties": {"DelaySeconds": 9999}}
    stack = stacks.update(template(Thing=thing(Id="new"), Bad=bad))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    asked = [(one["RequestType"], one["PhysicalResourceId"]) for one in stacks.requests()[1:]]
    assert sorted(asked) == [("Delete", "new"), ("Update", "new"), ("Update", "old")]
    [shown] = stacks.cfn.describe_stack_resources(StackName="s", LogicalResourceId="Thing")[
        "StackResources"
    ]
    assert shown["PhysicalResourceId"] == "old"


def test_the_service_token_of_a_resource_stays(stacks: Stacks) -> None:
    stacks.create(template(Thing=thing(Id="x"), Other=provider()))
    moved = thing(Id="x")
    moved["Properties"]["ServiceToken"] = {"Fn::GetAtt": ["Other", "Arn"]}
    stack = stacks.update(template(Thing=moved, Other=provider()))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stacks.reasons("UPDATE_FAILED") == ["Modifying service token is not allowed."]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("'nonsense'", "Invalid Json in response object."),
        ("dict(good, PhysicalResourceId='')", "Invalid PhysicalResourceId"),
        ("dict(good, RequestId='other')", "Invalid RequestId in response object."),
        ("dict(good, Data={'a': 'x' * 5000})", "Response object is too long."),
        (
            "dict(good, Status='DONE')",
            "Invalid response status. Valid values: SUCCESS, FAILED",
        ),
    ],
    ids=["json", "id", "request", "long", "status"],
)
def test_an_answer_that_does_not_hold_is_a_failure(
    stacks: Stacks, answer: str, reason: str
) -> None:
    code = textwrap.dedent(
        f"""
        import json, urllib.request
        def handler(event, context):
            names = ("StackId", "RequestId", "LogicalResourceId")
            same = {{name: event[name] for name in names}}
            good = {{"Status": "SUCCESS", "PhysicalResourceId": "p", **same}}
            said = {answer} if event["RequestType"] == "Create" else good
            body = said if isinstance(said, str) else json.dumps(said)
            urllib.request.urlopen(urllib.request.Request(
                event["ResponseURL"], data=body.encode(), method="PUT"))
        """
    )
    stacks.create(template(code, Thing=thing("AWS::CloudFormation::CustomResource")))
    assert stacks.reasons("CREATE_FAILED") == [reason]


def test_an_attribute_that_the_provider_does_not_give(stacks: Stacks) -> None:
    name = {"Fn::GetAtt": ["Thing", "Absent"]}
    user = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": name}}
    stacks.create(template(Thing=thing(Id="x"), User=user))
    [reason] = stacks.reasons("CREATE_FAILED", "User")
    assert reason.startswith(
        "CustomResource attribute error: Vendor response doesn't contain Absent key in object arn:"
    )
    assert reason.endswith(
        "|Thing|"
        + stacks.requests()[0]["RequestId"]
        + (" in S3 bucket cloudformation-custom-resource-storage-useast1")
    )


def test_secret_answers_are_not_shown_in_the_history(stacks: Stacks) -> None:
    word = {"Fn::GetAtt": ["Thing", "Word"]}
    user = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": word}}
    stacks.create(
        template(PROVIDER, {"Word": word}, Thing=thing(Id="x", Word="w", Secret=True), User=user)
    )
    assert stacks.outputs() == {"Word": "said w"}
    events = stacks.cfn.describe_stack_events(StackName="s")["StackEvents"]
    shown = [one["ResourceProperties"] for one in events if one["LogicalResourceId"] == "User"]
    assert {json.loads(one)["Value"] for one in shown} == {"*****"}


def test_what_names_no_function_is_refused_with_aws_words(stacks: Stacks, account: str) -> None:
    def first(token: str) -> str:
        one = {"Type": "Custom::Thing", "Properties": {"ServiceToken": token}}
        stacks.create(json.dumps({"Resources": {"Thing": one}}))
        [reason] = stacks.reasons("CREATE_FAILED")
        stacks.cfn.delete_stack(StackName="s")
        return reason

    assert first("nonsense") == "Invalid service token."
    assert "topics" in first("arn:aws:sns:us-east-1:123456789012:t")
    function = f"arn:aws:lambda:us-east-1:{account}:function:gone"
    assert first(function).startswith(f"Function not found: {function}")


def test_others_do_not_wait_for_a_provider_and_what_waits_is_cancelled(
    fresh_node: Callable[..., ThreadNode], connect: ClientFactory
) -> None:
    stacks = Stacks(fresh_node().endpoint, connect)
    bad = {"Type": "AWS::SQS::Queue", "DependsOn": "After", "Properties": {"DelaySeconds": 9999}}
    after = {"Type": "AWS::SQS::Queue", "DependsOn": "Provider"}
    stacks.create(template(Thing=thing(Silent="Create"), After=after, Bad=bad))
    assert stacks.reasons("CREATE_FAILED") == ["Resource creation cancelled"]
    [turned] = stacks.reasons("ROLLBACK_IN_PROGRESS", "s")
    assert turned == (
        "The following resource(s) failed to create: [Bad, Thing]. Rollback requested by user."
    )
    _, deleted = stacks.requests()
    assert deleted["PhysicalResourceId"].startswith("s-Thing-")


@pytest.mark.parametrize(("own", "seconds"), [(None, 3600), (120, 120)], ids=["hour", "own"])
def test_no_answer_is_a_failure_when_the_time_is_over(
    fresh_node: Callable[..., ThreadNode], connect: ClientFactory, own: int | None, seconds: int
) -> None:
    clock = VirtualClock()
    node = fresh_node(clock=clock)
    stacks = Stacks(node.endpoint, connect)
    silent = thing(Silent="Create", Id="x", **({} if own is None else {"ServiceTimeout": own}))

    def after(time: float) -> str:
        node.run(clock.advance(time))
        [stack] = stacks.cfn.describe_stacks(StackName="s")["Stacks"]
        return str(stack["StackStatus"])

    begun = threading.Thread(
        target=stacks.cfn.create_stack,
        kwargs={"StackName": "s", "TemplateBody": template(Thing=silent)},
    )
    begun.start()
    while not stacks.requests():
        pass
    node.run(clock.advance(6))
    begun.join()
    assert after(seconds - 60) == "CREATE_IN_PROGRESS"
    while after(60) == "CREATE_IN_PROGRESS":
        pass
    [reason] = stacks.reasons("CREATE_FAILED")
    assert reason.startswith("CloudFormation did not receive a response from your Custom Resource.")


@pytest.mark.crash
def test_a_node_that_is_killed_between_request_and_answer_goes_on(
    node_process: Callable[..., ProcessNode], connect: ClientFactory
) -> None:
    node = node_process()
    stacks = Stacks(node.endpoint, connect)

    def begin() -> None:
        with contextlib.suppress(BotoCoreError, ClientError):
            stacks.cfn.create_stack(
                StackName="s", TemplateBody=template(Thing=thing(Silent="Create", Id="x"))
            )

    caller = threading.Thread(target=begin)
    caller.start()
    while not (asked := stacks.requests()):
        pass
    node.kill()
    caller.join()
    node.start()
    answer = {
        "Status": "SUCCESS",
        "PhysicalResourceId": "mine",
        **{name: asked[0][name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    urllib.request.urlopen(
        urllib.request.Request(
            asked[0]["ResponseURL"], data=json.dumps(answer).encode(), method="PUT"
        )
    )
    stacks.cfn.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig=WAIT)
    [shown] = stacks.cfn.describe_stack_resources(StackName="s", LogicalResourceId="Thing")[
        "StackResources"
    ]
    assert shown["PhysicalResourceId"] == "mine"
    assert {one["RequestId"] for one in stacks.requests()} <= {asked[0]["RequestId"]}
