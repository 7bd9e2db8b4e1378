"""Bodies that come packed, too large, or in CBOR, and requests that are hardly HTTP."""

from __future__ import annotations

import gzip
import json

import pytest
from tests.support.http import Raw

from lambent.gateway.packed import unpacked

SEND = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.ListQueues"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GZIP = {"Content-Encoding": "gzip"}
MIB = 1024 * 1024


@pytest.fixture
def send(local) -> Raw:
    return Raw(local.endpoint, "123456789012")


def test_a_packed_document_is_unpacked(local, send):
    body = gzip.compress(json.dumps({"QueueNamePrefix": "packed"}).encode())
    assert send("POST", "/", body, {**SEND, **GZIP}, sign="sqs").status == 200
    assert local.calls.last[2] == {"QueueNamePrefix": "packed"}


@pytest.mark.parametrize("signed", ["sts", None])
def test_a_packed_form_is_unpacked(local, send, signed):
    body = gzip.compress(b"Action=GetCallerIdentity&Version=2011-06-15")
    assert send("POST", "/", body, {**FORM, **GZIP}, sign=signed).status == 200
    assert local.calls.last[0] == "GetCallerIdentity"


@pytest.mark.parametrize(
    "body",
    [b"{}", gzip.compress(b"{}" * 500)[:-9], b"\x1f\x8b"],
    ids=["plain", "cut off", "two bytes"],
)
def test_what_is_not_packed_as_it_says_is_refused(send, body):
    answer = send("POST", "/", body, {**SEND, **GZIP}, sign="sqs")
    assert answer.status == 400
    assert "SerializationException" in answer.text


def test_what_unpacks_to_too_much_is_refused(send):
    body = gzip.compress(b" " * (64 * MIB))
    answer = send("POST", "/", body, {**SEND, **GZIP}, sign="sqs")
    assert (answer.status, "RequestEntityTooLarge" in answer.text) == (413, True)


def test_unpacking_stops_at_the_limit():
    assert unpacked(gzip.compress(b"a" * 100), 100) == b"a" * 100
    assert unpacked(gzip.compress(b"a" * 101), 100) is None
    assert unpacked(gzip.compress(b"a" * 60) + gzip.compress(b"a" * 60), 100) is None
    assert unpacked(gzip.compress(b"a") + gzip.compress(b"b"), 100) == b"ab"
    assert unpacked(b"", 100) == b""


def test_what_s3_stores_stays_packed(local, send):
    body = gzip.compress(b"x")
    assert send("PUT", "/bucket/key", body, GZIP, sign="s3").status == 200
    assert local.calls.last[2]["read"] == body
    assert local.calls.last[2]["ContentEncoding"] == "gzip"


@pytest.mark.parametrize(
    ("path", "headers", "sign", "status", "code"),
    [
        ("/", SEND, "sqs", 413, "RequestEntityTooLargeException"),
        ("/bucket?delete", {}, "s3", 400, "MaxMessageLengthExceeded"),
    ],
)
def test_a_document_too_large_is_refused_unread(raw, path, headers, sign, status, code):
    announced = {**headers, "Content-Length": str(21 * MIB), "Expect": "100-continue"}
    answer = raw("POST", path, b"", announced, sign=sign)
    assert (answer.status, code in answer.text) == (status, True)


def test_cbor_is_told_by_its_header(send):
    headers = {"Smithy-Protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"}
    path = "/service/GraniteServiceVersion20100801/operation/ListMetrics"
    answer = send("POST", path, b"\xa0", headers, sign="monitoring")
    assert (answer.status, answer.headers["smithy-protocol"]) == (501, "rpc-v2-cbor")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"CONNECT example:80 HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: \xb2\r\n\r\n", 400),
        (
            b"PUT /b/k HTTP/1.1\r\nHost: x\r\nX-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD"
            b"-TRAILER\r\nX-Amz-Decoded-Content-Length: \xb2\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"GET /b/k?AWSAccessKeyId=x&Signature=x&Expires=%C2%B2 HTTP/1.1\r\nHost: x\r\n\r\n", 403),
        (
            b"GET /b/k?AWSAccessKeyId=x&Signature=x&Expires=" + b"9" * 5000 + b" HTTP/1.1\r\n"
            b"Host: x\r\n\r\n",
            403,
        ),
    ],
)
def test_hardly_http_is_refused(send, caplog, head, status):
    with send.socket() as connection:
        connection.sendall(head)
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert not caplog.records


def test_an_error_to_head_has_no_body(raw):
    with raw.socket() as connection:
        head = b"HEAD /b/k?AWSAccessKeyId=x&Signature=x&Expires=1 HTTP/1.1\r\nHost: x\r\n"
        connection.sendall(head + b"Connection: close\r\n\r\n")
        answer = b""
        while data := connection.recv(4096):
            answer += data
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert answer.endswith(b"\r\n\r\n") and b"<Error>" not in answer


def test_a_download_that_its_client_breaks_off_is_no_defect(raw, client, caplog):
    s3 = client("s3")
    s3.create_bucket(Bucket="broken-off")
    s3.put_object(Bucket="broken-off", Key="k", Body=b"x" * 5_000_000)
    headers = raw.signed("s3", "GET", "/broken-off/k", b"", {"Host": raw.endpoint[7:]})
    lines = [f"{name}: {value}" for name, value in headers.items()]
    for _ in range(20):
        with raw.socket() as connection:
            head = "\r\n".join(["GET /broken-off/k HTTP/1.1", *lines, "", ""])
            connection.sendall(head.encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    assert s3.head_object(Bucket="broken-off", Key="k")["ContentLength"] == 5_000_000
    assert not caplog.records
