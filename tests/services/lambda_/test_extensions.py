"""Extensions in layers, beside functions on a live node."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import Make, payload, until

from lambent.host import attempt

CLIENT = """#!/usr/bin/python3 -S
import http.client, json, os, sys, time
sys.stdout.reconfigure(line_buffering=True)
ME = os.path.basename(sys.argv[0])
def ask(method, path, body=None, **headers):
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    api.request(method, path, None if body is None else json.dumps(body), named)
    answer = api.getresponse()
    return answer.status, answer.headers, answer.read()
def register(events=("INVOKE", "SHUTDOWN"), name=None, **headers):
    status, got, body = ask("POST", "/2020-01-01/extension/register", {"events": list(events)},
                            Lambda_Extension_Name=name or ME, **headers)
    return status, got.get("Lambda-Extension-Identifier"), json.loads(body)
def following(identifier):
    _, got, body = ask("GET", "/2020-01-01/extension/event/next",
                       Lambda_Extension_Identifier=identifier)
    return json.loads(body)
def fail(identifier, phase, kind):
    return ask("POST", f"/2020-01-01/extension/{phase}/error", {"errorMessage": "no good"},
               Lambda_Extension_Identifier=identifier,
               Lambda_Extension_Function_Error_Type=kind)[0]
"""
LOOP = (
    CLIENT
    + """
print("registering", ME)
_, me, shown = register(Lambda_Extension_Accept_Feature="accountId")
print("registered", json.dumps(shown))
while True:
    event = following(me)
    print("event", json.dumps(event))
    if event["eventType"] == "SHUTDOWN":
        break
"""
)
LOADS = "print('loading')\ndef handler(event, context):\n    return event\n"


@pytest.fixture
def extended(functions: Any, make: Make) -> Callable[..., Any]:
    """`extended({"ext": script}, source, …)`: the function `f` with these extensions."""

    def create(scripts: dict[str, str], source: str = LOADS, mode: int = 0o755, **more: Any) -> Any:
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            for name, script in scripts.items():
                entry = zipfile.ZipInfo(f"extensions/{name}")
                entry.external_attr = mode << 16
                archive.writestr(entry, script)
        layer = functions.publish_layer_version(
            LayerName="extensions", Content={"ZipFile": data.getvalue()}
        )
        return make("f", source, Layers=[layer["LayerVersionArn"]], Timeout=10, **more)

    return create


@pytest.fixture
def invoke(functions: Any) -> Callable[..., tuple[Any, str]]:
    """`invoke(event)`: what `f` answered, and the tail of its log."""

    def call(event: Any = None) -> tuple[Any, str]:
        response = functions.invoke(FunctionName="f", Payload=json.dumps(event), LogType="Tail")
        return payload(response), base64.b64decode(response["LogResult"]).decode()

    return call


@pytest.fixture
def log(client: Callable[..., Any]) -> Callable[[str], str]:
    """`log("text")`: all that `f` logged, once it has the text."""
    logs = client("logs")

    def read(wanted: str) -> str:
        def found() -> str:
            try:
                events = logs.filter_log_events(logGroupName="/aws/lambda/f")["events"]
            except logs.exceptions.ResourceNotFoundException:
                return ""
            text = "".join(event["message"] for event in events)
            return text if wanted in text else ""

        text: str = until(found)
        return text

    return read


def _events(text: str) -> list[dict[str, Any]]:
    return [
        json.loads(line.partition(" ")[2])
        for line in text.splitlines()
        if line.startswith("event ")
    ]


def test_an_extension_starts_before_the_runtime_and_sees_each_invocation(
    extended: Callable[..., Any], invoke: Callable[..., tuple[Any, str]], log: Callable[[str], str]
) -> None:
    made = extended({"my-ext": LOOP})
    assert invoke("a")[0] == "a"
    _, tail = invoke("b")
    (event,) = _events(tail)
    assert event["eventType"] == "INVOKE" and event["requestId"] in tail.partition("\n")[0]
    assert event["invokedFunctionArn"] == made["FunctionArn"]
    assert event["tracing"]["type"] == "X-Amzn-Trace-Id" and event["deadlineMs"] > 1e12
    text = log("START RequestId")
    assert text.index("registering my-ext") < text.index("loading")
    assert "EXTENSION\tName: my-ext\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n" in text
    assert text.index("EXTENSION") < text.index("START RequestId")
    shown = next(line for line in text.splitlines() if line.startswith("registered "))
    assert json.loads(shown.partition(" ")[2]) == {
        "functionName": "f",
        "functionVersion": "$LATEST",
        "handler": "index.handler",
        "accountId": made["FunctionArn"].split(":")[4],
    }


def test_an_environment_that_is_let_go_tells_extensions_and_then_the_runtime_ends(
    extended: Callable[..., Any],
    invoke: Callable[..., tuple[Any, str]],
    log: Callable[[str], str],
    functions: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Lambda's 0.3 s are not enough for a process that a busy machine does not let run.
    monkeypatch.setattr(attempt, "_RUNTIME_SECONDS", 10.0)
    monkeypatch.setattr(attempt, "_EXTERNAL_SECONDS", 20.0)
    source = (
        "import signal, sys\n"
        "def end(*_):\n    print('asked to end', flush=True)\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n" + LOADS
    )
    # The client of older Pythons handles no signal while it waits for an invocation.
    extended({"my-ext": LOOP}, source, Runtime="python3.12")
    invoke()
    functions.update_function_configuration(FunctionName="f", Description="another")
    text = log('SHUTDOWN", "shutdownReason')
    assert _events(text)[-1]["shutdownReason"] == "spindown"
    assert text.index("asked to end") < text.index('"shutdownReason"')


def test_a_timeout_resets_the_environment_with_its_reason(
    extended: Callable[..., Any], functions: Any, log: Callable[[str], str]
) -> None:
    source = "import time\ndef handler(event, context):\n    time.sleep(event)\n    return 1\n"
    extended({"my-ext": LOOP}, source)
    functions.update_function_configuration(FunctionName="f", Timeout=1)
    failed = functions.invoke(FunctionName="f", Payload="60")
    assert payload(failed)["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert _events(log("shutdownReason"))[-1]["shutdownReason"] == "timeout"
    assert payload(functions.invoke(FunctionName="f", Payload="0")) == 1


def test_a_runtime_that_exits_is_a_failure_to_extensions(
    extended: Callable[..., Any], functions: Any, log: Callable[[str], str]
) -> None:
    extended({"my-ext": LOOP}, "import os\ndef handler(event, context):\n    os._exit(7)\n")
    failed = payload(functions.invoke(FunctionName="f"))
    assert failed["errorType"] == "Runtime.ExitError"
    assert failed["errorMessage"].endswith("Runtime exited with error: exit status 7")
    assert _events(log("shutdownReason"))[-1]["shutdownReason"] == "failure"


def test_an_extension_that_is_never_done_runs_into_the_timeout(
    extended: Callable[..., Any], functions: Any, invoke: Callable[..., tuple[Any, str]]
) -> None:
    script = CLIENT + "_, me, _ = register()\nfollowing(me)\ntime.sleep(60)\n"
    extended({"slow": script})
    functions.update_function_configuration(FunctionName="f", Timeout=1)
    value, tail = invoke("mine")
    assert value == "mine"
    assert "Task timed out after 1.00 seconds" in tail and "Status: timeout" in tail


@pytest.mark.parametrize(
    ("script", "mode", "kind", "message"),
    [
        (CLIENT + "sys.exit(3)\n", 0o755, "Extension.Crash", "exit code 3"),
        (
            CLIENT + "_, me, _ = register()\nfail(me, 'init', 'Extension.Own')\ntime.sleep(60)\n",
            0o755,
            "Extension.InitError",
            "no good",
        ),
        (LOOP, 0o644, "Extension.LaunchError", "fork/exec /opt/extensions/bad: permission denied"),
        (
            "#!/no/such\n",
            0o755,
            "Extension.LaunchError",
            "fork/exec /opt/extensions/bad: no such file or directory",
        ),
    ],
    ids=["crash", "init-error", "not-executable", "no-interpreter"],
)
def test_an_extension_that_does_not_start_fails_the_initialisation(
    extended: Callable[..., Any],
    invoke: Callable[..., tuple[Any, str]],
    log: Callable[[str], str],
    script: str,
    mode: int,
    kind: str,
    message: str,
) -> None:
    extended({"bad": script}, mode=mode)
    value, tail = invoke()
    assert value["errorType"] == kind
    assert value["errorMessage"].endswith(f"Error: {message}")
    assert "EXTENSION\tName: bad\tState: " in tail and "Error Type: " in tail
    text = log("INIT_REPORT")
    assert f"Phase: init\tStatus: error\tError Type: {kind}\n" in text


@pytest.mark.parametrize(
    ("ending", "kind", "message"),
    [
        ("os._exit(1)", "Extension.Crash", "exit code 1"),
        ("fail(me, 'exit', 'Extension.Own')", "Extension.ExitError", "no good"),
    ],
    ids=["crash", "exit-error"],
)
def test_an_extension_that_ends_within_an_invocation_ends_it(
    extended: Callable[..., Any],
    invoke: Callable[..., tuple[Any, str]],
    ending: str,
    kind: str,
    message: str,
) -> None:
    script = CLIENT + f"_, me, _ = register()\nfollowing(me)\n{ending}\ntime.sleep(60)\n"
    extended({"bad": script}, "import time\ndef handler(event, context):\n    time.sleep(60)\n")
    value, tail = invoke()
    assert (value["errorType"], value["errorMessage"].rpartition("Error: ")[2]) == (kind, message)
    assert f"Status: error\tError Type: {kind}" in tail


def test_extensions_find_the_functions_variables_but_not_the_runtimes(
    extended: Callable[..., Any], invoke: Callable[..., tuple[Any, str]], log: Callable[[str], str]
) -> None:
    script = LOOP.replace(
        'print("registering"', 'print("has", json.dumps(dict(os.environ)))\nprint("registering"'
    )
    extended({"my-ext": script}, Environment={"Variables": {"OWN": "value"}})
    invoke()
    line = next(each for each in log("has {").splitlines() if each.startswith("has "))
    found = json.loads(line.partition(" ")[2])
    assert found["OWN"] == "value" and found["AWS_LAMBDA_FUNCTION_NAME"] == "f"
    assert found["AWS_ACCESS_KEY_ID"] and found["AWS_LAMBDA_RUNTIME_API"]
    hidden = {"_HANDLER", "LAMBDA_TASK_ROOT", "AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME"}
    assert not hidden & found.keys()


def test_extensions_and_function_share_tmp(
    extended: Callable[..., Any], invoke: Callable[..., tuple[Any, str]]
) -> None:
    script = CLIENT + "open('/tmp/said', 'w').write('hello')\n" + LOOP.removeprefix(CLIENT)
    extended(
        {"my-ext": script}, "def handler(event, context):\n    return open('/tmp/said').read()\n"
    )
    assert invoke()[0] == "hello"


INTERNAL = (
    CLIENT
    + """
import threading
found = {"shutdown": register(["SHUTDOWN"], "inner")[2]["errorType"],
         "unknown": register(["NOTHING"], "inner")[2]["errorType"],
         "unnamed": ask("POST", "/2020-01-01/extension/register", {})[0]}
status, me, _ = register(["INVOKE"], "inner")
found["again"] = register(["INVOKE"], "inner")[2]["errorType"]
found["stranger"] = json.loads(ask("GET", "/2020-01-01/extension/event/next",
                                   Lambda_Extension_Identifier="no-one")[2])["errorType"]
found["nobody"] = json.loads(ask("GET", "/2020-01-01/extension/event/next")[2])["errorType"]
found["lost"] = ask("GET", "/2020-01-01/extension/elsewhere")[0]
seen = []
def loop():
    while True:
        seen.append(following(me)["requestId"])
threading.Thread(target=loop, daemon=True).start()
def handler(event, context):
    while context.aws_request_id not in seen:
        pass
    return {**found, "late": register(["INVOKE"], "late")[2]["errorType"]}
"""
)


def test_an_internal_extension_registers_while_the_runtime_initialises(
    make: Make, invoke: Callable[..., tuple[Any, str]], log: Callable[[str], str]
) -> None:
    make("f", INTERNAL, Timeout=10)
    value, _ = invoke()
    assert value == {
        "shutdown": "Extension.InvalidEventType",
        "unknown": "Extension.InvalidEventType",
        "unnamed": 403,
        "again": "Extension.InvalidExtensionState",
        "stranger": "Extension.UnknownExtensionIdentifier",
        "nobody": "Extension.MissingExtensionIdentifier",
        "lost": 404,
        "late": "Extension.RegistrationClosed",
    }
    assert "EXTENSION\tName: inner\tState: Ready\tEvents: [INVOKE]\n" in log("EXTENSION")


def test_extensions_of_later_layers_win_and_all_are_waited_for(
    extended: Callable[..., Any],
    functions: Any,
    invoke: Callable[..., tuple[Any, str]],
    log: Callable[[str], str],
) -> None:
    first = extended({"one": "#!/no/such\n", "two": LOOP})["Layers"][0]["Arn"]
    second_zip = io.BytesIO()
    with zipfile.ZipFile(second_zip, "w") as archive:
        entry = zipfile.ZipInfo("extensions/one")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, LOOP)
    second = functions.publish_layer_version(
        LayerName="second", Content={"ZipFile": second_zip.getvalue()}
    )["LayerVersionArn"]
    functions.update_function_configuration(FunctionName="f", Layers=[first, second])
    assert invoke("a")[0] == "a"
    text = log("Name: two")
    assert "Name: one\tState: Ready" in text and "Name: two\tState: Ready" in text


TELEMETRY = (
    CLIENT
    + """
import http.server, threading
batches = []
class Listener(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        batches.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("sandbox.localdomain", 0), Listener)
threading.Thread(target=server.serve_forever, daemon=True).start()
_, me, _ = register()
URI = f"http://sandbox.localdomain:{server.server_port}/here"
def subscribe(path, version, **more):
    wanted = {"schemaVersion": version, "types": ["platform", "function"],
              "buffering": {"timeoutMs": 25}, "destination": {"protocol": "HTTP", "URI": URI}}
    status, _, body = ask("PUT", path, {**wanted, **more}, Lambda_Extension_Identifier=me)
    return status, json.loads(body)
"""
)
TELLS = """
while True:
    event = following(me)
    if event["eventType"] == "SHUTDOWN":
        print("told", json.dumps(batches))
        break
"""


def _told(text: str) -> list[dict[str, Any]]:
    line = next(each for each in text.splitlines() if each.startswith("told "))
    found: list[dict[str, Any]] = json.loads(line.partition(" ")[2])
    return found


def test_a_telemetry_subscriber_gets_all_events_from_the_beginning_on(
    extended: Callable[..., Any],
    invoke: Callable[..., tuple[Any, str]],
    log: Callable[[str], str],
    functions: Any,
) -> None:
    script = TELEMETRY + "print('got', subscribe('/2022-07-01/telemetry', '2022-12-13'))\n" + TELLS
    source = LOADS.replace(
        "    return",
        "    print('says', event)\n    if event == 'x': raise ValueError('x')\n    return",
    )
    extended({"listener": script}, source)
    assert invoke("a")[0] == "a"
    invoke("x")
    functions.update_function_configuration(FunctionName="f", Description="another")
    text = log("told [")
    assert "got (200, 'OK')" in text
    assert "TELEMETRY\tName: listener\tState: Subscribed\tTypes: [Platform, Function]\n" in text
    told = _told(text)
    types = [event["type"] for event in told]
    # The extension subscribes while the function's code is loaded: in any order, but in time.
    subscribed = types.index("platform.telemetrySubscription")
    assert 0 < subscribed < types.index("platform.extension")
    del types[subscribed]
    expected = [
        "platform.initStart",
        "function",
        "platform.extension",
        "platform.initRuntimeDone",
        "platform.initReport",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.report",
        "platform.start",
    ]
    assert types[: len(expected)] == expected
    by_type: dict[str, list[dict[str, Any]]] = {}
    for event in told:
        assert event["time"].endswith("Z")
        by_type.setdefault(event["type"], []).append(event["record"])
    assert by_type["function"][:2] == ["loading", "says a"]
    start = by_type["platform.initStart"][0]
    assert (start["initializationType"], start["phase"]) == ("on-demand", "init")
    assert (start["functionName"], start["functionVersion"]) == ("f", "$LATEST")
    done, failed = by_type["platform.runtimeDone"]
    assert done["status"] == "success" and done["metrics"]["producedBytes"] == 3
    assert [span["name"] for span in done["spans"]] == [
        "responseLatency",
        "responseDuration",
        "runtimeOverhead",
    ]
    assert (failed["status"], failed["errorType"]) == ("error", "Function.Unknown")
    report = by_type["platform.report"][0]
    assert report["requestId"] == done["requestId"] and report["status"] == "success"
    assert report["metrics"].keys() == {
        "durationMs",
        "billedDurationMs",
        "memorySizeMB",
        "maxMemoryUsedMB",
        "initDurationMs",
    }


KIND = """
import os
def handler(event, context):
    return os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
"""


def test_provisioned_environments_have_their_extensions_ready(
    extended: Callable[..., Any], log: Callable[[str], str], functions: Any
) -> None:
    subscribes = "subscribe('/2022-07-01/telemetry', '2022-12-13')\n"
    own = "print('kind', os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'])\n"
    extended({"listener": TELEMETRY + own + subscribes + TELLS}, KIND)
    functions.publish_version(FunctionName="f")
    whose = {"FunctionName": "f", "Qualifier": "1"}
    functions.put_provisioned_concurrency_config(**whose, ProvisionedConcurrentExecutions=1)
    until(lambda: functions.get_provisioned_concurrency_config(**whose)["Status"] == "READY")
    answer = functions.invoke(**whose, LogType="Tail")
    assert payload(answer) == "provisioned-concurrency"
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert "REPORT RequestId" in tail and "Init Duration" not in tail
    functions.delete_provisioned_concurrency_config(**whose)
    functions.delete_function(**whose)
    text = log("told [")
    assert "kind provisioned-concurrency" in text
    told = [
        each for each in _told(text) if each["type"].startswith(("platform.init", "platform.st"))
    ]
    assert [each["type"] for each in told] == [
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.initReport",
        "platform.start",
    ]
    kinds = {each["record"]["initializationType"] for each in told[:3]}
    assert kinds == {"provisioned-concurrency"}


def _zygotes(raw: Callable[..., Any], arn: str) -> bool:
    """Whether the function has a zygote that is ready."""
    found = json.loads(raw("GET", "/_lambent/functions", body=b"", sign="lambent").body)
    return bool(found.get(arn, {}).get("zygotes"))


@pytest.fixture
def tiers(raw: Callable[..., Any]) -> Callable[[str], list[str]]:
    """`tiers("f")`: those of the invocations of a function, the newest first."""

    def read(name: str) -> list[str]:
        path = f"/_lambent/functions/{name}/invocations"
        found = json.loads(raw("GET", path, body=b"", sign="lambent").body)
        return [each["tier"] for each in found["invocations"]]

    return read


def test_a_warm_functions_environments_have_extensions_of_their_own(
    extended: Callable[..., Any],
    invoke: Callable[..., tuple[Any, str]],
    raw: Callable[..., Any],
    tiers: Callable[[str], list[str]],
    functions: Any,
    log: Callable[[str], str],
) -> None:
    source = (
        "import os, signal, sys, uuid\nMADE = str(uuid.uuid4())\n"
        "def end(*_):\n    print('asked to end', flush=True)\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\ndef handler(event, context):\n"
        "    if event == 'die':\n        os._exit(1)\n    return MADE\n"
    )
    # The client of older Pythons handles no signal while it waits for an invocation.
    arn = extended({"my-ext": LOOP}, source, Runtime="python3.12")["FunctionArn"]
    raw("PUT", "/_lambent/tiers/f", body=b'{"tier": "warm"}', sign="lambent")
    until(lambda: _zygotes(raw, arn))
    (one, tail), _, (two, _) = (invoke(event) for event in ("a", "die", "b"))
    assert one == two and len(_events(tail)) == 1
    assert tiers("f") == ["warm", "hot", "warm"]
    functions.update_function_configuration(FunctionName="f", Description="another")
    text = log("spindown")
    assert text.count("registering my-ext") == 2
    assert text.index("asked to end") < text.index("spindown")
    reasons = [each["shutdownReason"] for each in _events(text) if "shutdownReason" in each]
    assert reasons == ["failure", "spindown"]


def test_a_version_with_snapstart_and_extensions_is_initialised_with_them(
    extended: Callable[..., Any],
    functions: Any,
    log: Callable[[str], str],
    tiers: Callable[[str], list[str]],
) -> None:
    extended({"my-ext": LOOP}, KIND, SnapStart={"ApplyOn": "PublishedVersions"})
    functions.publish_version(FunctionName="f")
    waiter = functions.get_waiter("published_version_active")
    waiter.wait(FunctionName="f", Qualifier="1", WaiterConfig={"Delay": 0.05, "MaxAttempts": 400})
    answer = functions.invoke(FunctionName="f", Qualifier="1", LogType="Tail")
    assert payload(answer) == "snap-start"
    assert "State: Ready" in log("EXTENSION")
    assert len(_events(base64.b64decode(answer["LogResult"]).decode())) == 1
    assert tiers("f:1") == ["snap-start"]


def test_a_warm_function_with_layers_is_forked_with_what_these_loaded(
    functions: Any, make: Make, raw: Callable[..., Any], tiers: Callable[[str], list[str]]
) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("python/shared.py", "import uuid\nLOADED = str(uuid.uuid4())\n")
        archive.writestr("words.txt", "from the layer")
    layer = functions.publish_layer_version(
        LayerName="shared", Content={"ZipFile": data.getvalue()}
    )["LayerVersionArn"]
    source = (
        "import os, shared\ndef handler(event, context):\n"
        "    if event == 'die':\n        os._exit(1)\n"
        "    return [shared.LOADED, open('/opt/words.txt').read()]\n"
    )
    arn = make("f", source, Layers=[layer], Timeout=10)["FunctionArn"]
    raw("PUT", "/_lambent/tiers/f", body=b'{"tier": "warm"}', sign="lambent")
    until(lambda: _zygotes(raw, arn))
    one, _, two = (
        payload(functions.invoke(FunctionName="f", Payload=event))
        for event in (b"1", b'"die"', b"1")
    )
    assert one == two and one[1] == "from the layer"
    assert tiers("f") == ["warm", "hot", "warm"]


def test_the_logs_api_shows_the_older_events(
    extended: Callable[..., Any],
    invoke: Callable[..., tuple[Any, str]],
    log: Callable[[str], str],
    functions: Any,
) -> None:
    script = TELEMETRY + "print('got', subscribe('/2020-08-15/logs', '2020-08-15'))\n" + TELLS
    extended({"listener": script})
    invoke("a")
    functions.update_function_configuration(FunctionName="f", Description="another")
    text = log("told [")
    assert "LOGS\tName: listener\tState: Subscribed\tTypes: [Platform, Function]\n" in text
    types = [event["type"] for event in _told(text)]
    assert "platform.logsSubscription" in types and "platform.end" in types
    assert "platform.runtimeDone" not in types and "platform.initReport" not in types


def test_a_subscription_is_validated(
    extended: Callable[..., Any], invoke: Callable[..., tuple[Any, str]], log: Callable[[str], str]
) -> None:
    script = (
        TELEMETRY
        + """
T = "/2022-07-01/telemetry"
to = lambda **more: {"destination": {"protocol": "HTTP", "URI": URI, **more}}
print("refused", json.dumps([
    subscribe(T, "2020-01-01"), subscribe(T, "2022-07-01", types=[]),
    subscribe(T, "2022-07-01", types=["weather"]),
    subscribe(T, "2022-07-01", buffering={"timeoutMs": 24}),
    subscribe(T, "2022-07-01", buffering={"maxBytes": 2 << 20, "maxItems": 1}),
    subscribe(T, "2022-07-01", **to(URI="http://example.com:80")),
    subscribe(T, "2022-07-01", **to(URI="http://sandbox.localdomain")),
    subscribe(T, "2022-07-01", **to(URI="http://sandbox.localdomain:9001")),
    subscribe(T, "2022-07-01", **to(protocol="UDP")),
    subscribe(T, "2022-07-01", destination=None),
]))
subscribe(T, "2022-07-01")
print("other", subscribe("/2020-08-15/logs", "2020-08-15"), subscribe(T, "2022-07-01"))
"""
        + TELLS.replace(
            "    event = following(me)",
            "    event = following(me)\n"
            "    print('late', subscribe(T, '2022-07-01')[1]['errorType'])",
            1,
        )
    )
    extended({"listener": script})
    invoke()
    text = log("late ")
    line = next(each for each in text.splitlines() if each.startswith("refused "))
    refused = json.loads(line.partition(" ")[2])
    assert {status for status, _ in refused} == {400}
    assert {body["errorType"] for _, body in refused} == {"Telemetry.ValidationError"}
    assert [body["errorMessage"] for _, body in refused] == [
        "schemaVersion should be one of 2022-07-01, 2022-12-13, 2025-01-29",
        "types should not be empty",
        "unknown type weather",
        "buffering.timeoutMs should be between 25 and 30000",
        "buffering.maxItems should be between 1000 and 10000; "
        "buffering.maxBytes should be between 262144 and 1048576",
        "URI host should be sandbox.localdomain",
        "URI port is not provided",
        "port 9001 is reserved",
        "protocol should be HTTP or TCP",
        "destination should be an object",
    ]
    assert "other (400, {'errorMessage': 'the extension is subscribed to the Telemetry API" in text
    assert text.count("TELEMETRY\tName: listener") == 1
    assert "late Telemetry.SubscriptionClosed" in text
