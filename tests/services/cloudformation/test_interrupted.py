"""Calls that overtake an operation under way, with a resource type that can be held up."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.conftest import ClientFactory
from tests.services.cloudformation.test_crash import WAIT
from tests.support.nodes import ThreadNode

from lambent.core.errors import AwsError
from lambent.core.resources import Created, Properties, ResourceRequest
from lambent.services.cloudformation import engine, session


class Slow:
    """A thing whose creation and updates to `Held: true` wait until they are let go."""

    properties = frozenset({"Held", "Size"})
    required: frozenset[str] = frozenset()
    replaces: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.things: dict[str, dict[str, Any]] = {}
        self.refused: set[int] = set()
        self.started = threading.Event()
        self.go = asyncio.Event()

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        name = request.default_name
        self.things[name] = dict(properties)
        if properties.get("Held") and not request.resumed:
            self.started.set()
            await self.go.wait()
        return Created(name)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        if new.get("Size") in self.refused:
            raise AwsError("LimitExceededException", "too many")
        self.things[physical_id] = dict(new)
        if new.get("Held"):
            self.started.set()
            await self.go.wait()
        return Created(physical_id)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        self.things.pop(physical_id, None)


@pytest.fixture
def slow(node: ThreadNode, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    monkeypatch.setattr(session, "LEASE", 0.3)
    monkeypatch.setattr(engine, "LEASE", 0.3)
    kind = Slow()
    operations: Any = next(
        one.operations for one in node.node._services if one.name == "cloudformation"
    )
    operations.platform.resources.declared["Test::Slow::Thing"] = kind
    yield kind
    del operations.platform.resources.declared["Test::Slow::Thing"]
    node.call(kind.go.set)


def body(**properties: Any) -> str:
    thing = {"Type": "Test::Slow::Thing", "Properties": properties}
    return json.dumps({"Resources": {"Thing": thing}})


def during(slow: Slow, call: Callable[[], Any]) -> threading.Thread:
    """Begin a call that is going to be held up; returns once it is."""
    caller = threading.Thread(target=call)
    caller.start()
    assert slow.started.wait(20)
    return caller


def test_a_cancelled_update_goes_back(client: ClientFactory, slow: Slow) -> None:
    cfn = client("cloudformation")
    cfn.create_stack(StackName="s", TemplateBody=body(Size=1))
    held = during(
        slow, lambda: cfn.update_stack(StackName="s", TemplateBody=body(Size=2, Held=True))
    )
    other = client("cloudformation")
    [stack] = other.describe_stacks(StackName="s")["Stacks"]
    assert stack["StackStatus"] == "UPDATE_IN_PROGRESS"
    other.cancel_update_stack(StackName="s")
    other.get_waiter("stack_rollback_complete").wait(StackName="s", WaiterConfig=WAIT)
    held.join()
    assert [*slow.things.values()] == [{"Size": 1}]


def test_a_stack_can_be_deleted_while_it_is_created(client: ClientFactory, slow: Slow) -> None:
    cfn = client("cloudformation")
    held = during(slow, lambda: cfn.create_stack(StackName="s", TemplateBody=body(Held=True)))
    other = client("cloudformation")
    [stack] = other.describe_stacks(StackName="s")["Stacks"]
    other.delete_stack(StackName="s")
    other.get_waiter("stack_delete_complete").wait(StackName=stack["StackId"], WaiterConfig=WAIT)
    held.join()
    assert slow.things == {}


def test_a_stack_cannot_be_updated_or_deleted_while_it_is_updated(
    client: ClientFactory, slow: Slow, node: ThreadNode
) -> None:
    cfn = client("cloudformation")
    made = cfn.create_stack(StackName="s", TemplateBody=body(Size=1))["StackId"]
    held = during(
        slow, lambda: cfn.update_stack(StackName="s", TemplateBody=body(Size=2, Held=True))
    )
    other = client("cloudformation")
    with pytest.raises(Exception, match="UPDATE_IN_PROGRESS state and can not be updated"):
        other.update_stack(StackName="s", TemplateBody=body(Size=3))
    with pytest.raises(Exception, match="cannot be deleted while in status UPDATE_IN_PROGRESS"):
        other.delete_stack(StackName=made)
    node.call(slow.go.set)
    held.join()
    [stack] = other.describe_stacks(StackName="s")["Stacks"]
    assert stack["StackStatus"] == "UPDATE_COMPLETE"


def test_a_rollback_that_fails_can_be_continued(client: ClientFactory, slow: Slow) -> None:
    cfn = client("cloudformation")
    made = cfn.create_stack(StackName="s", TemplateBody=body(Size=1))["StackId"]
    slow.refused = {1, 2}
    cfn.update_stack(StackName="s", TemplateBody=body(Size=2))
    [stack] = cfn.describe_stacks(StackName="s")["Stacks"]
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    assert stack["StackStatusReason"] == ("The following resource(s) failed to update: [Thing]. ")
    with pytest.raises(Exception, match="UPDATE_ROLLBACK_FAILED state and can not be updated"):
        cfn.update_stack(StackName="s", TemplateBody=body(Size=3))
    slow.refused = set()
    cfn.continue_update_rollback(StackName="s")
    [stack] = cfn.describe_stacks(StackName="s")["Stacks"]
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert [*slow.things.values()] == [{"Size": 1}]
    events = cfn.describe_stack_events(StackName=made)["StackEvents"]
    reasons = [one["ResourceStatusReason"] for one in events if "ResourceStatusReason" in one]
    assert any(
        reason.startswith('Resource handler returned message: "too many (Service: Slow, ')
        and reason.endswith("HandlerErrorCode: ServiceLimitExceeded)")
        for reason in reasons
    )


def test_a_deletion_that_fails_can_keep_what_it_could_not_delete(
    client: ClientFactory, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfn = client("cloudformation")
    made = cfn.create_stack(StackName="s", TemplateBody=body(Size=1))["StackId"]

    async def refuse(*_: Any) -> None:
        raise AwsError("BucketNotEmpty", "not empty", 409)

    monkeypatch.setattr(slow, "delete", refuse)
    cfn.delete_stack(StackName="s")
    [stack] = cfn.describe_stacks(StackName="s")["Stacks"]
    assert (stack["StackStatus"], stack["StackStatusReason"]) == (
        "DELETE_FAILED",
        "The following resource(s) failed to delete: [Thing]. ",
    )
    cfn.delete_stack(StackName="s", RetainResources=["Thing"])
    [stack] = cfn.describe_stacks(StackName=made)["Stacks"]
    assert stack["StackStatus"] == "DELETE_COMPLETE"
    assert len(slow.things) == 1
