"""Archives and handlers that mean no good: each gets AWS's error, and other functions go on."""

from __future__ import annotations

import base64
import io
import stat
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import ECHO, ROLE, Make, archive, payload, until

from lambent.core.clock import VirtualClock

CORRUPT = "Could not unzip uploaded file. Please check your file, then try to upload again."
LINK = stat.S_IFLNK | 0o777


def _packed(files: dict[str, str], links: tuple[str, ...] = ()) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (LINK if name in links else 0o644) << 16
            archive.writestr(entry, text)
    return data.getvalue()


def _bomb() -> bytes:
    """An archive that says of itself that it is too large."""
    said = 262_144_000 - len(ECHO)
    packed = _packed({"index.py": ECHO, "zeros": "0" * 100_000})
    return packed.replace((100_000).to_bytes(4, "little"), said.to_bytes(4, "little"))


@pytest.fixture
def goes_on(make: Make, functions: Any) -> Callable[[], None]:
    make("other")

    def check() -> None:
        assert payload(functions.invoke(FunctionName="other", Payload=b'"fine"')) == "fine"

    return check


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (_bomb(), "Unzipped size must be smaller than 262144000 bytes"),
        (_packed({"index.py": ECHO, "../out": "x"}), CORRUPT),
        (_packed({"index.py": ECHO, "/etc/out": "x"}), CORRUPT),
        (_packed({"index.py": ECHO, "link": "/etc/passwd"}, ("link",)), CORRUPT),
        (_packed({"index.py": ECHO, "up": "../../secret"}, ("up",)), CORRUPT),
        (_packed({"index.py": ECHO})[:40], CORRUPT),
        (_packed({}), "Uploaded file must be a non-empty zip"),
    ],
    ids=["bomb", "up", "absolute", "link out", "link up", "half", "empty"],
)
def test_an_archive_that_means_no_good_is_refused(
    functions: Any, make: Make, goes_on: Callable[[], None], packed: bytes, message: str
) -> None:
    make("mine")
    content = {"ZipFile": packed}
    for call in (
        lambda: make("bad", Code=content),
        lambda: functions.update_function_code(FunctionName="mine", **content),
        lambda: functions.publish_layer_version(LayerName="bad", Content=content),
    ):
        with pytest.raises(ClientError) as refused:
            call()
        error = refused.value.response["Error"]
        assert (error["Code"], error["Message"]) == ("InvalidParameterValueException", message)
    assert payload(functions.invoke(FunctionName="mine", Payload=b"1")) == 1
    assert not functions.list_layers()["Layers"]
    goes_on()


@pytest.mark.parametrize(
    ("handler", "kind", "message"),
    [
        ("index.nothing", "HandlerNotFound", "Handler 'nothing' missing on module 'index'"),
        (
            "nothing.handler",
            "ImportModuleError",
            "Unable to import module 'nothing': No module named 'nothing'",
        ),
        (
            "index",
            "MalformedHandlerName",
            "Bad handler 'index': not enough values to unpack (expected 2, got 1)",
        ),
    ],
)
def test_a_handler_that_does_not_exist_is_told(
    functions: Any,
    make: Make,
    goes_on: Callable[[], None],
    handler: str,
    kind: str,
    message: str,
) -> None:
    make("f", Handler=handler)
    answer = functions.invoke(FunctionName="f")
    told = payload(answer)
    assert answer["FunctionError"] == "Unhandled"
    assert (told["errorType"], told["errorMessage"]) == (f"Runtime.{kind}", message)
    goes_on()


def test_a_runtime_that_never_asks_for_an_invocation_runs_into_the_timeout(
    fresh_node: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    clock = VirtualClock()
    node = fresh_node(clock=clock)
    functions = connect(node.endpoint, "lambda")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as file:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        file.writestr(entry, "#!/bin/sh\nexec sleep 1000\n")
    for name, runtime, zipped in (
        ("silent", "provided.al2023", code.getvalue()),
        ("other", "python3.11", archive(ECHO)),
    ):
        functions.create_function(
            FunctionName=name,
            Runtime=runtime,
            Role=ROLE,
            Handler="index.handler",
            Timeout=3,
            Code={"ZipFile": zipped},
        )
    with ThreadPoolExecutor(1) as pool:
        invoked = pool.submit(functions.invoke, FunctionName="silent", LogType="Tail")

        def done() -> bool:
            node.run(clock.advance(0.5))
            return invoked.done()

        until(done)
    told = payload(invoked.result())
    assert told["errorType"] == "Sandbox.Timedout"
    assert told["errorMessage"].endswith("Task timed out after 3.00 seconds")
    log = base64.b64decode(invoked.result()["LogResult"]).decode()
    assert "Status: timeout" in log
    answer = functions.invoke(FunctionName="other", Payload=b'"fine"')
    assert payload(answer) == "fine"
