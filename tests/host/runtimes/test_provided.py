"""OS-only functions: which bootstrap runs, and what Lambda says of one that cannot."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.host.runtimes.conftest import Define
from tests.host.runtimes.toolchain import need
from tests.support.functions import packed

from lambent.host.runtimes.provided import unexecutable

ECHO = """#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
head=$(mktemp)
while event=$(curl -sS -D "$head" "$api/next"); do
    id=$(sed -n 's/^lambda-runtime-aws-request-id: *\\([^[:space:]]*\\).*/\\1/Ip' "$head")
    curl -sS -o /dev/null "$api/$id/response" -d "%s"
done
"""


@pytest.mark.parametrize(
    ("name", "content", "mode", "message"),
    [
        (
            *("main", ECHO, 0o755),
            "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
        ),
        ("bootstrap", ECHO, 0o644, "fork/exec /var/task/bootstrap: permission denied"),
        ("bootstrap", "no program", 0o755, "fork/exec /var/task/bootstrap: exec format error"),
        (
            *("bootstrap", "#!/no/such/shell\n", 0o755),
            "fork/exec /var/task/bootstrap: no such file or directory",
        ),
    ],
    ids=["missing", "not executable", "no program", "no interpreter"],
)
def test_bootstrap_that_cannot_run(
    define: Define, name: str, content: str, mode: int, message: str
) -> None:
    answer = define("provided.al2023", "x", {name: content}, mode=mode)({})
    assert answer.error == "Unhandled"
    assert answer.value["errorType"] == "Runtime.InvalidEntrypoint"
    assert answer.value["errorMessage"].endswith(f" Error: {message}")
    assert answer.value["errorMessage"].startswith("RequestId: ")
    assert "Runtime.InvalidEntrypoint" in answer.log


def test_bootstrap_may_come_from_a_layer(define: Define, client: Callable[..., Any]) -> None:
    need("curl")
    layer = client("lambda").publish_layer_version(
        LayerName="shell", Content={"ZipFile": packed({"bootstrap": ECHO % '\\"layer\\"'}, 0o755)}
    )
    function = define("provided", "x", {"a.txt": ""}, Layers=[layer["LayerVersionArn"]])
    assert function({}).value == "layer"


def test_go1x_runs_what_the_handler_names(define: Define) -> None:
    need("curl")
    function = define("go1.x", "main", {"main": ECHO % "[$event, 2]"})
    assert function(1).value == [1, 2]


def test_environment_of_an_os_only_function(define: Define) -> None:
    need("curl")
    reply = '\\"$_HANDLER|${AWS_EXECUTION_ENV:-none}|$AWS_LAMBDA_FUNCTION_MEMORY_SIZE|$AB\\"'
    variables = {"Variables": {"AB": "b"}}
    function = define(
        "provided.al2023", "my.handler", {"bootstrap": ECHO % reply}, Environment=variables
    )
    assert function({}).value == "my.handler|none|512|b"


def test_bootstrap_that_exits_is_an_error_of_its_own(define: Define) -> None:
    function = define("provided.al2023", "x", {"bootstrap": "#!/bin/sh\necho bye\nexit 3\n"})
    answer = function({})
    assert answer.value["errorType"] == "Runtime.ExitError"
    assert answer.value["errorMessage"].endswith("Runtime exited with error: exit status 3")
    assert "bye\n" in answer.log


def test_what_the_kernel_would_say(tmp_path: Path) -> None:
    program = tmp_path / "program"
    assert unexecutable(program) == "no such file or directory"
    program.write_bytes(b"\x7fELF...")
    assert unexecutable(program) == "permission denied"
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    assert unexecutable(program) is None
    assert unexecutable(tmp_path) == "permission denied"
