"""Every language's example, deployed and invoked through boto3: answer, errors, environment,
logs, cold and warm."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from tests.host.runtimes import toolchain
from tests.host.runtimes.conftest import Define


def node_example(name: str) -> bytes:
    toolchain.need("node")
    return toolchain.example(name)


def shell_example() -> bytes:
    toolchain.need("curl")
    return toolchain.example("provided-shell")


LANGUAGES = [
    pytest.param(
        "python3.12", "app.handler", partial(toolchain.example, "python"), "Python", id="python"
    ),
    pytest.param(
        "nodejs20.x", "index.handler", partial(node_example, "nodejs-cjs"), "CommonJS", id="cjs"
    ),
    pytest.param(
        "nodejs22.x", "index.handler", partial(node_example, "nodejs-esm"), "an ES module", id="esm"
    ),
    pytest.param("java17", "example.Greeter", toolchain.java_example, "Java", id="java"),
    pytest.param("provided.al2023", "any", toolchain.go_example, "Go", id="go"),
    pytest.param(
        *("provided.al2023", "any", toolchain.rust_example, "Rust"),
        id="rust",
        marks=[pytest.mark.slow, pytest.mark.timeout(600)],
    ),
    pytest.param("provided.al2", "any", shell_example, "the shell", id="shell"),
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("runtime", "handler", "build", "language"), LANGUAGES)
def test_example_runs(
    define: Define, runtime: str, handler: str, build: Callable[[], bytes], language: str
) -> None:
    variables = {"Variables": {"GREETING": "Ahoj"}}
    greet = define(runtime, handler, build(), Environment=variables)

    cold = greet({"name": "Ada"})
    assert cold.error is None, cold
    assert cold.value["greeting"] == f"Ahoj, Ada, from {language}!"
    assert f"START RequestId: {cold.value['request']} Version: $LATEST\n" in cold.log
    assert "greeting Ada" in cold.log
    assert "Init Duration: " in cold.log

    failed = greet({"nobody": True})
    assert failed.error == "Unhandled"
    assert set(failed.value) >= {"errorType", "errorMessage"}
    # What the runtime logs of the error belongs to the invocation.
    assert failed.log.rstrip().splitlines()[-1].startswith("REPORT ")
    if failed.value["errorMessage"] in failed.log:
        assert failed.log.index(failed.value["errorMessage"]) < failed.log.index("END RequestId")

    warm = greet({"name": "Bob"})
    assert warm.value["greeting"] == f"Ahoj, Bob, from {language}!"
    assert "greeting Bob" in warm.log and "Init Duration" not in warm.log
    assert warm.value["request"] != cold.value["request"]


@pytest.mark.parametrize("runtime", ["dotnet8", "ruby3.3"])
def test_function_of_a_refused_language_is_made_and_says_what_to_do(
    define: Define, runtime: str
) -> None:
    answer = define(runtime, "Assembly::Namespace.Class::Method", {"a.txt": ""})({})
    assert answer.error == "Unhandled"
    assert answer.value["errorType"] == "Runtime.Unsupported"
    assert f"does not run {runtime}" in answer.value["errorMessage"]
    assert "provided.al2023" in answer.value["errorMessage"]


def test_unknown_identifier_is_refused_as_lambda_does(define: Define) -> None:
    with pytest.raises(Exception, match="failed to satisfy constraint") as refused:
        define("cobol85", "main", {"a.txt": ""})
    assert "InvalidParameterValueException" in str(refused.value)
    assert "Value cobol85 at 'runtime'" in str(refused.value)
    assert "enum value set: [" in str(refused.value)
