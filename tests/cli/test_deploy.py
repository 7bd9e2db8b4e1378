"""`lambent deploy` and `lambent delete`."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import HELLO, Command
from tests.conftest import ClientFactory

QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "orders"}}
BUCKET = {"Type": "AWS::S3::Bucket"}
SECONDS = {"Seconds": {"Type": "Number", "Default": 30}}
DELAYED = {
    "Type": "AWS::SQS::Queue",
    "Properties": {"QueueName": "orders", "VisibilityTimeout": {"Ref": "Seconds"}},
}
Template = Callable[..., Path]


def test_each_resource_is_one_plain_line_and_outputs_are_shown(
    command: Command, template: Template
) -> None:
    path = template(
        Resources={"Queue": QUEUE, "Bucket": BUCKET},
        Outputs={"Url": {"Value": {"Ref": "Queue"}, "Description": "Send here."}},
    )
    ran = command("deploy", path)
    assert (ran.status, ran.err) == (0, "")
    assert "\x1b" not in ran.out
    named = Counter(line.split()[-1] for line in ran.out.splitlines() if "_COMPLETE" in line)
    assert named == {"Queue": 1, "Bucket": 1, "shop": 1}
    assert "IN_PROGRESS" not in ran.out
    assert "shop is deployed.\n" in ran.out
    title, name, value, description = ran.out.splitlines()[-1].split("\t")
    assert (title, name, description) == ("Outputs of shop", "Url", "Send here.")
    assert value.endswith("/orders")


def test_in_a_terminal_each_resource_is_one_coloured_line_too(
    command: Command, template: Template
) -> None:
    # `command` sets the environment up; a terminal needs a process of its own.
    path = template(Resources={"Queue": QUEUE, "Bucket": BUCKET})
    mine, its = pty.openpty()
    deploy = [sys.executable, "-m", "lambent", "deploy", path]
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    with subprocess.Popen(deploy, stdout=its, stderr=its, env=environment) as process:
        os.close(its)
        shown = b""
        with contextlib.suppress(OSError):  # how Linux says that the other end is closed
            while more := os.read(mine, 65536):
                shown += more
    os.close(mine)
    text = shown.decode()
    assert process.returncode == 0, text
    for name in ("Queue", "Bucket", "shop"):
        (line,) = re.findall(rf"^.*CREATE_COMPLETE.* {name}\s*$", text, re.M)
        assert "\x1b[32mCREATE_COMPLETE" in line
    # Nothing in progress is left standing, and the cursor is back.
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_json_is_one_document_and_nothing_else(command: Command, template: Template) -> None:
    path = template(Resources={"Queue": QUEUE}, Outputs={"Name": {"Value": "x"}})
    found = command("deploy", path, "--stack-name", "mine", "--json").json
    assert found["stack"] == "mine"
    assert found["status"] == "CREATE_COMPLETE"
    assert found["outputs"] == {"Name": "x"}
    assert ":stack/mine/" in found["id"]


def test_what_did_not_change_is_left_alone(command: Command, template: Template) -> None:
    path = template(Resources={"Queue": QUEUE})
    command("deploy", path)
    ran = command("deploy", path)
    assert ran.status == 0
    assert ran.out.startswith("shop has no changes.\n")
    assert command("deploy", path, "--json").json["status"] == "CREATE_COMPLETE"


def test_parameters_are_given_and_remembered(
    command: Command, template: Template, client: ClientFactory
) -> None:
    def seconds() -> str:
        sqs = client("sqs")
        url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        value: str = found["Attributes"]["VisibilityTimeout"]
        return value

    path = template(Parameters=SECONDS, Resources={"Queue": DELAYED})
    assert command("deploy", path).status == 0
    assert seconds() == "30"
    assert command("deploy", path, "--parameter", "Seconds=77").status == 0
    assert seconds() == "77"
    assert command("deploy", path).out.startswith("shop has no changes.\n")
    assert seconds() == "77"


@pytest.mark.parametrize("text", ["Seconds", "=5", ""])
def test_a_parameter_without_a_value_is_refused(
    command: Command, template: Template, text: str
) -> None:
    path = template(Parameters=SECONDS, Resources={"Queue": DELAYED})
    ran = command("deploy", path, "--parameter", text)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == f"lambent: --parameter takes KEY=VALUE, not {text!r}.\n"


def test_a_bad_template_names_every_problem_and_leaves_nothing(
    command: Command, template: Template, client: ClientFactory
) -> None:
    path = template(
        Resources={
            "Moon": {"Type": "AWS::Moon::Base"},
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Nobody"}}},
        }
    )
    ran = command("deploy", path)
    assert (ran.status, ran.out) == (1, "")
    assert "AWS::Moon::Base" in ran.err
    assert "Nobody" in ran.err
    assert client("cloudformation").describe_stacks()["Stacks"] == []


def test_a_failure_tells_which_resource_and_why_and_the_next_try_replaces_it(
    command: Command, template: Template, client: ClientFactory
) -> None:
    taken = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "Not_A_Name"}}
    ran = command("deploy", template(Resources={"Queue": QUEUE, "Bucket": taken}))
    assert ran.status == 1
    assert "shop was not deployed (ROLLBACK_COMPLETE).\nBucket: " in ran.err
    assert "CREATE_FAILED" in ran.out
    assert client("sqs").list_queues().get("QueueUrls", []) == []

    ran = command("deploy", template(Resources={"Queue": QUEUE}))
    assert ran.status == 0, ran.err
    assert len(client("sqs").list_queues()["QueueUrls"]) == 1


def test_an_update_that_fails_leaves_the_stack_as_it_was(
    command: Command, template: Template, client: ClientFactory
) -> None:
    command("deploy", template(Resources={"Queue": QUEUE}))
    bad: dict[str, Any] = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "Not_A_Name"}}
    ran = command("deploy", template(Resources={"Queue": QUEUE, "Bucket": bad}))
    assert ran.status == 1
    assert "shop was not deployed (UPDATE_ROLLBACK_COMPLETE).\nBucket: " in ran.err
    assert len(client("sqs").list_queues()["QueueUrls"]) == 1


def test_code_in_a_folder_is_built_uploaded_and_runs(
    command: Command, template: Template, client: ClientFactory
) -> None:
    properties = {k: v for k, v in HELLO["Properties"].items() if k != "InlineCode"}
    path = template(
        Transform="AWS::Serverless-2016-10-31",
        Resources={"Hello": {**HELLO, "Properties": {**properties, "CodeUri": "code/"}}},
    )
    (path.parent / "code").mkdir()
    (path.parent / "code" / "index.py").write_text("def handler(e, c):\n    return 'from a folder'")
    ran = command("deploy", path)
    assert ran.status == 0, ran.err
    answer = client("lambda").invoke(FunctionName="hello")
    assert answer["Payload"].read() == b'"from a folder"'


def test_a_file_that_is_no_template_is_one_sentence(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("- just\n- a list\n")
    ran = command("deploy", path)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith(f"lambent: {path}: ")
    assert ran.err.count("\n") == 1


def test_a_template_that_is_not_text_is_one_sentence(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_bytes(b"\xd0\x00")
    ran = command("deploy", path)
    assert (ran.status, ran.err) == (1, f"lambent: {path} is not text in UTF-8.\n")


def test_delete_takes_everything_away(
    command: Command, template: Template, client: ClientFactory
) -> None:
    command("deploy", template(Resources={"Queue": QUEUE, "Bucket": BUCKET}))
    ran = command("delete", "shop")
    assert ran.status == 0
    assert ran.out.endswith("shop is deleted.\n")
    assert client("sqs").list_queues().get("QueueUrls", []) == []
    assert client("s3").list_buckets()["Buckets"] == []


def test_delete_tells_what_stands_in_its_way(
    command: Command, template: Template, client: ClientFactory
) -> None:
    command("deploy", template(Resources={"Bucket": BUCKET}))
    (bucket,) = client("s3").list_buckets()["Buckets"]
    client("s3").put_object(Bucket=bucket["Name"], Key="k", Body=b"kept")
    ran = command("delete", "shop")
    assert ran.status == 1
    assert "shop was not deleted (DELETE_FAILED).\nBucket: " in ran.err
    assert "not empty" in ran.err


def test_deleting_what_is_not_there_is_an_error(command: Command) -> None:
    ran = command("delete", "nobody")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "lambent: Stack with id nobody does not exist\n"


def test_a_template_too_long_for_a_request_goes_through_s3(
    command: Command, template: Template, client: ClientFactory
) -> None:
    sections = {
        "Description": "long",
        "Parameters": {"Delay": {"Type": "Number", "Default": 3}},
        "Metadata": {"Text": ["x" * 1000] * 60},
        "Resources": {
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {"QueueName": "long", "DelaySeconds": {"Ref": "Delay"}},
            }
        },
    }
    path = template(**sections)
    assert path.stat().st_size > 51_200
    assert command("deploy", path, "--parameter", "Delay=7", "--json").json["status"] == (
        "CREATE_COMPLETE"
    )
    sections["Description"] = "longer"
    ran = command("deploy", template(**sections), "--json")
    assert ran.status == 0, ran.err
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName="long")["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])
    assert found["Attributes"] == {"DelaySeconds": "7"}
