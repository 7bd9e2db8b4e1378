"""Logs in JSON format: the platform's lines as events, levels, and what the caller's tail shows."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import Make, until

SAYS = """
import json, logging
logger = logging.getLogger()
def handler(event, context):
    logger.info("calm")
    logger.warning("worried")
    if event == "raise":
        raise ValueError("broken")
    if event == "sleep":
        import time
        time.sleep(60)
    return event
"""


@pytest.fixture
def logged(functions: Any, client: Callable[..., Any]) -> Callable[..., list[dict[str, Any]]]:
    """`logged(event)`: what invoking `f` logged, line by line, as CloudWatch Logs has it."""
    logs = client("logs")

    def read() -> list[str]:
        try:
            events = logs.filter_log_events(logGroupName="/aws/lambda/f")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in events]

    def invoke(event: Any, end: str = "platform.report") -> list[dict[str, Any]]:
        functions.invoke(FunctionName="f", Payload=json.dumps(event))
        lines: list[str] = until(lambda: any(end in line for line in read()) and read())
        return [json.loads(line) for line in lines]

    return invoke


def _types(lines: list[dict[str, Any]]) -> list[str]:
    return [line.get("type") or line["level"] for line in lines]


def test_platform_lines_are_events(make: Make, logged: Callable[..., list[dict[str, Any]]]) -> None:
    made = make("f", SAYS, LoggingConfig={"LogFormat": "JSON"})
    lines = logged("x")
    assert _types(lines) == [
        "platform.initStart",
        "platform.start",
        "INFO",
        "WARNING",
        "platform.report",
    ]
    start, report = lines[0]["record"], lines[-1]["record"]
    assert start == {
        "initializationType": "on-demand",
        "phase": "init",
        "runtimeVersion": "python:3.11",
        "runtimeVersionArn": made["RuntimeVersionConfig"]["RuntimeVersionArn"],
        "functionName": "f",
        "functionVersion": "$LATEST",
    }
    assert lines[1]["record"] == {"requestId": report["requestId"], "version": "$LATEST"}
    assert report["status"] == "success"
    assert report["metrics"].keys() == {
        "durationMs",
        "billedDurationMs",
        "memorySizeMB",
        "maxMemoryUsedMB",
        "initDurationMs",
    }
    assert lines[2]["message"] == "calm" and lines[2]["requestId"] == report["requestId"]


@pytest.mark.parametrize(
    ("system", "application", "expected"),
    [
        (
            "DEBUG",
            "WARN",
            [
                *("platform.initStart", "platform.initRuntimeDone", "platform.initReport"),
                *("platform.start", "WARNING", "platform.runtimeDone", "platform.report"),
            ],
        ),
        ("WARN", "INFO", ["INFO", "WARNING"]),
    ],
    ids=["debug", "warn"],
)
def test_levels_filter_the_platforms_and_the_functions_lines(
    make: Make,
    logged: Callable[..., list[dict[str, Any]]],
    system: str,
    application: str,
    expected: list[str],
) -> None:
    levels = {"SystemLogLevel": system, "ApplicationLogLevel": application}
    make("f", SAYS, LoggingConfig={"LogFormat": "JSON", **levels})
    assert _types(logged("x", "worried" if system == "WARN" else "platform.report")) == expected


def test_failures_are_warnings_with_their_error_type(
    make: Make, logged: Callable[..., list[dict[str, Any]]]
) -> None:
    levels = {"SystemLogLevel": "WARN", "ApplicationLogLevel": "ERROR"}
    make("f", SAYS, LoggingConfig={"LogFormat": "JSON", **levels})
    lines = logged("raise")
    assert _types(lines) == ["ERROR", "platform.runtimeDone", "platform.report"]
    assert lines[0]["errorMessage"] == "broken"
    assert {line["record"]["status"] for line in lines[1:]} == {"error"}
    assert lines[2]["record"]["errorType"] == "Function.Unknown"


def test_a_timeout_is_the_reports_status(
    make: Make, logged: Callable[..., list[dict[str, Any]]]
) -> None:
    make("f", SAYS, LoggingConfig={"LogFormat": "JSON"}, Timeout=1)
    report = logged("sleep")[-1]["record"]
    assert report["status"] == "timeout" and report["metrics"]["durationMs"] == 1000


def test_the_callers_tail_is_json_too(functions: Any, make: Make) -> None:
    make("f", SAYS, LoggingConfig={"LogFormat": "JSON"})
    answer = functions.invoke(FunctionName="f", LogType="Tail")
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert [json.loads(line).get("type", "own") for line in tail.splitlines()] == [
        "platform.start",
        "own",
        "own",
        "platform.report",
    ]


def test_lines_without_a_logger_are_filtered_by_the_level_they_name(
    make: Make, logged: Callable[..., list[dict[str, Any]]]
) -> None:
    source = (
        "import json\n"
        "def handler(event, context):\n"
        "    for level in ('debug', 'Error', 'odd', None):\n"
        "        print(json.dumps({'level': level, 'message': 'said'} if level else {'bare': 1}))\n"
    )
    levels = {"SystemLogLevel": "INFO", "ApplicationLogLevel": "INFO"}
    make("f", source, LoggingConfig={"LogFormat": "JSON", **levels})
    own = [line for line in logged("x") if "type" not in line]
    assert [line.get("level") for line in own] == ["Error", "odd", None]


def test_streams_of_a_group_of_ones_own_choice_name_the_function(
    make: Make, functions: Any, client: Callable[..., Any]
) -> None:
    make("f", SAYS, LoggingConfig={"LogFormat": "JSON", "LogGroup": "shared"})
    functions.invoke(FunctionName="f", Payload=b'"x"')
    logs = client("logs")
    until(lambda: logs.describe_log_groups(logGroupNamePrefix="shared")["logGroups"])
    [stream] = until(lambda: logs.describe_log_streams(logGroupName="shared")["logStreams"])
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/f\[\$LATEST\][0-9a-f]{32}", stream["logStreamName"])
