"""Signatures, with botocore as the signer."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import io
import re
from typing import Any
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.exceptions import ClientError
from tests.gateway.conftest import ADMINISTRATOR, ENDED, INACTIVE, SESSION, USER
from tests.support.http import Raw

from lambent.core import checksums

JSON = {"Content-Type": "application/x-amz-json-1.0"}


def signer(gateway: Any, key: Any = ADMINISTRATOR, **changes: Any) -> Raw:
    known = {"secret": key.secret, "token": key.session_token or None, **changes}
    return Raw(gateway.endpoint, known.pop("access_key", key.id), **known)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let botocore sign as if `seconds` from now."""

    def shift(seconds: float) -> None:
        then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)  # noqa: TID251
        monkeypatch.setattr(
            botocore.auth, "get_current_datetime", lambda **_: then.replace(tzinfo=None)
        )

    return shift


def sqs(raw: Raw, **arguments: Any) -> Any:
    headers = {**JSON, "X-Amz-Target": "AmazonSQS.ListQueues"}
    return raw("POST", "/", b"{}", headers, sign="sqs", **arguments)


def code(answer: Any) -> str:
    """The error's code as botocore would find it."""
    query_error = answer.headers.get("x-amzn-query-error")
    if query_error is not None:
        return query_error.partition(";")[0]
    found = re.search(r"<Code>(.*?)</Code>", answer.text) or re.search(
        r'"__type": ?"(?:.*#)?(.*?)"', answer.text
    )
    return found[1] if found else answer.headers.get("x-amzn-errortype", "").partition(":")[0]


# Headers ---------------------------------------------------------------------------------


def test_a_signed_request_acts_as_its_key(server):
    assert sqs(signer(server)).status == 200
    context = server.calls.last[1]
    assert (context.account, context.principal) == (ADMINISTRATOR.account, ADMINISTRATOR.principal)
    assert context.access_key == ADMINISTRATOR.id


def test_a_session_s_key_needs_its_token(server):
    assert sqs(signer(server, SESSION)).status == 200
    assert code(sqs(signer(server, SESSION, token=None))) == "InvalidClientTokenId"
    assert code(sqs(signer(server, SESSION, token="another"))) == "InvalidClientTokenId"


@pytest.mark.parametrize(
    ("service", "key", "changes", "status", "expected"),
    [
        ("sqs", ADMINISTRATOR, {"secret": "wrong"}, 403, "SignatureDoesNotMatch"),
        ("sqs", ADMINISTRATOR, {"access_key": "AKIANOBODY"}, 403, "InvalidClientTokenId"),
        ("sqs", INACTIVE, {}, 403, "InvalidClientTokenId"),
        ("sqs", ENDED, {}, 403, "ExpiredToken"),
        ("dynamodb", ADMINISTRATOR, {"secret": "wrong"}, 400, "InvalidSignatureException"),
        ("dynamodb", ADMINISTRATOR, {"access_key": "X"}, 400, "UnrecognizedClientException"),
        ("dynamodb", ENDED, {}, 400, "ExpiredTokenException"),
        ("lambda", ADMINISTRATOR, {"secret": "wrong"}, 403, "InvalidSignatureException"),
        ("lambda", ADMINISTRATOR, {"access_key": "X"}, 403, "UnrecognizedClientException"),
        ("s3", ADMINISTRATOR, {"secret": "wrong"}, 403, "SignatureDoesNotMatch"),
        ("s3", ADMINISTRATOR, {"access_key": "X"}, 403, "InvalidAccessKeyId"),
        ("s3", ADMINISTRATOR, {"token": "any"}, 400, "InvalidToken"),
        ("s3", ENDED, {}, 400, "ExpiredToken"),
    ],
)
def test_who_does_not_hold_the_secret_is_refused(server, service, key, changes, status, expected):
    method, path, headers = {
        "sqs": ("POST", "/", {**JSON, "X-Amz-Target": "AmazonSQS.ListQueues"}),
        "dynamodb": ("POST", "/", {**JSON, "X-Amz-Target": "DynamoDB_20120810.ListTables"}),
        "lambda": ("GET", "/2015-03-31/functions", {}),
        "s3": ("GET", "/bucket/key", {"X-Amz-Content-SHA256": hashlib.sha256(b"").hexdigest()}),
    }[service]
    answer = signer(server, key, **changes)(method, path, headers=headers, sign=service)
    assert (answer.status, code(answer)) == (status, expected)
    assert not server.calls.made


@pytest.mark.parametrize(
    ("request_", "status", "expected"),
    [
        (
            ("POST", "/", b"{}", {**JSON, "X-Amz-Target": "AmazonSQS.ListQueues"}),
            403,
            "MissingAuthenticationToken",
        ),
        (
            ("POST", "/", b"{}", {**JSON, "X-Amz-Target": "DynamoDB_20120810.ListTables"}),
            400,
            "MissingAuthenticationTokenException",
        ),
        (("GET", "/2015-03-31/functions"), 403, "MissingAuthenticationTokenException"),
        (("GET", "/bucket/key"), 403, "AccessDenied"),
        (("GET", "/bucket/key", b"", {"Authorization": "Basic eA=="}), 400, "InvalidArgument"),
        (("GET", "/bucket/key", b"", {"Authorization": "AWS AKIA:sig="}), 400, "InvalidRequest"),
        (("GET", "/bucket/key?AWSAccessKeyId=A&Expires=9&Signature=x"), 400, "InvalidRequest"),
        (
            ("GET", "/bucket/key", b"", {"Authorization": "AWS4-HMAC-SHA256 Credential=x"}),
            400,
            "AuthorizationHeaderMalformed",
        ),
    ],
)
def test_who_does_not_sign_is_refused(server, request_, status, expected):
    answer = Raw(server.endpoint, "x")(*request_)
    assert (answer.status, code(answer)) == (status, expected)


def test_a_mismatch_on_s3_shows_what_was_to_be_signed(server):
    empty = hashlib.sha256(b"").hexdigest()
    raw = signer(server, secret="wrong")
    answer = raw("GET", "/bucket/key", headers={"X-Amz-Content-SHA256": empty}, sign="s3")
    for name in ("AWSAccessKeyId", "StringToSign", "SignatureProvided", "CanonicalRequest"):
        assert f"<{name}>" in answer.text


@pytest.mark.parametrize("seconds", [-16 * 60, 16 * 60])
def test_a_clock_that_is_far_off_is_refused(server, at, seconds):
    at(seconds)
    assert code(sqs(signer(server))) == "SignatureDoesNotMatch"
    answer = signer(server)(
        "GET", "/b/k", headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}, sign="s3"
    )
    assert (answer.status, code(answer)) == (403, "RequestTimeTooSkewed")


@pytest.mark.parametrize("seconds", [-14 * 60, 14 * 60])
def test_a_clock_that_is_a_little_off_is_not(server, at, seconds):
    at(seconds)
    assert sqs(signer(server)).status == 200


def test_what_was_signed_cannot_be_changed(server):
    raw = signer(server)
    place = urlsplit(raw.endpoint).netloc
    headers = {**JSON, "X-Amz-Target": "AmazonSQS.ListQueues", "Host": place}
    signed = raw.signed("sqs", "POST", "/", b"{}", headers)
    assert raw("POST", "/", b"{}", signed).status == 200
    assert code(raw("POST", "/", b'{"a":1}', signed)) == "SignatureDoesNotMatch"
    assert code(raw("POST", "/?x=1", b"{}", signed)) == "SignatureDoesNotMatch"
    changed = {**signed, "X-Amz-Target": "AmazonSQS.ListDeadLetterSourceQueues"}
    assert code(raw("POST", "/", b"{}", changed)) in ("SignatureDoesNotMatch", "NotImplemented")


def test_a_signature_is_good_for_its_own_service_only(server):
    headers = {**JSON, "X-Amz-Target": "AmazonSQS.ListQueues"}
    answer = signer(server)("POST", "/", b"{}", headers, sign="sns")
    assert (answer.status, code(answer)) == (403, "SignatureDoesNotMatch")


def test_a_payload_other_than_the_signed_one_is_refused(server, connect):
    raw = signer(server)
    wrong = {"X-Amz-Content-SHA256": hashlib.sha256(b"other").hexdigest()}
    for body in (b"small", b"large" * 100_000):
        answer = raw("PUT", "/b/k", body, wrong, sign="s3")
        assert (answer.status, code(answer)) == (400, "XAmzContentSHA256Mismatch")
    assert not server.calls.made


def test_headers_that_were_not_signed_are_refused_by_s3(server):
    raw = signer(server)
    host = {"Host": urlsplit(raw.endpoint).netloc, "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    signed = raw.signed("s3", "GET", "/b/k", b"", host)
    answer = raw("GET", "/b/k", headers={**signed, "X-Amz-Meta-Added": "x"})
    assert (answer.status, code(answer)) == (403, "AccessDenied")
    assert "<HeadersNotSigned>x-amz-meta-added</HeadersNotSigned>" in answer.text


@pytest.mark.parametrize(
    "key", ["plain", "a b+c&d=e", "ünï/çödé", "dots/../and//slashes/./", "~tilde*(star)'!", "100%"]
)
def test_every_key_of_s3_can_be_signed(server, connect, key):
    s3 = connect(server.endpoint, "s3", access_key=ADMINISTRATOR.id, secret=ADMINISTRATOR.secret)
    s3.put_object(Bucket="photos", Key=key, Body=b"x", Metadata={"a": "two  spaces"})
    assert server.calls.last[2]["Key"] == key


def test_a_lambda_arn_in_the_path_can_be_signed(server, connect):
    client = connect(
        server.endpoint, "lambda", access_key=ADMINISTRATOR.id, secret=ADMINISTRATOR.secret
    )
    arn = "arn:aws:lambda:us-east-1:111122223333:function:f"
    client.get_function(FunctionName=arn)
    assert server.calls.last[2]["FunctionName"] == arn


def test_virtual_hosted_buckets_can_be_signed(server):
    headers = {
        "Host": f"photos.s3.localhost:{server.port}",
        "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD",
    }
    assert signer(server)("GET", "/key", headers=headers, sign="s3").status == 200
    assert server.calls.last[2]["Bucket"] == "photos"


def test_lambent_s_own_routes_are_for_administrators(server):
    assert Raw(server.endpoint, "x")("GET", "/_lambent/health").status == 200
    assert Raw(server.endpoint, "x")("GET", "/_lambent/echo/").status == 403
    assert signer(server, USER)("GET", "/_lambent/echo/", sign="lambent").status == 403
    assert signer(server)("GET", "/_lambent/echo/", sign="lambent").status == 200


# Presigned URLs --------------------------------------------------------------------------


@pytest.fixture
def presign(connect: Any) -> Any:
    def make(gateway: Any, operation: str = "get_object", expires: int = 60, **changes: Any) -> str:
        key = changes.pop("key", ADMINISTRATOR)
        s3 = connect(
            gateway.endpoint,
            "s3",
            access_key=key.id,
            secret=changes.pop("secret", key.secret),
            token=key.session_token or None,
            signature_version=changes.pop("signature_version", "s3v4"),
        )
        url = s3.generate_presigned_url(
            operation, Params={"Bucket": "photos", "Key": "a b.jpg"}, ExpiresIn=expires
        )
        return url.removeprefix(gateway.endpoint)

    return make


def test_a_presigned_url_lets_its_holder_in(server, presign):
    nobody = Raw(server.endpoint, "")
    assert nobody("GET", presign(server)).body == b"the object"
    assert nobody("GET", presign(server, key=SESSION)).status == 200
    assert nobody("PUT", presign(server, "put_object"), b"data").status == 200
    assert server.calls.last[2]["read"] == b"data"


def test_a_presigned_url_is_good_for_its_own_request_only(server, presign):
    nobody = Raw(server.endpoint, "")
    url = presign(server)
    for method, path in (("PUT", url), ("GET", url.replace("a%20b", "c")), ("GET", url + "&x=y")):
        answer = nobody(method, path)
        assert (answer.status, code(answer)) == (403, "SignatureDoesNotMatch")
    assert code(nobody("GET", presign(server, secret="wrong"))) == "SignatureDoesNotMatch"
    added = nobody("GET", url, headers={"X-Amz-Meta-Added": "x"})
    assert code(added) == "AccessDenied"


@pytest.mark.parametrize("mode", ["local", "server"])
def test_a_presigned_url_ends(request, presign, at, mode):
    gateway = request.getfixturevalue(mode)
    at(-61)
    answer = Raw(gateway.endpoint, "")("GET", presign(gateway))
    assert (answer.status, code(answer)) == (403, "AccessDenied")
    assert "<Message>Request has expired</Message>" in answer.text
    for name in ("X-Amz-Expires", "Expires", "ServerTime"):
        assert f"<{name}>" in answer.text


def test_an_older_presigned_url_works_and_ends_in_local_mode(local, presign):
    nobody = Raw(local.endpoint, "")
    url = presign(local, signature_version="s3")
    assert "AWSAccessKeyId=" in url
    assert nobody("GET", url).status == 200
    answer = nobody("GET", re.sub(r"Expires=\d+", "Expires=1000000000", url))
    assert (answer.status, "Request has expired" in answer.text) == (403, True)


@pytest.mark.parametrize("mode", ["local", "server"])
def test_a_presigned_url_may_last_a_week_at_most(request, presign, mode):
    gateway = request.getfixturevalue(mode)
    answer = Raw(gateway.endpoint, "")("GET", presign(gateway, expires=604_801))
    assert (answer.status, code(answer)) == (400, "AuthorizationQueryParametersError")


# aws-chunked bodies ----------------------------------------------------------------------


def unsigned_chunks(body: bytes, trailer: str, size: int = 65536) -> bytes:
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return framed + b"0\r\n" + trailer.encode() + b"\r\n\r\n"


@pytest.mark.parametrize("mode", ["local", "server"])
@pytest.mark.parametrize("size", [0, 5, 200_000])
@pytest.mark.parametrize("header", sorted(checksums.HEADERS))
def test_a_trailing_checksum_is_verified(request, mode, header, size):
    gateway = request.getfixturevalue(mode)
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    value = checksums.of(checksums.HEADERS[header], body)
    wrong = checksums.of(checksums.HEADERS[header], body + b"!")
    headers = {
        "Content-Encoding": "gzip,aws-chunked",
        "X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "X-Amz-Trailer": header,
        "X-Amz-Decoded-Content-Length": str(len(body)),
    }
    raw = signer(gateway)
    good = raw("PUT", "/b/k", unsigned_chunks(body, f"{header}:{value}"), headers, sign="s3")
    assert good.status == 200
    params = gateway.calls.last[2]
    assert params["read"] == body
    assert params["trailers"] == {header: value}
    assert (params["ContentEncoding"], params["ContentLength"]) == ("gzip", len(body))
    gateway.calls.made.clear()
    bad = raw("PUT", "/b/k", unsigned_chunks(body, f"{header}:{wrong}"), headers, sign="s3")
    assert (bad.status, code(bad)) == (400, "BadDigest")
    assert not gateway.calls.made


@pytest.mark.parametrize(
    ("encoded", "decoded", "expected"),
    [
        (b"5\r\nhello\r\n0\r\n\r\n", 5, "MalformedTrailerError"),
        (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n", 5, "InvalidRequest"),
        (b"5\r\nhel", 5, "IncompleteBody"),
        (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", 6, "IncompleteBody"),
        (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", 4, "IncompleteBody"),
        (b"zz\r\nhello\r\n0\r\n\r\n", 5, "IncompleteBody"),
        (b"5\r\nhelloXX0\r\n\r\n", 5, "IncompleteBody"),
    ],
)
def test_framing_that_does_not_hold_is_refused(local, encoded, decoded, expected):
    headers = {
        "Content-Encoding": "aws-chunked",
        "X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "X-Amz-Trailer": "x-amz-checksum-crc32",
        "X-Amz-Decoded-Content-Length": str(decoded),
    }
    answer = Raw(local.endpoint, "x")("PUT", "/b/k", encoded, headers)
    assert (answer.status, code(answer)) == (400, expected)
    assert not local.calls.made


def signed_chunks(raw: Raw, body: bytes, tamper: str = "", trailer: bool = False) -> Any:
    """A PUT in the manner of AWS's own example: each chunk signed after the one before."""
    suffix = "-TRAILER" if trailer else ""
    headers = {
        "Host": urlsplit(raw.endpoint).netloc,
        "Content-Encoding": "aws-chunked",
        "X-Amz-Content-SHA256": f"STREAMING-AWS4-HMAC-SHA256-PAYLOAD{suffix}",
        "X-Amz-Decoded-Content-Length": str(len(body)),
    }
    if trailer:
        headers["X-Amz-Trailer"] = "x-amz-checksum-crc32c"
    signed = raw.signed("s3", "PUT", "/b/k", b"", headers)
    scope = "/".join(signed["Authorization"].split("Credential=")[1].split(",")[0].split("/")[1:])
    previous = signed["Authorization"].rsplit("Signature=")[1]
    key = ("AWS4" + raw.secret).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()

    def sign(kind: str, *rest: str) -> str:
        text = "\n".join((f"AWS4-HMAC-SHA256-{kind}", signed["X-Amz-Date"], scope, previous, *rest))
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    out = io.BytesIO()
    empty = hashlib.sha256(b"").hexdigest()
    pieces = [body[at : at + 65536] for at in range(0, len(body), 65536)]
    for number, piece in enumerate([*pieces, b""]):
        previous = sign("PAYLOAD", empty, hashlib.sha256(piece).hexdigest())
        if tamper == "data" and number == len(pieces) - 1:
            piece = b"!" + piece[1:]
        out.write(b"%x;chunk-signature=%b\r\n" % (len(piece), previous.encode()))
        if piece:
            out.write(piece + b"\r\n")
    if trailer:
        line = f"x-amz-checksum-crc32c:{checksums.of('CRC32C', body)}"
        out.write(line.encode() + b"\r\n")
        signature = sign("TRAILER", hashlib.sha256(f"{line}\n".encode()).hexdigest())
        if tamper == "trailer":
            signature = "0" * 64
        out.write(b"x-amz-trailer-signature:" + signature.encode() + b"\r\n")
    out.write(b"\r\n")
    return raw("PUT", "/b/k", out.getvalue(), signed)


@pytest.mark.parametrize("mode", ["local", "server"])
@pytest.mark.parametrize("trailer", [False, True])
@pytest.mark.parametrize("size", [0, 9, 70_000, 700_000])
def test_a_body_signed_in_chunks_is_taken(request, mode, size, trailer):
    gateway = request.getfixturevalue(mode)
    body = b"x" * size
    assert signed_chunks(signer(gateway), body, trailer=trailer).status == 200
    assert gateway.calls.last[2]["read"] == body


@pytest.mark.parametrize(
    ("tamper", "trailer"), [("data", False), ("data", True), ("trailer", True)]
)
@pytest.mark.parametrize("size", [9, 700_000])
def test_a_body_changed_after_it_was_signed_is_refused(server, tamper, trailer, size):
    answer = signed_chunks(signer(server), b"x" * size, tamper, trailer)
    assert (answer.status, code(answer)) == (403, "SignatureDoesNotMatch")
    assert not server.calls.made


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_boto3_s_own_uploads_pass(server, connect, algorithm):
    s3 = connect(server.endpoint, "s3", access_key=ADMINISTRATOR.id, secret=ADMINISTRATOR.secret)
    body = b"x" * 300_000
    s3.put_object(Bucket="b", Key="k", Body=io.BytesIO(body), ChecksumAlgorithm=algorithm)
    assert server.calls.last[2]["read"] == body


def test_boto3_s_own_upload_with_a_wrong_secret_is_refused(server, connect):
    s3 = connect(server.endpoint, "s3", access_key=ADMINISTRATOR.id, secret="wrong")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        s3.put_object(Bucket="b", Key="k", Body=b"x" * 300_000)


@pytest.mark.parametrize(
    ("algorithm", "check"),
    [
        ("CRC32", "cbf43926"),
        ("CRC32C", "e3069283"),
        ("CRC64NVME", "ae8b14860a799888"),
        ("SHA1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        ("SHA256", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
    ],
)
def test_checksums_are_the_published_check_values(algorithm, check):
    assert base64.b64decode(checksums.of(algorithm, b"123456789")).hex() == check
