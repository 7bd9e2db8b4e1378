"""`lambent dlq`: dead letters from a shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Command
from tests.crash.killing import until


@pytest.fixture
def letters(client: Callable[..., Any], account: str) -> Any:
    """Three messages whose receives ran out, in the queue `dead`."""
    sqs = client("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{account}:dead"
    source = sqs.create_queue(
        QueueName="orders",
        Attributes={
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1}),
            "VisibilityTimeout": "0",
        },
    )["QueueUrl"]
    for item in ("lamp", "chair", "table"):
        sqs.send_message(QueueUrl=source, MessageBody=json.dumps({"item": item}))

    def dies() -> bool:
        sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10)
        found = sqs.get_queue_attributes(
            QueueUrl=dead, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return bool(found["Attributes"]["ApproximateNumberOfMessages"] == "3")

    until(dies, bool)
    return sqs, source


@pytest.mark.usefixtures("letters")
class TestLooking:
    def test_list_shows_groups_in_lines_and_json(self, command: Command) -> None:
        ran = command("dlq", "list")
        (line,) = ran.out.splitlines()
        assert line.split("\t")[:4] == ["dead letters", "dead", "3", "3"]
        assert command("dlq", "list", "--json").json[0]["count"] == 3
        ran = command("dlq", "list", "dead", "--body", "$.item=lamp", "--json")
        assert ran.json[0]["count"] == 1

    def test_show_says_all_that_is_known(self, command: Command) -> None:
        ran = command("dlq", "show", "dead", "--contains", "lamp")
        assert ran.out.count("message ") == 1
        assert "from orders" in ran.out and 'body: {"item": "lamp"}' in ran.out
        assert "No failure of it is known." in ran.out
        assert command("dlq", "show", "dead", "--contains", "x").out == (
            "Nothing of that kind in dead.\n"
        )
        assert len(command("dlq", "show", "dead", "--limit", "2", "--json").json) == 2

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("list", "--contains", "x"), "name a QUEUE"),
            (("show", "nowhere"), "There is no queue nowhere here."),
            (("show", "dead", "--since", "soon"), "neither a time nor an age"),
            (("show", "dead", "--body", "x"), "NAME=VALUE"),
            (("show", "dead", "--body", "$..x=1"), "is not a JSONPath"),
            (("discard", "dead"), "3 messages of dead would be gone for good: add --yes."),
            (("tasks", "x"), "There is no task x."),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
    )
    def test_a_mistake_is_one_sentence(
        self, command: Command, arguments: tuple[str, ...], message: str
    ) -> None:
        ran = command("dlq", *arguments)
        assert ran.status != 0 and message in " ".join(ran.err.split())


def test_replay_edit_discard_and_the_audit_of_it(
    command: Command, letters: Any, tmp_path: Path
) -> None:
    sqs, source = letters
    ran = command("dlq", "replay", "dead", "--body", "$.item=lamp", "--dry-run")
    assert ran.out.startswith("1 message of dead is meant.\n")
    ran = command("dlq", "replay", "dead", "--contains", "nothing", "--dry-run")
    assert (ran.out, ran.err) == ("0 messages of dead are meant.\n", "")
    (letter,) = command("dlq", "show", "dead", "--contains", "chair", "--json").json
    (tmp_path / "body.json").write_text('{"item": "sofa"}')
    ran = command("dlq", "edit", "dead", letter["id"], "--body", f"@{tmp_path / 'body.json'}")
    assert ran.out == f"Edited {letter['id']}; the audit keeps its old body.\n"
    ran = command("dlq", "replay", "dead", "--id", letter["id"], "--note", "no chairs any more")
    assert ran.out.startswith("completed: replayed 1 of 1 messages of dead, task ")
    (back,) = sqs.receive_message(QueueUrl=source)["Messages"]
    assert back["Body"] == '{"item": "sofa"}'
    ran = command("dlq", "discard", "dead", "--yes", "--contains", "table")
    assert ran.out.startswith("completed: discarded 1 of 1 messages of dead, task ")
    assert command("dlq", "list", "--json").json[0]["count"] == 1
    tasks = command("dlq", "tasks", "--json").json
    assert [(one["action"], one["done"]) for one in tasks] == [("discard", 1), ("replay", 1)]
    lines = [line.split("\t") for line in command("dlq", "audit").out.splitlines()]
    assert [(line[3], line[4], line[6], line[7]) for line in lines] == [
        ("discard", "dead", "1", "1"),
        ("replay", "dead", "1", "1"),
        ("edit", "dead", "1", "1"),
    ]
    assert lines[1][9] == "no chairs any more"


def test_an_edit_that_spoils_json_is_told(command: Command, letters: Any) -> None:
    (letter,) = command("dlq", "show", "dead", "--contains", "chair", "--json").json
    ran = command("dlq", "edit", "dead", letter["id"], "--body", '{"item": "sofa"')
    assert ran.status == 0
    assert ran.err == "The old body was JSON, and the new one is not.\n"


def test_a_replay_is_followed_over_the_nodes_death(
    node_process: Callable[..., Any], connect: Callable[..., Any], account: str
) -> None:
    node = node_process()
    sqs = connect(node.endpoint, "sqs")
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("dead", "to")}
    for start in range(0, 60, 10):
        entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(start, start + 10)]
        sqs.send_message_batch(QueueUrl=urls["dead"], Entries=entries)
    command = [sys.executable, "-m", "lambent", "dlq", "replay", "dead", "--to", "to"]
    environment = {
        **os.environ,
        "LAMBENT_ENDPOINT": node.endpoint,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    with subprocess.Popen(
        [*command, "--rate", "30"],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as following:
        assert sqs.receive_message(QueueUrl=urls["to"], WaitTimeSeconds=20)["Messages"]
        node.kill()
        assert following.stderr is not None
        assert following.stderr.readline() == (
            "The node does not answer; the task goes on when it is back.\n"
        )
        node.start()
        out, err = following.communicate(timeout=60)
    assert (following.returncode, err) == (0, "")
    assert out.startswith("completed: replayed 60 of 60 messages of dead, task ")


def test_a_task_is_paused_resumed_and_cancelled(command: Command, letters: Any) -> None:
    started = command("dlq", "replay", "dead", "--rate", "1", "--detach", "--json").json
    task = started["task"][:8]
    ran = command("dlq", "replay", "dead")
    assert f"A replay of dead is under way: task {started['task']}." in " ".join(ran.err.split())
    assert command("dlq", "pause", task).out.startswith("paused: replayed ")
    assert command("dlq", "resume", task).out.startswith("running: replayed ")
    assert command("dlq", "cancel", task).status == 0
    until(lambda: command("dlq", "tasks", task, "--json").json[0]["status"], "CANCELLED".__eq__)
