"""Runtimes that break the Runtime API's rules: each gets AWS's error, and the rest goes on."""

from __future__ import annotations

from tests.host.runtimes.conftest import Define

RUDE = """#!/usr/bin/python3 -S
import http.client, json, os, socket, sys
address = os.environ["AWS_LAMBDA_RUNTIME_API"]
PREFIX = "/2018-06-01/runtime/"
HALF = b"POST %s HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 99\\r\\n\\r\\nxx"
api = http.client.HTTPConnection(address)
def ask(method, path, body=None):
    api.request(method, PREFIX + path, body)
    answer = api.getresponse()
    return answer.status, json.loads(answer.read())
def raw(data):
    host, port = address.split(":")
    with socket.create_connection((host, int(port))) as other:
        other.sendall(data)
before = None
while True:
    api.request("GET", PREFIX + "invocation/next")
    got = api.getresponse()
    event, me = json.loads(got.read()), got.headers["Lambda-Runtime-Aws-Request-Id"]
    mine = f"invocation/{me}/response"
    if event == "twice":
        ask("POST", mine, '"first"')
        before = [ask("POST", mine, '"second"'), ask("POST", f"invocation/{me}/error", "{}")]
        continue
    if event == "other":
        told = [ask("POST", "invocation/6f0d2c2e-0000-4000-8000-000000000000/response", '"x"')]
    elif event == "next":
        told = [ask("GET", "invocation/next"), ask("POST", "init/error", "{}")]
    elif event == "garbage":
        raw(bytes(range(256)) * 40)
        sys.stdout.buffer.write(bytes(range(256)) * 40 + b"\\n")
        sys.stdout.flush()
        told = "heard"
    elif event == "midway":
        raw(HALF % (PREFIX + mine).encode())
        told = "on another connection"
    elif event == "vanish":
        raw(HALF % (PREFIX + mine).encode())
        os._exit(0)
    else:
        told = before
    ask("POST", mine, json.dumps(told))
"""
INVALID_ID = [400, {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}]


def test_a_second_answer_is_refused_and_the_first_one_stands(define: Define) -> None:
    rude = define("provided.al2023", "x", {"bootstrap": RUDE})
    assert rude("twice").value == "first"
    assert rude("what was said").value == [INVALID_ID, INVALID_ID]


def test_an_answer_for_another_request_is_refused(define: Define) -> None:
    rude = define("provided.al2023", "x", {"bootstrap": RUDE})
    assert rude("other").value == [INVALID_ID]


def test_what_does_not_fit_the_state_is_refused(define: Define) -> None:
    rude = define("provided.al2023", "x", {"bootstrap": RUDE})
    refused = rude("next").value
    assert [(status, body["errorType"]) for status, body in refused] == [
        (403, "InvalidStateTransition")
    ] * 2


def test_garbage_on_socket_and_output_harms_nothing(define: Define) -> None:
    rude = define("provided.al2023", "x", {"bootstrap": RUDE})
    answer = rude("garbage")
    assert (answer.value, answer.error) == ("heard", None)
    assert "REPORT RequestId" in answer.log


def test_a_connection_that_ends_within_an_answer_is_no_answer(define: Define) -> None:
    rude = define("provided.al2023", "x", {"bootstrap": RUDE})
    assert rude("midway").value == "on another connection"
    gone = rude("vanish")
    assert gone.error == "Unhandled"
    assert gone.value["errorType"] == "Runtime.ExitError"
    assert gone.value["errorMessage"].endswith("Runtime exited without providing a reason")
    assert rude("garbage").value == "heard"  # in a new environment
