"""Functions as real processes: results, errors, environment, logs."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.host.conftest import CREDENTIALS, OWN_RUNTIME, Function, alive, environments, until

from lambent.host.contract import InvocationResult, Throttled

pytestmark = pytest.mark.asyncio(loop_scope="session")
Define = Callable[..., Function]


def body(result: InvocationResult) -> Any:
    return json.loads(result.payload)


async def test_result_is_the_handlers_json(function: Define) -> None:
    run = function("def handler(event, context): return {'got': event}")
    result = await run({"name": "Zoë", "list": [1, None]})
    assert result.error is None
    assert body(result) == {"got": {"name": "Zoë", "list": [1, None]}}
    assert result.init is not None and result.duration > 0 and result.memory_peak > 5


async def test_context_is_lambdas(function: Define) -> None:
    run = function(
        """
        def handler(event, c):
            return [c.function_name, c.function_version, c.invoked_function_arn, c.aws_request_id,
                    c.memory_limit_in_mb, c.log_group_name, c.client_context.custom,
                    c.get_remaining_time_in_millis()]
        """,
        timeout=7,
    )
    result = await run(
        {}, request_id="8f5d-1", client_context=b'{"custom": {"a":\n "b"}}', trace="Root=1-a-b"
    )
    *fixed, remaining = body(result)
    name = run.spec.name
    assert fixed == [
        name,
        "$LATEST",
        run.spec.arn,
        "8f5d-1",
        "128",
        f"/aws/lambda/{name}",
        {"a": "b"},
    ]
    assert 5000 < remaining <= 7000


async def test_raised_error_has_lambdas_form(function: Define) -> None:
    run = function(
        """
        def handler(event, context):
            raise ValueError("no such thing")
        """
    )
    result = await run(None, request_id="r-1")
    assert result.error == "Unhandled"
    assert body(result) == {
        "errorMessage": "no such thing",
        "errorType": "ValueError",
        "requestId": "r-1",
        "stackTrace": [
            f'  File "{run.task}/app.py", line 3, in handler\n'
            '    raise ValueError("no such thing")\n'
        ],
    }
    [record] = [text for text in run.log if "[ERROR]" in text]
    assert record.startswith("[ERROR] ValueError: no such thing\nTraceback (most recent call last)")


async def test_environment_is_reused_after_an_error(function: Define) -> None:
    run = function(
        """
        count = 0
        def handler(event, context):
            global count
            count += 1
            if event == "fail": raise RuntimeError
            return count
        """
    )
    assert body(await run()) == 1
    assert (await run("fail")).error == "Unhandled"
    warm = await run()
    assert body(warm) == 3 and warm.init is None


async def test_result_that_is_not_json_is_a_marshal_error(function: Define) -> None:
    result = await function("def handler(event, context): return {1, 2}")()
    assert result.error == "Unhandled"
    assert body(result)["errorType"] == "Runtime.MarshalError"
    assert "Unable to marshal response" in body(result)["errorMessage"]


async def test_payload_that_is_not_json_is_an_unmarshal_error(function: Define) -> None:
    result = await function("def handler(event, context): return 1")(b"\xff\x00 no json")
    assert body(result)["errorType"] == "Runtime.UnmarshalError"


async def test_timeout_kills_the_function(function: Define) -> None:
    run = function(
        """
        import secrets, threading
        me = secrets.token_hex()
        def handler(event, context):
            if event is None: return me
            print("still here")
            threading.Event().wait()
        """,
        timeout=0.3,
    )
    first = body(await run(None))
    result = await run("hang", request_id="r-2", tail=True)
    assert result.error == "Unhandled"
    assert body(result) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: r-2 Error: Task timed out after 0.30 seconds",
    }
    assert result.duration == 0.3 and result.billed == 0.3
    assert b"still here\n" in result.log_tail
    [line] = [text for text in run.log if "Task timed out" in text]
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z r-2 Task timed out after 0.30 seconds\n", line
    )
    again = await run(None)
    assert again.init is not None and body(again) != first


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("sys.exit(1)", "Runtime exited with error: exit status 1"),
        ("os._exit(7)", "Runtime exited with error: exit status 7"),
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("ctypes.string_at(0)", "Runtime exited with error: signal: segmentation fault"),
    ],
)
async def test_process_that_ends_is_an_exit_error(
    function: Define, code: str, message: str
) -> None:
    run = function(f"import ctypes, os, sys\ndef handler(event, context): {code}")
    result = await run(request_id="r-3")
    assert body(result) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: r-3 Error: {message}",
    }
    assert "Runtime.ExitError\n" in run.log
    assert environments(run.host).get(run.spec.arn, (0, 0)) == (0, 0)


@pytest.mark.parametrize(
    ("source", "handler", "error_type", "message"),
    [
        (
            "import nowhere",
            "app.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'nowhere'",
        ),
        (
            "x = 1",
            "app.handler",
            "Runtime.HandlerNotFound",
            "Handler 'handler' missing on module 'app'",
        ),
        (
            "def handler(: pass",
            "app.handler",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'app': invalid syntax (app.py, line 1)",
        ),
        (
            "",
            "handler",
            "Runtime.MalformedHandlerName",
            "Bad handler 'handler': not enough values to unpack (expected 2, got 1)",
        ),
        ("raise KeyError('x')", "app.handler", "KeyError", "'x'"),
    ],
)
async def test_failed_initialisation_is_told(
    function: Define, source: str, handler: str, error_type: str, message: str
) -> None:
    run = function(source, handler=handler)
    result = await run(tail=True)
    assert result.error == "Unhandled" and result.init is None
    error = body(result)
    assert (error["errorType"], error["errorMessage"]) == (error_type, message)
    reports = [text for text in run.log if text.startswith("INIT_REPORT")]
    assert [text.split("\t")[1] for text in reports] == ["Phase: init", "Phase: invoke"]
    assert all(text.endswith(f"\tStatus: error\tError Type: {error_type}\n") for text in reports)
    assert error_type.encode() in result.log_tail


async def test_initialisation_that_fails_once_is_tried_again(bare: Define) -> None:
    run = bare(
        """
        import os
        marker = os.environ["MARKER"]
        if not os.path.exists(marker):
            open(marker, "w").close()
            os._exit(3)
        def handler(event, context): return "up"
        """,
    )
    marker = run.spec.code / "seen"
    result = await run.revised(environment={"MARKER": str(marker)})()
    assert body(result) == "up" and result.error is None


async def test_environment_variables_are_lambdas_and_nothing_leaks(
    function: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_SECRET", "x")
    run = function(
        "import os\ndef handler(event, context): return dict(os.environ)",
        environment={"MY_TABLE": "t", "AWS_REGION": "mars-1", "TZ": "Europe/Berlin"},
    )
    found = body(await run())
    name = run.spec.name
    expected = {
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{OWN_RUNTIME}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "LAMBDA_TASK_ROOT": run.task,
        "_HANDLER": "app.handler",
        "MY_TABLE": "t",
        "TZ": "Europe/Berlin",
        **CREDENTIALS,
    }
    assert expected.items() <= found.items()
    assert re.fullmatch(
        r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", found["AWS_LAMBDA_LOG_STREAM_NAME"]
    )
    assert "NODE_SECRET" not in found and "HOME" not in found


async def test_functions_see_boto3_but_not_lambents_dependencies(function: Define) -> None:
    run = function(
        """
        import importlib.util, os, sys
        import boto3, botocore, simplejson, dateutil, awslambdaric
        hidden = ["msgspec", "apsw", "click", "rich", "yaml", "lambent", "httptools", "uvloop"]
        def handler(event, context):
            return [[name for name in hidden if importlib.util.find_spec(name)],
                    sys.path[0], os.getcwd(), boto3.client("s3").meta.endpoint_url]
        """
    )
    found, first, folder, url = body(await run())
    assert found == []
    assert first == folder == run.task
    assert url == "http://127.0.0.1:4566"


@pytest.mark.parametrize("name", ["urllib3", "calendar", "boto3"])
async def test_the_functions_own_modules_win(function: Define, name: str) -> None:
    run = function(f"import {name}\ndef handler(event, context): return {name}.MINE")
    (run.spec.code / f"{name}.py").write_text("MINE = 'vendored'")
    assert body(await run()) == "vendored"


async def test_layers_are_importable_after_the_code(function: Define, tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    (layer / "python").mkdir(parents=True)
    (layer / "python" / "helper.py").write_text("WHERE = 'layer'")
    (layer / "python" / "app.py").write_text("raise RuntimeError")
    run = function("import helper\ndef handler(e, c): return helper.WHERE", layers=(layer,))
    assert body(await run()) == "layer"


async def test_tmp_is_private_and_goes_with_the_environment(function: Define) -> None:
    source = """
        import os, pathlib, tempfile
        place = pathlib.Path(tempfile.gettempdir())
        def handler(event, context):
            before = sorted(p.name for p in place.glob("note-*"))
            (place / f"note-{event}").write_text("x")
            return before
        """
    first, second = function(source), function(source)
    assert body(await first("a")) == []
    assert body(await first("b")) == ["note-a"]
    assert body(await second("c")) == []
    await first.host.retire(first.spec.arn)
    assert body(await first("d")) == []


async def test_ten_invocations_at_once_run_in_ten_environments(
    bare: Define, tmp_path: Path
) -> None:
    run = bare(
        """
        import os, pathlib, time
        def handler(event, context):
            folder = pathlib.Path(event["folder"])
            (folder / str(os.getpid())).touch()
            while len(list(folder.iterdir())) < 10:
                time.sleep(0.005)
            return os.getpid()
        """
    )
    # A file outside /tmp: the functions' own /tmp is private.
    meeting = run.spec.code / "meeting"
    meeting.mkdir()
    results = await asyncio.gather(*(run({"folder": str(meeting)}) for _ in range(10)))
    assert len({body(result) for result in results}) == 10
    assert environments(run.host)[run.spec.arn] == (0, 10)
    await run.host.retire(run.spec.arn)


async def test_log_lines_are_lambdas(function: Define) -> None:
    run = function(
        """
        import logging
        def handler(event, context):
            print("before")
            logging.getLogger().warning("two\\nlines")
            print("after", end="")
        """
    )
    result = await run(request_id="r-4", tail=True)
    init, start, before, record, after, end, report = run.log
    assert re.fullmatch(
        rf"INIT_START Runtime Version: {OWN_RUNTIME.replace('python', 'python:')}\t"
        r"Runtime Version ARN: arn:aws:lambda:eu-west-1::runtime:[0-9a-f]{64}\n",
        init,
    )
    assert start == "START RequestId: r-4 Version: $LATEST\n"
    assert before == "before\n"
    assert re.fullmatch(r"\[WARNING\]\t\S+Z\tr-4\ttwo\nlines\n", record)
    assert after == "after"
    assert end == "END RequestId: r-4\n"
    assert re.fullmatch(
        r"REPORT RequestId: r-4\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 128 MB\tMax Memory Used: \d+ MB\tInit Duration: \d+\.\d\d ms\t\n",
        report,
    )
    assert result.log_tail.decode() == "".join([start, before, record, after, end, report])


async def test_tail_is_the_last_4_kib(function: Define) -> None:
    run = function("def handler(event, context):\n  for i in range(999): print('line', i)")
    result = await run(tail=True)
    assert len(result.log_tail) == 4096
    assert b"line 998\nEND RequestId" in result.log_tail
    assert (await run()).log_tail == b""


async def test_endless_output_is_cut_visibly(function: Define) -> None:
    run = function(
        """
        def handler(event, context):
            line = "x" * 1023
            if event:
                for _ in range(event): print(line)
            return "done"
        """
    )
    assert body(await run(20_000)) == "done"
    assert sum(map(len, run.log)) < 9 << 20
    assert any(text.startswith("[Output cut here") for text in run.log)
    seen = len(run.log)
    await run(3)
    assert sum(text.startswith("xxx") for text in run.log[seen:]) == 3


async def test_binary_garbage_on_output_harms_nothing(function: Define) -> None:
    run = function(
        r"""
        import os
        def handler(event, context):
            os.write(1, b"\xa5\x5a\x00\x03" + b"\xff" * 40 + b"\n\xa5\x5a\x00")
            return 1
        """
    )
    assert body(await run()) == 1
    assert body(await run()) == 1


@pytest.mark.parametrize(("extra", "fits"), [(0, True), (1, False)])
async def test_response_limit(function: Define, extra: int, fits: bool) -> None:
    run = function("def handler(event, context): return 'x' * event")
    result = await run(6_291_556 - 2 + extra)
    if fits:
        assert len(result.payload) == 6_291_556
    else:
        assert body(result) == {
            "errorType": "Function.ResponseSizeTooLarge",
            "errorMessage": "Response payload size exceeded maximum allowed payload size "
            "(6291556 bytes).",
        }
    assert body(await run(1)) == "x"


async def test_children_of_a_function_end_with_it(bare: Define) -> None:
    run = bare(
        """
        import os, subprocess
        def handler(event, context):
            if event == "hang": os.read(os.pipe()[0], 1)
            return subprocess.Popen(["sleep", "1000"]).pid
        """,
        timeout=0.5,
    )
    child = body(await run())
    os.kill(child, 0)
    await run("hang")
    await run.host.retire(run.spec.arn)
    await until(lambda: not alive(child))


async def test_unknown_runtime_is_refused(function: Define) -> None:
    result = await function("", runtime="cobol85")(request_id="r-5")
    assert result.error == "Unhandled"
    assert "cobol85" in body(result)["errorMessage"]


async def test_closed_host_takes_no_more(own_host: Any, define: Define) -> None:
    async with own_host() as opened:
        run = define(opened, "def handler(e, c): return 1")
    with pytest.raises(Throttled):
        await run()


async def test_log_format_json_is_passed_to_the_runtime(function: Define) -> None:
    run = function("import logging\ndef handler(e, c): logging.error('hello')", log_format="JSON")
    assert (await run(request_id="r-6")).error is None
    [record] = [text for text in run.log if '"hello"' in text]
    assert json.loads(record)["requestId"] == "r-6"


async def test_activity_counts_invocations_and_failures(function: Define) -> None:
    run = function("def handler(event, context):\n    return 1 / event")
    assert (await run(1)).error is None
    assert (await run(0)).error == "Unhandled"
    activity = run.host.activity()[run.spec.arn]
    assert (activity.invocations, activity.failures, activity.throttles) == (2, 1, 0)
    assert (activity.busy, activity.idle) == (0, 1)
