"""`lambent flow`, on an application with flow settings in its template."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import HELLO, Command
from tests.crash.killing import until

FLOW = {"Rate": {"PerSecond": 50}, "Circuit": {"FailureShare": "0.25"}}


def events(flow: Any) -> dict[str, Any]:
    """A function with two queues, whose Metadata is that."""
    sources = {
        name: {"Type": "SQS", "Properties": {"Queue": {"Fn::GetAtt": [name, "Arn"]}}}
        for name in ("Orders", "Returns")
    }
    properties = {**HELLO["Properties"], "Events": sources}
    return {
        "Orders": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "orders"}},
        "Returns": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "returns"}},
        "Hello": {**HELLO, "Properties": properties, "Metadata": {"Lambent": flow}},
    }


Deploy = Callable[[Any], int]


@pytest.fixture
def deploy(command: Command, template: Callable[..., Path]) -> Deploy:
    def run(flow: Any) -> int:
        path = template(Transform="AWS::Serverless-2016-10-31", Resources=events(flow))
        status: int = command("deploy", path).status
        return status

    return run


def test_a_sam_function_has_flow_settings_by_event(deploy: Deploy, command: Command) -> None:
    one = {"Events": {"Orders": {"Flow": FLOW}}, "Flow": {"Loop": {}}}
    assert deploy(one) == 0
    orders = command("flow", "orders", "--json").json
    assert orders["settings"]["Rate"]["PerSecond"] == 50.0
    assert orders["settings"]["Circuit"]["FailureShare"] == 0.25
    assert command("flow", "returns", "--json").json["settings"] == {"Loop": {"Depth": 16}}
    assert deploy({"Events": {"Orders": {"Flow": {}}}}) == 0
    assert command("flow", "orders", "--json").json["settings"] == {}


def test_settings_that_cannot_be_fail_the_deployment(deploy: Deploy) -> None:
    assert deploy({"Flow": {"Rate": {"PerSecond": "fast"}}}) == 1


def test_settings_are_live_and_decisions_are_shown(deploy: Deploy, command: Command) -> None:
    assert deploy({}) == 0
    ran = command("flow", "orders", "--set", '{"Storm": {"PerMinute": 1000}}')
    assert ran.status == 0
    assert 'settings: {"Storm": {"PerMinute": 1000, "Factor": 1.0}}' in ran.out
    assert "they were set" in ran.out
    ran = command("flow", "orders", "--park", "stock is counted")
    assert "parked: stock is counted" in ran.out
    listed = {one["source"].split(":")[-1]: one for one in command("flow", "--json").json}
    assert listed["orders"]["state"] == "parked"
    assert listed["returns"]["state"] == "running"
    assert "stock is counted" in command("flow").out
    assert command("flow", "orders", "--resume", "--json").json["state"] == "running"


def test_mistakes_are_explained(deploy: Deploy, command: Command) -> None:
    assert deploy({}) == 0
    ran = command("flow", "orders", "--set", '{"Rate": {}}')
    assert (ran.status, "missing required field `PerSecond`" in ran.err) == (1, True)
    assert "are not JSON" in command("flow", "orders", "--set", "{").err
    assert "No mapping is called nothing" in command("flow", "nothing").err
    assert "Say which mapping" in command("flow", "--resume").err
    assert "Several mappings are called" in command("flow", "hello").err


def test_what_is_parked_is_shown_with_why(
    deploy: Deploy, command: Command, client: Callable[..., Any]
) -> None:
    assert deploy({"Flow": {"Deadline": {"Seconds": 0.001}}}) == 0
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    sent = sqs.send_message(QueueUrl=url, MessageBody='{\n"item": "lamp"}')["MessageId"]
    ran = until(lambda: command("flow", "orders"), lambda ran: "; 1 parked" in ran.out)
    (line,) = [line for line in ran.out.splitlines() if line.startswith("parked\t")]
    assert line.split("\t")[2:] == [sent, "deadline", "its deadline is over", '{ "item": "lamp"}']
