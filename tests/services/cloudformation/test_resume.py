"""A step that was cut off between its work and its record is taken again, and makes nothing
twice: with every real resource type, at every write of a deployment."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.conftest import ClientFactory
from tests.services.cloudformation.test_crash import ONCE, WAIT, held, template
from tests.support.nodes import ThreadNode

from lambent.services.cloudformation import engine, session

WRITES = 21
"""That a creation of the template makes: two for each of ten resources, and the last."""


class PowerLoss(Exception):
    """Stands for the process's end: the engine records nothing when it meets this."""


@pytest.fixture(autouse=True)
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LEASE", 0.2)
    monkeypatch.setattr(engine, "LEASE", 0.2)


def lose_power_at(
    monkeypatch: pytest.MonkeyPatch, number: int, *, after: bool = False
) -> list[int]:
    """Break the engine's `number`-th write (or what comes `after` it), once; the list counts the
    writes."""
    count = [0]
    write = session.Session.write

    async def breaking(self: session.Session, body: Any) -> Any:
        count[0] += 1
        if count[0] == number:
            if after:
                await write(self, body)
            raise PowerLoss
        return await write(self, body)

    monkeypatch.setattr(session.Session, "write", breaking)
    return count


@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_a_creation_cut_off_at_any_write_makes_everything_once(
    node: ThreadNode, connect: ClientFactory, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    cfn = connect(node.endpoint, "cloudformation")
    count = lose_power_at(monkeypatch, number)
    cfn.create_stack(StackName="s", TemplateBody=template(30), Capabilities=["CAPABILITY_IAM"])
    cfn.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig=WAIT)
    assert count[0] >= number
    assert held(connect, node.endpoint) == ONCE
    cfn.delete_stack(StackName="s")
    assert held(connect, node.endpoint) == dict.fromkeys(ONCE, 0)


@pytest.mark.parametrize("number", range(1, WRITES + 1, 3))
def test_a_deletion_cut_off_at_any_write_deletes_everything(
    node: ThreadNode, connect: ClientFactory, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    cfn = connect(node.endpoint, "cloudformation")
    made = cfn.create_stack(
        StackName="s", TemplateBody=template(30), Capabilities=["CAPABILITY_IAM"]
    )
    lose_power_at(monkeypatch, number)
    cfn.delete_stack(StackName="s")
    cfn.get_waiter("stack_delete_complete").wait(StackName=made["StackId"], WaiterConfig=WAIT)
    assert not any(held(connect, node.endpoint).values())


@pytest.mark.parametrize("number", range(1, 12))
def test_an_update_cut_off_after_any_write_goes_back_to_what_was(
    node: ThreadNode, connect: ClientFactory, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    cfn, sqs = connect(node.endpoint, "cloudformation"), connect(node.endpoint, "sqs")

    def body(seconds: int, **more: Any) -> str:
        properties = {"VisibilityTimeout": seconds}
        queue = {"Type": "AWS::SQS::Queue", "Properties": properties}
        return json.dumps({"Resources": {"Queue": queue, **more}})

    cfn.create_stack(StackName="s", TemplateBody=body(30))
    wrong = {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 9999}, "DependsOn": "Queue"}
    count = lose_power_at(monkeypatch, number, after=True)
    cfn.update_stack(StackName="s", TemplateBody=body(40, Bad=wrong))
    cfn.get_waiter("stack_rollback_complete").wait(StackName="s", WaiterConfig=WAIT)
    assert count[0] >= number
    [url] = sqs.list_queues()["QueueUrls"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert found["Attributes"] == {"VisibilityTimeout": "30"}
