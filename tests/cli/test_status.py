"""`lambent status`."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import HELLO, Command
from tests.conftest import ClientFactory
from tests.support.nodes import ThreadNode

TEMPLATE = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Resources": {
        "Dead": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "dead"}},
        "Orders": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "QueueName": "orders",
                "RedrivePolicy": {
                    "deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]},
                    "maxReceiveCount": 5,
                },
            },
        },
        "Table": {
            "Type": "AWS::Serverless::SimpleTable",
            "Properties": {"TableName": "rows"},
        },
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "Hello": {
            **HELLO,
            "Properties": {
                **HELLO["Properties"],  # type: ignore[dict-item]
                "Events": {
                    "Orders": {
                        "Type": "SQS",
                        "Properties": {
                            "Queue": {"Fn::GetAtt": ["Orders", "Arn"]},
                            "Enabled": False,
                        },
                    }
                },
            },
        },
    },
}


@pytest.fixture
def shop(command: Command, template: Callable[..., Path], client: ClientFactory) -> None:
    """The stack is deployed, with two orders waiting and one call that failed."""
    assert command("deploy", template(**TEMPLATE)).status == 0
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    for body in ("one", "two", "three"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    sqs.receive_message(QueueUrl=url)
    client("dynamodb").put_item(TableName="rows", Item={"id": {"S": "1"}})
    command("invoke", "hello")
    command("invoke", "hello", "--payload", '{"fail": "x"}')


@pytest.mark.usefixtures("shop")
def test_json_tells_what_is_there_and_how_it_does(command: Command, account: str) -> None:
    found = command("status", "--json").json
    assert found["node"]["status"] == "ok"
    (stack,) = found["stacks"]
    assert (stack["name"], stack["status"]) == ("shop", "CREATE_COMPLETE")
    (function,) = found["functions"]
    assert function["name"] == "hello"
    assert (function["invocations"], function["failures"], function["busy"]) == (2, 1, 0)
    assert function["idle"] >= 1
    (mapping,) = found["mappings"]
    assert (mapping["source"], mapping["function"], mapping["state"]) == (
        "orders",
        "hello",
        "Disabled",
    )
    queues = {queue["name"]: queue for queue in found["queues"]}
    assert queues["orders"]["waiting"] == 2
    assert queues["orders"]["in_flight"] == 1
    assert queues["dead"]["dead_letters_of"] == "orders"
    assert found["tables"] == [{"name": "rows", "status": "ACTIVE", "items": 1}]
    assert len(found["buckets"]) == 1


@pytest.mark.usefixtures("shop")
def test_piped_it_is_a_tab_separated_line_for_each_thing(command: Command) -> None:
    ran = command("status")
    assert "\x1b" not in ran.out
    lines = [line.split("\t") for line in ran.out.splitlines()]
    assert ["functions", "hello", "python3.11", "Active", "0"] in [line[:5] for line in lines]
    assert ["queues", "orders", "2", "1", "0", ""] in lines
    assert ["tables", "rows", "ACTIVE", "1"] in lines


def test_an_empty_node_has_but_a_headline_and_its_languages(
    command: Command, node: ThreadNode
) -> None:
    ran = command("status")
    line, *others = filter(None, ran.out.splitlines())
    assert line.startswith("Lambent ")
    assert node.endpoint in line
    assert {other.partition("\t")[0] for other in others} == {"runtimes"}


def test_languages_are_told_with_their_versions_or_with_what_is_missing(command: Command) -> None:
    languages = {one["name"]: one for one in command("status", "--json").json["runtimes"]}
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert own in languages["Python"]["versions"]
    assert "provided.al2023" in languages["OS-only (bootstrap)"]["versions"]
    for name in ("Node.js", "Java"):
        assert bool(languages[name]["versions"]) != bool(languages[name]["missing"])
    assert languages["Ruby"]["versions"] == []
    assert "bootstrap" in languages["Ruby"]["missing"]


def test_where_no_node_answers_it_says_so(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        ran = command("status", "--endpoint", endpoint)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == (
        f"lambent: No node answers at {endpoint}: start one with `lambent up`, "
        "or name another with --endpoint.\n"
    )


def test_an_endpoint_that_is_no_url_is_refused(command: Command) -> None:
    ran = command("status", "--endpoint", "nonsense")
    assert ran.status == 2
    assert "nonsense is not a URL such as http://127.0.0.1:4566." in ran.err


def test_on_a_node_that_checks_signatures_it_signs(
    command: Command, fresh_node: Callable[..., ThreadNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = fresh_node(auth=True)
    assert node.administrator is not None
    monkeypatch.setenv("LAMBENT_ENDPOINT", node.endpoint)
    ran = command("status")
    assert ran.status == 1
    assert ran.err == "lambent: The security token included in the request is invalid.\n"

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", node.administrator.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    ran = command("status")
    assert ran.status == 1
    assert "signature" in ran.err

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", node.administrator.secret)
    assert command("status", "--json").json["functions"] == []
