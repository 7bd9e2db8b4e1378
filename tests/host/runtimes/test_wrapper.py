"""Wrapper scripts (AWS_LAMBDA_EXEC_WRAPPER) of code and layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.host.runtimes.conftest import Define
from tests.host.runtimes.toolchain import need
from tests.support.functions import packed

WRAPPER = """#!/bin/sh
echo "wrapped: $#"
export WRAPPED="by $0"
exec "$@"
"""
PYTHON = """
import helper, logging, os
def handler(event, context):
    logging.getLogger().warning("of the function")
    return [event, os.environ["WRAPPED"], helper.NAME]
"""
NODEJS = "exports.handler = async (event) => [event, process.env.WRAPPED, 'none'];"


@pytest.mark.parametrize(
    ("runtime", "handler", "code", "program"),
    [
        ("python3.11", "index.handler", {"index.py": PYTHON}, "python3"),
        ("nodejs20.x", "index.handler", {"index.js": NODEJS}, "node"),
    ],
    ids=["python", "nodejs"],
)
def test_a_layers_wrapper_starts_the_runtime(
    define: Define,
    client: Callable[..., Any],
    runtime: str,
    handler: str,
    code: dict[str, str],
    program: str,
) -> None:
    need(program)
    layer = client("lambda").publish_layer_version(
        LayerName="wrapper",
        Content={
            "ZipFile": packed({"wrapper": WRAPPER, "python/helper.py": "NAME = 'none'\n"}, 0o755)
        },
    )
    wrapped = define(
        runtime,
        handler,
        code,
        Layers=[layer["LayerVersionArn"]],
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper"}},
    )
    answer = wrapped("x")
    assert answer.value == ["x", "by /opt/wrapper", "none"]
    again = wrapped("y")
    assert again.value[0] == "y" and "REPORT RequestId" in again.log
    if runtime.startswith("python"):
        assert "[WARNING]" in again.log and "of the function" in again.log


def test_a_missing_wrapper_is_an_exit_error(define: Define) -> None:
    answer = define(
        "python3.11",
        "index.handler",
        {"index.py": PYTHON},
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/none"}},
    )("x")
    assert answer.value["errorType"] == "Runtime.ExitError"
    assert "/opt/none: No such file or directory" in answer.log
