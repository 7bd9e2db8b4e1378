"""A whole node: what outlives it, how it ends, whom it lets in."""

from __future__ import annotations

import json
import re
import socket
import stat

import pytest
from botocore.exceptions import ClientError
from tests.support.http import Raw

from lambent.core.errors import StartupError


def until(condition):
    """Ask again until it holds; each asking is a turn of the node's loop."""
    for _ in range(100_000):
        if condition():
            return
    raise AssertionError("It never held")


def polls(node):
    """How many long polls the node has in work."""
    return node.call(
        lambda: sum(
            c._current is not None and c._current.abandonable for c in node.node.server.connections
        )
    )


def long_poll(raw: Raw, url: str) -> socket.socket:
    body = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 20}).encode()
    head = (
        "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\n"
        "Content-Type: application/x-amz-json-1.0\r\nAuthorization: AWS4-HMAC-SHA256 "
        f"Credential={raw.access_key}/20260101/us-east-1/sqs/aws4_request, "
        "SignedHeaders=host, Signature=0\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    waiting = raw.socket()
    waiting.sendall(head.encode() + body)
    return waiting


def test_a_long_poll_whose_client_left_takes_no_message(fresh_node, connect, account):
    node = fresh_node()
    sqs = connect(node.endpoint, "sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    waiting = long_poll(Raw(node.endpoint, account), url)
    until(lambda: polls(node) == 1)
    waiting.close()
    until(lambda: polls(node) == 0)
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "hello"


def test_a_node_with_a_long_poll_in_work_stops_without_waiting_for_it(fresh_node, connect, account):
    node = fresh_node()
    url = connect(node.endpoint, "sqs").create_queue(QueueName="q")["QueueUrl"]
    with long_poll(Raw(node.endpoint, account), url) as waiting:
        until(lambda: polls(node) == 1)
        node.stop()
        assert waiting.recv(1) == b""


def test_what_was_acknowledged_outlives_kill(node_process, connect):
    node = node_process()
    sqs = connect(node.endpoint, "sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    node.kill()
    node.start()
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "hello"


def test_the_administrator_s_key_is_told_once_and_stays_good(fresh_node, connect):
    node = fresh_node(auth=True)
    key = node.node.administrator
    assert key is not None
    assert key.secret not in repr(key)
    node.restart()
    assert node.node.administrator is None
    sts = connect(node.endpoint, "sts", access_key=key.id, secret=key.secret)
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{key.account}:root"


def test_in_server_mode_an_account_s_number_is_no_credential(fresh_node, connect):
    node = fresh_node(auth=True)
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        connect(node.endpoint, "sqs").list_queues()


def test_health_says_what_runs(fresh_node):
    node = fresh_node(auth=True)
    health = json.loads(Raw(node.endpoint, "")("GET", "/_lambent/health").body)
    assert health["status"] == "ok"
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", health["version"])
    assert health["uptime_seconds"] >= 0
    assert health["store"].startswith("sqlite ")
    assert {"sqs", "s3", "lambda", "dynamodb"} <= set(health["services"])


def test_the_data_folder_is_its_owner_s_alone(fresh_node, tmp_path):
    fresh_node(data_dir=tmp_path / "data")
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_port_in_use_leaves_the_data_folder_free(fresh_node, tmp_path):
    first = fresh_node(data_dir=tmp_path / "one")
    with pytest.raises(StartupError, match="already in use"):
        fresh_node(data_dir=tmp_path / "two", port=first.port)
    fresh_node(data_dir=tmp_path / "two")


def test_nothing_of_a_throw_away_node_is_left(fresh_node):
    node = fresh_node(data_dir=None)
    assert Raw(node.endpoint, "x")("GET", "/_lambent/health").status == 200
    cache = node.node.cache
    assert cache.is_dir()
    node.stop()
    assert not cache.exists()
