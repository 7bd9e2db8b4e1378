"""For real operations: what botocore writes we read, and what we write botocore reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.protocol.real_models import (
    CATALOG,
    botocore_model,
    botocore_request,
    botocore_result,
    compiled,
    operations,
    pruned,
    values,
)

SERVICES = [
    ("sqs", "json"),
    ("s3", "rest-xml"),
    ("dynamodb", "json"),
    ("lambda", "rest-json"),
    ("cloudformation", "query"),
    ("iam", "query"),
    ("logs", "json"),
    ("cloudwatch", "smithy-rpc-v2-cbor"),
]
# S3's addresses that mean two operations: ours is the one that is not deprecated.
_OTHERS_ADDRESS = {
    "ListDirectoryBuckets": "ListBuckets",
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
}
# The first has a host's name among its parameters; the second two names for one element.
_ODD_PARAMETERS = {"WriteGetObjectResponse", "PutBucketNotification"}
# botocore reads the first after the parser; the second has two names for one element.
_ODD_RESULTS = {"GetBucketLocation", "GetBucketNotification"}


def _lacks_payload(shape: Any, params: dict[str, Any]) -> bool:
    """Whether a payload that must be there is empty, which is an error."""
    name = shape.serialization.get("payload") if shape else None
    return name is not None and name in shape.required_members and name not in params


_ALWAYS = (b"", "", 200, 202, 206, "application/octet-stream")

_settings = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize(("service", "protocol"), SERVICES)
@_settings
@given(data=st.data())
def test_parameters_survive(service: str, protocol: str, data: st.DataObject) -> None:
    names = [name for name in operations(service) if name not in _ODD_PARAMETERS]
    operation = data.draw(st.sampled_from(names))
    params = data.draw(values(service, operation, "input"))
    shape = botocore_model(service).operation_model(operation).input_shape
    assume(not _lacks_payload(shape, params))
    request = botocore_request(service, protocol, operation, params)
    if protocol.startswith("rest"):
        found = CATALOG.service(service).route(request)
        assert found is not None
        assert found.name == _OTHERS_ADDRESS.get(operation, operation)
    parsed = compiled(service, protocol, operation).parse(request)
    # An empty body may be a payload of no bytes or none.
    assert _filled(pruned(parsed)) == _filled(params)


def _filled(params: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in params.items() if item != b""}


@pytest.mark.parametrize(("service", "protocol"), SERVICES)
@_settings
@given(data=st.data())
def test_results_survive(service: str, protocol: str, data: st.DataObject) -> None:
    names = [name for name in operations(service) if name not in _ODD_RESULTS]
    operation = data.draw(st.sampled_from(names))
    result = data.draw(values(service, operation, "output"))
    response = compiled(service, protocol, operation).serialize(result, "request-id")
    parsed = botocore_result(service, protocol, operation, response)
    # An absent payload reads as empty; the status is always there, and the type of bytes.
    told = {key: item for key, item in parsed.items() if key in result or item not in _ALWAYS}
    assert pruned(told) == result
