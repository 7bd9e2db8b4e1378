"""`lambent up`, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ClientFactory
from tests.crash.killing import until
from tests.support.functions import function

DRAINING = "Draining … (Ctrl-C again ends at once)\n"
Start = Callable[..., "subprocess.Popen[str]"]

SLOW = """
import threading
def handler(event, context):
    print("begun", flush=True)
    threading.Event().wait(event["seconds"])
    return "done"
"""


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Start]:
    """`up("--json", ...)`: a node on a free port with its data in tmp_path/data."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path, data: str | Path = tmp_path / "data") -> Any:
        command = [sys.executable, "-m", "lambent", "up", "--port", "0", "--data-dir", data]
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "LAMBENT_"))}
        process = subprocess.Popen(
            [*command, *arguments],
            env=clean,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _sandbox(up: Start, *arguments: str | Path, data: Path) -> str:
    banner = _banner(up("--json", *arguments, data=data))
    with urllib.request.urlopen(f"{banner['endpoint']}/_lambent/health") as answer:
        return str(json.load(answer)["sandbox"])


def test_a_settings_file_is_read_and_the_command_line_comes_first(
    up: Start, tmp_path: Path
) -> None:
    file = tmp_path / "lambent.toml"
    file.write_text('sandbox = "off"\nlease = 5\nscrape-token = "long-enough-for-a-token"\n')
    off = _sandbox(up, "--config", file, data=tmp_path / "one")
    chosen = _sandbox(up, "--config", file, "--sandbox", "auto", data=tmp_path / "two")
    assert off != chosen


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('sandbx = "off"', "has sandbx, which lambent up does not know"),
        ("sandbox = off", "is not TOML"),
        ("lease = 0", "The lease is 1 to 3,600 seconds"),
    ],
)
def test_a_settings_file_that_is_wrong_is_told(
    up: Start, tmp_path: Path, text: str, says: str
) -> None:
    file = tmp_path / "lambent.toml"
    file.write_text(text)
    process = up("--config", file)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, len(said.splitlines())) == (1, 1)
    assert says in said


def _banner(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    said: dict[str, Any] = json.loads(process.stdout.readline())
    return said


def _text(process: subprocess.Popen[str]) -> str:
    """The banner for people."""
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    told = []
    for line in lines:
        told.append(line)
        if "Ctrl-C" in line:
            break
    return "".join(told)


def _finish(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def _failed(process: subprocess.Popen[str]) -> str:
    """The one sentence that it ended with."""
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err.count("\n") == 1
    assert err.startswith("lambent: ")
    return err.removeprefix("lambent: ").rstrip()


def test_the_banner_says_where_it_is_and_ctrl_c_stops_it(up: Start, tmp_path: Path) -> None:
    process = up()
    text = _text(process)
    endpoint = re.match(r"Lambent \S+ is up at (http://127\.0\.0\.1:\d+)\n", text)
    assert endpoint
    assert f"data      {tmp_path / 'data'}\n" in text
    assert f'eval "$(lambent env --endpoint {endpoint[1]})"' in text
    assert "\x1b" not in text
    status, _, err = _finish(process, signal.SIGINT)
    assert (status, err) == (0, DRAINING)


def test_a_node_may_have_as_many_files_as_the_machine_lets_it(up: Start) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        process = up("--json", data=":memory:")
        _banner(process)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    now, most = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    assert now == min(most, 65_536)
    assert _finish(process, signal.SIGTERM)[0] == 0


def test_json_is_one_line_and_health_answers(up: Start) -> None:
    process = up("--json", data=":memory:")
    banner = _banner(process)
    assert (banner["data_dir"], banner["auth"]) == (":memory:", False)
    with urllib.request.urlopen(banner["endpoint"] + "/_lambent/health") as answer:
        health = json.load(answer)
    assert health["version"] == banner["version"]
    assert health["uptime_seconds"] >= 0
    assert "store" in health
    assert _finish(process, signal.SIGTERM) == (0, "", "")


def test_a_template_is_deployed_and_what_is_kept_is_found_again(
    up: Start, connect: ClientFactory, tmp_path: Path
) -> None:
    path = tmp_path / "shop" / "template.json"
    path.parent.mkdir()
    path.write_text(
        json.dumps(
            {
                "Parameters": {"Name": {"Type": "String"}},
                "Resources": {
                    "Queue": {
                        "Type": "AWS::SQS::Queue",
                        "Properties": {"QueueName": {"Ref": "Name"}},
                    }
                },
                "Outputs": {"Queue": {"Value": {"Fn::GetAtt": ["Queue", "QueueName"]}}},
            }
        )
    )
    process = up(path, "--json", "--parameter", "Name=orders")
    _banner(process)
    deployed = _banner(process)
    assert (deployed["stack"], deployed["outputs"]) == ("shop", {"Queue": "orders"})
    assert _finish(process, signal.SIGINT)[0] == 0

    process = up("--json")
    sqs = connect(_banner(process)["endpoint"], "sqs", access_key="000000000000")
    assert sqs.get_queue_url(QueueName="orders")["QueueUrl"].endswith("/orders")


def test_a_template_that_fails_leaves_the_node_up_and_the_status_1(
    up: Start, tmp_path: Path
) -> None:
    path = tmp_path / "template.json"
    path.write_text('{"Resources": {"Moon": {"Type": "AWS::Moon::Base"}}}')
    process = up(path, "--json")
    endpoint = _banner(process)["endpoint"]
    assert process.stderr is not None
    assert "AWS::Moon::Base" in process.stderr.readline()
    assert process.stderr.readline() == "The node stays up: mend that, and `lambent deploy` it.\n"
    with urllib.request.urlopen(endpoint + "/_lambent/health") as answer:
        assert answer.status == 200
    assert _finish(process, signal.SIGINT)[0] == 1


def _begin_a_call(
    process: subprocess.Popen[str], connect: ClientFactory, seconds: float
) -> subprocess.Popen[str]:
    """A function call of that length, under way, by `lambent invoke`."""
    endpoint = _text(process).split()[5]
    function(partial(connect, endpoint, access_key="0" * 12), "slow", SLOW)
    environment = os.environ | {"LAMBENT_ENDPOINT": endpoint, "AWS_ACCESS_KEY_ID": "0" * 12}
    environment |= {"AWS_SECRET_ACCESS_KEY": "local"}
    payload = json.dumps({"seconds": seconds})
    call = subprocess.Popen(
        [sys.executable, "-m", "lambent", "invoke", "slow", "--payload", payload],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    logs = connect(endpoint, "logs", access_key="0" * 12)

    def begun() -> bool:
        try:
            events = logs.filter_log_events(logGroupName="/aws/lambda/slow")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return False
        return any("begun" in event["message"] for event in events)

    until(begun, bool)
    return call


def test_ctrl_c_lets_what_runs_finish(up: Start, connect: ClientFactory) -> None:
    process = up()
    call = _begin_a_call(process, connect, seconds=1.5)
    assert _finish(process, signal.SIGINT)[0] == 0
    out, err = call.communicate(timeout=10)
    assert (call.returncode, out) == (0, '"done"\n'), err


def test_the_second_ctrl_c_ends_at_once(up: Start, connect: ClientFactory) -> None:
    process = up()
    call = _begin_a_call(process, connect, seconds=50)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline() == DRAINING
    status, _, _ = _finish(process, signal.SIGINT)
    assert status == 130
    assert call.wait(timeout=20) != 0
    assert call.stdout is not None
    assert call.stderr is not None
    call.stdout.close()
    call.stderr.close()


def test_server_mode_shows_the_key_once(up: Start) -> None:
    process = up("--auth")
    out = _text(process)
    assert "requests  must be signed" in out
    assert re.search(r"export AWS_ACCESS_KEY_ID=AKIA\w{16}\n", out)
    assert re.search(r"export AWS_SECRET_ACCESS_KEY=\S{40}\n", out)
    assert "--keep-key" in out
    _finish(process, signal.SIGINT)
    again = _banner(up("--auth", "--json"))
    assert again["auth"] is True
    assert "secret_access_key" not in again


def test_another_address_than_loopback_turns_signatures_on(up: Start) -> None:
    assert _banner(up("--host", "0.0.0.0", "--json"))["auth"] is True


def test_a_port_in_use_is_one_sentence(up: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = _failed(up("--port", port))
    assert port in said
    assert "in use" in said


def test_a_data_folder_that_cannot_be_is_one_sentence(up: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert str(tmp_path / "file") in _failed(up(data=tmp_path / "file" / "data"))


def test_a_data_folder_in_use_is_one_sentence(up: Start, tmp_path: Path) -> None:
    _banner(up("--json"))
    assert str(tmp_path / "data") in _failed(up())


def test_a_newer_data_folder_is_one_sentence_and_left_alone(up: Start, tmp_path: Path) -> None:
    process = up("--json")
    _banner(process)
    _finish(process, signal.SIGINT)
    (database,) = (tmp_path / "data").glob("*.db")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 999")
    before = database.read_bytes()
    assert "newer" in _failed(up())
    assert database.read_bytes() == before


@pytest.mark.parametrize(("option", "value"), [("--port", "70000"), ("--host", "nowhere.invalid")])
def test_what_cannot_be_listened_on_is_one_sentence(up: Start, option: str, value: str) -> None:
    assert value in _failed(up(option, value))
