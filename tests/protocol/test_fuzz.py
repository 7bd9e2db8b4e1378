"""Whatever bytes come, parsing gives parameters or an AwsError, and errors have a wire form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.protocol.real_models import CATALOG

from lambent.core.errors import AwsError
from lambent.protocol.contract import OperationCodec, ServiceCodec, WireRequest

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)

OPERATIONS = [
    (
        "sqs",
        "json",
        "SendMessage",
        ["QueueUrl", "MessageBody", "MessageAttributes"],
    ),
    ("dynamodb", "json", "PutItem", ["TableName", "Item", "Expected", "ReturnValues"]),
    ("logs", "json", "PutLogEvents", ["logGroupName", "logEvents"]),
    ("lambda", "rest-json", "CreateFunction", ["FunctionName", "Code", "Timeout", "Environment"]),
    ("sqs", "query", "SendMessage", []),
    ("iam", "query", "CreateRole", []),
    ("cloudwatch", "smithy-rpc-v2-cbor", "PutMetricAlarm", []),
    ("s3", "rest-xml", "PutBucketTagging", []),
    ("s3", "rest-xml", "CompleteMultipartUpload", []),
]


def _parse(codec: ServiceCodec, operation: OperationCodec, request: WireRequest) -> None:
    try:
        operation.parse(request)
    except AwsError as error:
        response = codec.serialize_error(error, "request-id", operation)
        assert response.status >= 400


@pytest.mark.parametrize(("service", "protocol", "name", "members"), OPERATIONS)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_no_request_breaks_the_parser(
    service: str, protocol: str, name: str, members: list[str], data: st.DataObject
) -> None:
    codec = CATALOG.service(service, protocol)
    operation = codec.operation(name)
    assert operation is not None
    bodies = st.binary(max_size=60)
    if members:
        bodies |= st.dictionaries(st.sampled_from(members), _JSON, max_size=3).map(_encoded)
    body = data.draw(bodies)
    path = data.draw(st.text("/%ab\xff", max_size=8).map(lambda text: "/" + text))
    query = data.draw(st.text("=&%+auploadId", max_size=20))
    headers = {"x-amz-tagging-directive": data.draw(st.text(max_size=5))}
    _parse(codec, operation, WireRequest("POST", path, query, headers, body))


def _encoded(value: object) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


_NASTY = [
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"Item":{"a":' + b'{"L":[' * 5000 + b"]}" * 5000 + b"}}",
    *(b'{"Item":{"a":' + b'{"L":[' * n + b"]}" * n + b"}}" for n in (100, 200, 300, 400, 480)),
    b"\x9f" * 5000,
    b"\xa1\x61a" * 5000,
    b"\x9b" + b"\xff" * 8,
    b"\xa1\x6aMetricName\xc1\xf9\x7e\x00",
    b'{"DelaySeconds":' + b"9" * 5000 + b"}",
    b'{"MessageBody":"\\ud800"}',
    b"<a>" * 100_000,
    b"Action=" + b"a." * 100_000 + b"=1",
    b"MessageAttribute." + b"9" * 5000 + b".Name=1",
    b"DelaySeconds=" + b"9" * 5000,
    b"<!DOCTYPE a [<!ENTITY b 'c'>]><Tagging>&b;</Tagging>",
    b"<?xml version='1.0' encoding='utf-16'?><Tagging/>",
    b"<?xml version='1.0' encoding='nonsense'?><Tagging/>",
]


@pytest.mark.parametrize(("service", "protocol", "name", "members"), OPERATIONS)
@pytest.mark.parametrize("body", _NASTY, ids=range(len(_NASTY)))
def test_no_nasty_body_breaks_the_parser(
    service: str, protocol: str, name: str, members: list[str], body: bytes
) -> None:
    codec = CATALOG.service(service, protocol)
    operation = codec.operation(name)
    assert operation is not None
    _parse(codec, operation, WireRequest("POST", "/b", "", {}, body))


@pytest.mark.parametrize("path", ["/", "", "//", "///", "/b", "/b//", "/%", "/%ff/%00", "/b/k%2f"])
@pytest.mark.parametrize("query", ["", "&", "=", "acl", "acl=&uploads", "%zz=%", "uploadId"])
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"])
def test_every_address_of_s3_is_routed_or_refused(method: str, path: str, query: str) -> None:
    codec = CATALOG.service("s3")
    request = WireRequest(method, path, query, {}, b"")
    operation = codec.route(request)
    if operation is not None:
        _parse(codec, operation, request)
