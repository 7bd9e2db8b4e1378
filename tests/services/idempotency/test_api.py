"""Keyed outcomes over HTTP: for functions, with their own credentials."""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import archive, payload
from tests.support.http import Raw
from tests.support.nodes import ThreadNode

from lambent.core.clock import VirtualClock

Ask = Callable[..., tuple[int, Any]]


def asker(raw: Raw) -> Ask:
    def ask(action: str, method: str = "POST", scope: str = "orders", **body: Any) -> Any:
        data = json.dumps(body).encode() if method == "POST" else b""
        answer = raw(method, f"/_lambent/idempotency/{scope}/{action}", data, sign="lambent")
        return answer.status, json.loads(answer.text)

    return ask


@pytest.fixture
def ask(raw: Raw) -> Ask:
    return asker(raw)


def test_what_is_done_gives_its_outcome(ask: Ask) -> None:
    status, begun = ask("begin", key="a")
    assert (status, begun["state"]) == (200, "started")
    status, other = ask("begin", key="a")
    assert (status, other["code"]) == (409, "IdempotencyInProgress")
    assert 0 < other["retry_after"] <= 60 and "token" not in other
    assert ask("entry?key=a", "GET")[1]["state"] == "in_progress"
    done = ask("finish", key="a", token=begun["token"], outcome={"total": [1, "ä"]})
    assert done == (200, {"state": "done"})
    status, again = ask("begin", key="a")
    assert (status, again["state"], again["outcome"]) == (200, "done", {"total": [1, "ä"]})
    assert ask("entry?key=a", "DELETE") == (200, {"forgotten": True})
    assert ask("entry?key=a", "GET")[0] == 404
    assert ask("begin", key="a")[1]["state"] == "started"
    assert ask("begin", key="a", scope="other")[1]["state"] == "started"


def test_what_failed_may_be_begun_again(ask: Ask) -> None:
    token = ask("begin", key="a")[1]["token"]
    assert ask("abandon", key="a", token="wrong")[0] == 409
    assert ask("extend", key="a", token=token, hold=90)[0] == 200
    assert ask("abandon", key="a", token=token)[0] == 200
    assert ask("finish", key="a", token=token)[1]["code"] == "IdempotencyNotHeld"
    assert ask("begin", key="a")[1]["state"] == "started"


def test_another_payload_under_the_same_key_is_an_error(ask: Ask) -> None:
    token = ask("begin", key="a", payload={"x": 1, "y": 2})[1]["token"]
    ask("finish", key="a", token=token)
    assert ask("begin", key="a", payload={"y": 2, "x": 1})[1]["state"] == "done"
    status, mismatch = ask("begin", key="a", payload={"x": 2})
    assert (status, mismatch["code"]) == (422, "IdempotencyMismatch")


def test_of_many_at_once_one_begins(ask: Ask) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: ask("begin", key="a")[0], range(16)))
    assert sorted(found) == [200] + [409] * 15


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"key": ""},
        {"key": "x" * 2049},
        {"key": 1},
        {"key": "a", "hold": 0},
        {"key": "a", "hold": 1e9},
        {"key": "a", "expires": -1},
        {"key": "a", "other": 1},
    ],
    ids=lambda body: str(body)[:40],
)
def test_what_makes_no_sense_is_refused(ask: Ask, body: dict[str, Any]) -> None:
    status, answer = ask("begin", **body)
    assert (status, answer["code"]) == (400, "ValidationException")


def test_unknown_places_are_not_there(ask: Ask) -> None:
    assert ask("explode")[0] == 404
    assert ask("begin", "GET")[0] == 404
    assert ask("begin", scope="", key="a")[0] == 400
    assert ask("entry", "GET")[0] == 400


def test_deadlines_and_expiry_are_kept(fresh_node: Callable[..., ThreadNode], account: str) -> None:
    clock = VirtualClock()
    node = fresh_node(clock=clock, data_dir=None)
    ask = asker(Raw(node.endpoint, account))
    ask("begin", key="crashed", hold=30)
    token = ask("begin", key="done", hold=30)[1]["token"]
    ask("finish", key="done", token=token, expires=7200)
    node.run(clock.advance(31))
    assert ask("begin", key="crashed")[1]["state"] == "started"
    node.run(clock.advance(3600))
    assert ask("begin", key="done")[1]["state"] == "done"
    node.run(clock.advance(3600))
    assert ask("begin", key="done")[1]["state"] == "started"


def test_it_survives_kill_9(node_process: Callable[..., Any], account: str) -> None:
    node = node_process()
    ask = asker(Raw(node.endpoint, account))
    token = ask("begin", key="a")[1]["token"]
    node.kill()
    node.start()
    ask = asker(Raw(node.endpoint, account))
    assert ask("begin", key="a")[0] == 409
    assert ask("finish", key="a", token=token, outcome=1)[0] == 200
    node.kill()
    node.start()
    assert asker(Raw(node.endpoint, account))("begin", key="a")[1]["outcome"] == 1


CALLS = """
import json, os, urllib.request
import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

def handler(event, context):
    url = os.environ["AWS_ENDPOINT_URL"] + event["path"]
    request = AWSRequest("POST", url, data=json.dumps({"key": "a"}).encode())
    credentials = botocore.session.Session().get_credentials().get_frozen_credentials()
    SigV4Auth(credentials, "lambent", os.environ["AWS_REGION"]).add_auth(request)
    try:
        asked = urllib.request.Request(url, request.data, dict(request.headers))
        return json.load(urllib.request.urlopen(asked))
    except urllib.error.HTTPError as error:
        return error.code
"""


def test_in_server_mode_a_function_may_call_it_and_nothing_else_of_that_api(
    fresh_node: Callable[..., ThreadNode], connect: Callable[..., Any]
) -> None:
    node = fresh_node(auth=True)
    key = node.administrator
    assert key is not None
    functions = connect(node.endpoint, "lambda", access_key=key.id, secret=key.secret)
    iam = connect(node.endpoint, "iam", access_key=key.id, secret=key.secret)
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
                            "Action": "sts:AssumeRole"}]}  # fmt: skip
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    functions.create_function(
        FunctionName="f",
        Runtime="python3.11",
        Role=role,
        Handler="index.handler",
        Timeout=20,
        Code={"ZipFile": archive(CALLS)},
    )

    def call(path: str) -> Any:
        event = json.dumps({"path": path}).encode()
        return payload(functions.invoke(FunctionName="f", Payload=event))

    assert call("/_lambent/idempotency/orders/begin")["state"] == "started"
    assert call("/_lambent/idempotency/orders/begin") == 409
    assert call("/_lambent/dlq/queues/q/replay") == 403
    unsigned = Raw(node.endpoint, "x")("POST", "/_lambent/idempotency/orders/begin", b"{}")
    assert unsigned.status == 403
