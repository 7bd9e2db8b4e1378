"""`lambent invoke` and `lambent logs`."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Command, greeter
from tests.crash.killing import until
from tests.support.nodes import ThreadNode


@pytest.mark.usefixtures("hello")
class TestInvoke:
    def test_shows_what_the_function_returns(self, command: Command) -> None:
        ran = command("invoke", "hello", "--payload", '{"name": "Ada"}')
        assert (ran.status, ran.out, ran.err) == (0, '{"hello": "Ada"}\n', "")

    def test_payload_may_be_left_out_or_lie_in_a_file_or_stdin(
        self, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "event.json").write_text('{"name": "Grace"}')
        assert command("invoke", "hello").out == '{"hello": null}\n'
        ran = command("invoke", "hello", "--payload", f"@{tmp_path / 'event.json'}")
        assert ran.out == '{"hello": "Grace"}\n'
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"name": "Kay"}')))
        assert command("invoke", "hello", "--payload", "@-").out == '{"hello": "Kay"}\n'

    def test_a_function_error_is_shown_and_the_status_is_1(self, command: Command) -> None:
        ran = command("invoke", "hello", "--payload", '{"fail": "no luck"}')
        assert ran.status == 1
        shown = json.loads(ran.out)
        assert (shown["errorType"], shown["errorMessage"]) == ("ValueError", "no luck")

    def test_tail_shows_the_log_apart_from_the_result(self, command: Command) -> None:
        ran = command("invoke", "hello", "--payload", '{"name": "Ada"}', "--tail")
        assert ran.out == '{"hello": "Ada"}\n'
        assert "hello Ada\n" in ran.err
        assert "REPORT RequestId:" in ran.err

    def test_json_tells_all_in_one_line(self, command: Command) -> None:
        ran = command("invoke", "hello", "--payload", '{"fail": "x"}', "--tail", "--json")
        assert ran.status == 1
        assert ran.out.count("\n") == 1
        assert (ran.json["status"], ran.json["error"]) == (200, "Unhandled")
        assert "ValueError" in ran.json["log"]
        assert ran.json["payload"]["errorMessage"] == "x"

    def test_async_returns_at_once_and_the_function_runs(self, command: Command) -> None:
        ran = command("invoke", "hello", "--async", "--payload", '{"name": "later"}')
        assert (ran.status, ran.out) == (0, "queued\n")
        until(lambda: command("logs", "hello").out, lambda text: "hello later" in text)

    def test_payloads_that_are_not_json_are_not_sent(self, command: Command) -> None:
        ran = command("invoke", "hello", "--payload", "{name: Ada}")
        assert (ran.status, ran.out) == (1, "")
        assert ran.err.startswith("lambent: The payload is not JSON: ")
        assert "logs" not in command("logs", "hello").out

    def test_a_file_that_is_not_there_is_one_sentence(self, command: Command) -> None:
        ran = command("invoke", "hello", "--payload", "@nowhere.json")
        assert ran.err == "lambent: nowhere.json cannot be read: No such file or directory.\n"
        assert ran.status == 1


def test_invoking_what_is_not_there_is_one_sentence(
    command: Command, node: ThreadNode, account: str
) -> None:
    ran = command("invoke", "nobody")
    arn = f"arn:aws:lambda:us-east-1:{account}:function:nobody"
    assert (ran.status, ran.out, ran.err) == (1, "", f"lambent: Function not found: {arn}\n")


@pytest.mark.usefixtures("hello")
class TestLogs:
    def test_lines_come_in_order_with_their_time(self, command: Command) -> None:
        for name in ("one", "two"):
            command("invoke", "hello", "--payload", json.dumps({"name": name}))
        lines = until(
            lambda: command("logs", "hello").out.splitlines(),
            lambda lines: sum("REPORT" in line for line in lines) == 2,
        )
        said = [line.split(" ", 1) for line in lines]
        assert [text for _, text in said if text.startswith("hello")] == ["hello one", "hello two"]
        assert all(len(time) == len("00:00:00.000") for time, _ in said)
        assert "\x1b" not in "".join(lines)

    def test_filter_and_json_lines(self, command: Command) -> None:
        for name in ("one", "two"):
            command("invoke", "hello", "--payload", json.dumps({"name": name}))
        lines = until(
            lambda: command("logs", "hello", "--filter", '"hello two"', "--json").out.splitlines(),
            bool,
        )
        (event,) = [json.loads(line) for line in lines]
        assert event["message"].strip() == "hello two"

    def test_a_log_group_may_be_named(self, command: Command) -> None:
        command("invoke", "hello")
        until(lambda: command("logs", "/aws/lambda/hello").out, lambda text: "hello nobody" in text)

    def test_a_function_that_never_ran_has_an_empty_log(self, command: Command) -> None:
        assert command("logs", "hello") == command("logs", "hello", "--since", "7d")
        assert command("logs", "hello").status == 0

    def test_follow_goes_on_until_ctrl_c(self, command: Command) -> None:
        following = subprocess.Popen(
            [sys.executable, "-m", "lambent", "logs", "hello", "-f"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert following.stdout is not None
        seen: list[str] = []
        for name in ("one", "two"):
            command("invoke", "hello", "--payload", json.dumps({"name": name}))
            for line in iter(following.stdout.readline, ""):
                seen.append(line)
                if "REPORT" in line:
                    break
        following.send_signal(signal.SIGINT)
        _, err = following.communicate(timeout=10)
        assert (following.returncode, err.strip()) == (130, "")
        said = [line.split(" ", 1)[1] for line in seen]
        assert [text for text in said if text.startswith("hello")] == ["hello one\n", "hello two\n"]

    @pytest.mark.parametrize("since", ["soon", "5", "1w", "-3m"])
    def test_since_is_a_number_and_a_unit(self, command: Command, since: str) -> None:
        ran = command("logs", "hello", "--since", since)
        assert ran.status == 1
        assert ran.err == f"lambent: --since takes a number and one of s, m, h, d; not {since!r}.\n"


def test_the_log_of_what_is_not_there_is_an_error(command: Command) -> None:
    ran = command("logs", "nobody")
    assert ran.status == 1
    assert ran.err.startswith("lambent: Function not found: ")


def test_a_function_may_be_called_what_its_template_calls_it(
    command: Command, template: Callable[..., Path]
) -> None:
    path = template(Resources={"Greeter": greeter()})
    assert command("deploy", path, "--stack-name", "one").status == 0
    assert command("invoke", "Greeter", "--payload", '{"name": "Ada"}').out == '{"hello": "Ada"}\n'
    until(lambda: command("logs", "Greeter").out, lambda text: "hello Ada" in text)
    assert command("deploy", path, "--stack-name", "two").status == 0
    ran = command("invoke", "Greeter")
    assert (ran.status, ran.err) == (
        1,
        "lambent: Several stacks have a function Greeter: say which of one/Greeter, two/Greeter.\n",
    )
    assert command("invoke", "two/Greeter").status == 0
    missing = command("invoke", "Nobody")
    assert missing.status == 1
    assert "Function not found" in missing.err
