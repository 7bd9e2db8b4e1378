"""Node.js: modules, callbacks, the context, the console, and errors in Lambda's shapes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.host.runtimes.conftest import Define
from tests.host.runtimes.toolchain import need

from lambent.host.build import BuildFailed, build


@pytest.fixture(autouse=True)
def _node() -> None:
    need("node")


def run(define: Define, source: str, event: Any = None, **more: Any) -> Any:
    runtime = more.pop("runtime", "nodejs20.x")
    handler = more.pop("handler", "index.handler")
    return define(runtime, handler, {"index.js": source}, **more)(event)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("exports.handler = async (event) => [event]", [{"a": 1}]),
        ("exports.handler = (event, c, done) => setTimeout(() => done(null, event.a), 5)", 1),
        ("exports.handler = (event, context) => context.succeed('old')", "old"),
        ("exports.handler = async () => undefined", None),
        ("exports.handler = () => new Promise(() => {})", None),
        ("exports.handler = () => undefined", None),
    ],
    ids=["async", "callback", "succeed", "nothing", "never settled", "no promise"],
)
def test_ways_to_answer(define: Define, source: str, value: Any) -> None:
    answer = run(define, source, {"a": 1})
    assert (answer.error, answer.value) == (None, value)


def test_callback_waits_for_the_event_loop_unless_told_otherwise(define: Define) -> None:
    waiting = "exports.handler = (e, c, done) => { setTimeout(() => console.log('late'), 30); %s }"
    assert "late" in run(define, waiting % "done(null, 1)").log
    assert (
        "late"
        not in run(define, waiting % "c.callbackWaitsForEmptyEventLoop = false; done(null, 1)").log
    )


def test_context_is_lambdas(define: Define) -> None:
    answer = run(
        define,
        """
        exports.handler = async (event, c) => [
          c.functionName === process.env.AWS_LAMBDA_FUNCTION_NAME, c.functionVersion,
          c.memoryLimitInMB, c.invokedFunctionArn.endsWith(c.functionName),
          c.logGroupName === `/aws/lambda/${c.functionName}`, typeof c.logStreamName,
          c.getRemainingTimeInMillis() > 8000, process.env.AWS_EXECUTION_ENV,
          process.env._X_AMZN_TRACE_ID.startsWith("Root="),
        ]
        """,
        Timeout=9,
    )
    expected = [True, "$LATEST", "512", True, True, "string", True, "AWS_Lambda_nodejs20.x", True]
    assert answer.value == expected


def test_package_type_module_makes_js_an_es_module(define: Define) -> None:
    code = {
        "index.js": "import { shout } from './lib/shout.js';\n"
        "export const handler = async (name) => shout(name);",
        "lib/shout.js": "export const shout = (text) => text.toUpperCase();",
        "package.json": '{"type": "module"}',
    }
    assert define("nodejs20.x", "index.handler", code)("ada").value == "ADA"


def test_handler_may_lie_deeper(define: Define) -> None:
    code = {"src/app.js": "exports.api = { v1: { get: async () => 'deep' } };"}
    assert define("nodejs20.x", "src/app.api.v1.get", code)(None).value == "deep"


def test_console_lines_carry_time_request_and_level(define: Define) -> None:
    answer = run(
        define,
        "exports.handler = async (e, c) => { console.log('a\\nb %d', 1); console.error('bad');"
        "console.debug({x: 1}); process.stdout.write('raw\\n'); return c.awsRequestId }",
    )
    lines = answer.log.splitlines()
    first = next(index for index, line in enumerate(lines) if line.endswith("\tINFO\ta"))
    moment, request, _, _ = lines[first].split("\t")
    assert request == answer.value and moment.endswith("Z") and moment[10] == "T"
    assert lines[first + 1] == "b 1"
    assert lines[first + 2].endswith(f"\t{request}\tERROR\tbad")
    assert lines[first + 3].endswith("\tDEBUG\t{ x: 1 }")
    assert lines[first + 4] == "raw"


def test_json_log_format(define: Define) -> None:
    answer = run(
        define,
        "exports.handler = async (e, c) => { console.warn('%s!', 'hot'); return c.awsRequestId }",
        LoggingConfig={"LogFormat": "JSON"},
    )
    records = [json.loads(line) for line in answer.log.splitlines() if '"hot!"' in line]
    assert [(r["level"], r["message"], r["requestId"]) for r in records] == [
        ("WARN", "hot!", answer.value)
    ]


def test_raised_error_is_told_and_logged(define: Define) -> None:
    answer = run(
        define,
        "class NoStock extends Error { constructor(m) { super(m); this.name = 'NoStock';"
        " this.code = 7 } }\nexports.handler = async () => { throw new NoStock('none left') }",
    )
    assert answer.error == "Unhandled"
    assert answer.value["errorType"] == "NoStock"
    assert answer.value["errorMessage"] == "none left"
    assert answer.value["trace"][0] == "NoStock: none left"
    assert "index.js:2" in answer.value["trace"][1]
    line = next(line for line in answer.log.splitlines() if "\tERROR\tInvoke Error \t" in line)
    logged = json.loads(line.split("\t")[-1])
    assert (logged["errorType"], logged["code"], logged["stack"][0]) == (
        "NoStock",
        7,
        "NoStock: none left",
    )


@pytest.mark.parametrize(
    ("source", "handler", "error_type", "message"),
    [
        ("exports.a = 1", "index.handler", "HandlerNotFound", "index.handler is undefined or not"),
        ("exports.handler = 1", "index.handler", "HandlerNotFound", "index.handler is not a func"),
        ("", "other.handler", "ImportModuleError", "Error: Cannot find module 'other'"),
        (
            "require('nothing')",
            "index.handler",
            "ImportModuleError",
            "Cannot find module 'nothing'",
        ),
        ("exports. = 1", "index.handler", "UserCodeSyntaxError", "SyntaxError: Unexpected token"),
        ("", "index", "MalformedHandlerName", "Bad handler"),
    ],
)
def test_failed_initialisation(
    define: Define, source: str, handler: str, error_type: str, message: str
) -> None:
    answer = run(define, source, handler=handler)
    assert answer.error == "Unhandled"
    assert answer.value["errorType"] == f"Runtime.{error_type}"
    assert message in answer.value["errorMessage"]
    assert answer.value["trace"]
    assert f"Error Type: Runtime.{error_type}" in answer.log


def test_what_nobody_catches_ends_the_environment_only(define: Define) -> None:
    source = """
    const wait = () => new Promise((done) => setTimeout(done, 5000));
    let count = 0;
    exports.handler = async (how) => {
      if (how === "reject") { Promise.reject(new Error("nobody")); await wait(); }
      if (how === "throw") { setTimeout(() => { throw new TypeError("later") }); await wait(); }
      if (how === "exit") process.exit(7);
      return ++count;
    }
    """
    function = define("nodejs20.x", "index.handler", {"index.js": source})
    assert function("").value == 1
    rejected = function("reject")
    assert rejected.value["errorType"] == "Runtime.UnhandledPromiseRejection"
    assert rejected.value["errorMessage"] == "Error: nobody"
    assert function("").value == 1
    thrown = function("throw")
    assert (thrown.value["errorType"], thrown.value["errorMessage"]) == ("TypeError", "later")
    exited = function("exit")
    assert exited.value["errorType"] == "Runtime.ExitError"
    assert exited.value["errorMessage"].endswith("Error: Runtime exited with error: exit status 7")


def test_timeout_is_lambdas(define: Define) -> None:
    answer = run(define, "exports.handler = () => { for (;;); }", Timeout=1)
    assert answer.error == "Unhandled"
    assert answer.value["errorMessage"].endswith("Task timed out after 1.00 seconds")


def test_callbacks_ended_with_node_24(define: Define) -> None:
    source = "exports.handler = (event, context, callback) => callback(null, 1)"
    answer = run(define, source, runtime="nodejs24.x")
    assert answer.value["errorType"] == "Runtime.CallbackHandlerDeprecated"


def test_streamed_response_arrives_whole(define: Define) -> None:
    source = (
        "exports.handler = awslambda.streamifyResponse(async (event, stream) => {"
        " stream.write('{\"a\":'); await null; stream.end('1}'); })"
    )
    function = define("nodejs20.x", "index.handler", {"index.js": source})
    assert [function(None).value, function(None).value] == [{"a": 1}, {"a": 1}]


def test_another_version_says_so_in_the_log(define: Define) -> None:
    answer = run(define, "exports.handler = async () => process.version", runtime="nodejs8.10")
    assert answer.value.startswith("v")


async def test_packages_of_a_folder_are_installed(tmp_path: Path) -> None:
    need("npm")
    source = tmp_path / "source"
    (source / "greeting").mkdir(parents=True)
    (source / "greeting" / "package.json").write_text('{"name": "greeting", "version": "1.0.0"}')
    (source / "greeting" / "index.js").write_text("module.exports = 'hello'")
    (source / "tool").mkdir()
    (source / "tool" / "package.json").write_text('{"name": "tool", "version": "1.0.0"}')
    manifest = {
        "dependencies": {"greeting": "file:./greeting"},
        "devDependencies": {"tool": "file:./tool"},
    }
    (source / "package.json").write_text(json.dumps(manifest))
    built = await build(source, "nodejs20.x", tmp_path / "cache")
    assert (built / "node_modules" / "greeting" / "index.js").read_text().endswith("'hello'")
    assert not (built / "node_modules" / "tool").exists()
    assert not (source / "node_modules").exists()
    (source / "package.json").write_text("{not JSON")
    with pytest.raises(BuildFailed, match="could not be installed"):
        await build(source, "nodejs20.x", tmp_path / "cache")
