"""botocore's protocol cases, run backwards: its requests parsed, its results serialised."""

from __future__ import annotations

from typing import Any

import pytest
from tests.protocol.botocore_cases import (
    Case,
    as_result,
    expected_params,
    load,
    parsed_by_botocore,
    plain,
    request_of,
)

from lambent.core.errors import AwsError
from lambent.protocol.catalog import PROTOCOLS

_NO_BODY = "the case gives no body: it is about the client's gzip"
_TOKEN = "the client makes a token that is not among its parameters"
_EMPTY = "on the wire an empty list or map is not told from an absent one"
_IGNORED = "botocore itself does not follow this case (its ignore list): "

SKIPPED_INPUTS = {
    "json/SDKAppliedContentEncoding_awsJson1_1": _NO_BODY,
    "json/SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_1": _NO_BODY,
    "json_1_0/SDKAppliedContentEncoding_awsJson1_0": _NO_BODY,
    "json_1_0/SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_0": _NO_BODY,
    "query/SDKAppliedContentEncoding_awsQuery": _NO_BODY,
    "query/SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsQuery": _NO_BODY,
    "rest-json/SDKAppliedContentEncoding_restJson1": _NO_BODY,
    "rest-json/SDKAppendedGzipAfterProvidedEncoding_restJson1": _NO_BODY,
    "rest-xml/SDKAppliedContentEncoding_restXml": _NO_BODY,
    "rest-xml/SDKAppendedGzipAfterProvidedEncoding_restXml": _NO_BODY,
    "query/QueryProtocolIdempotencyTokenAutoFill": _TOKEN,
    "rest-json/RestJsonQueryIdempotencyTokenAutoFill": _TOKEN,
    "rest-xml/QueryIdempotencyTokenAutoFill": _TOKEN,
    "query/QueryEmptyQueryMaps": _EMPTY,
    "rest-json/RestJsonHttpPrefixHeadersAreNotPresent": _EMPTY,
    "rest-xml/HttpPrefixHeadersAreNotPresent": _EMPTY,
    "rest-json/RestJsonOmitsEmptyListQueryValues": _EMPTY,
    "rest-json/RestJsonHttpWithEmptyStructurePayload": _EMPTY,
    "rest-json/RestJsonHttpWithHeadersButNoPayload": _EMPTY,
    "rest-json/RestJsonHostWithPath": "the case's endpoint itself has a path",
    "rest-json/MediaTypeHeaderInputBase64": _IGNORED + "JSON in headers is read as its value",
    "rest-xml/BodyWithXmlName": _IGNORED + "a structure's own xmlName used for a member",
}

SKIPPED_OUTPUTS = {
    "query/QueryXmlLists": _IGNORED + "a flattened list's member name beats the list's",
    "rest-xml/XmlLists": _IGNORED + "a flattened list's member name beats the list's",
    "rest-json/RestJsonHttpPayloadTraitsWithNoBlobBody": _IGNORED + "no body is an empty blob",
    "rest-xml/HttpPayloadTraitsWithNoBlobBody": _IGNORED + "no body is an empty blob",
    "rest-json/RestJsonHttpPayloadWithUnsetUnion": _IGNORED + "no body is no union",
    "rest-xml/RestXmlHttpPayloadWithUnsetUnion": _IGNORED + "no body is no union",
    "rest-json/RestJsonInputAndOutputWithTimestampHeaders": _IGNORED + "splits dates at commas",
    "rest-xml/InputAndOutputWithTimestampHeaders": _IGNORED + "splits dates at commas",
    "rest-json/RestJsonInputAndOutputWithQuotedStringHeaders": _IGNORED + "quotes in lists",
}


def _cases(direction: str, skipped: dict[str, str]) -> list[Any]:
    return [
        pytest.param(
            case,
            id=case.id,
            marks=[pytest.mark.skip(reason=skipped[case.id])] if case.id in skipped else [],
        )
        for case in load(direction)
        if case.protocol in PROTOCOLS
    ]


@pytest.mark.parametrize("case", _cases("input", SKIPPED_INPUTS))
def test_request_of_botocore_is_parsed(case: Case) -> None:
    request, codec = request_of(case), case.codec()
    routed = "rest" in case.protocol or "rpc" in case.protocol
    operation = codec.route(request) if routed else codec.operation(case.operation)
    assert operation is not None
    assert operation.name == case.operation
    assert plain(operation.parse(request)) == plain(expected_params(case))


@pytest.mark.parametrize("case", _cases("output", SKIPPED_OUTPUTS))
def test_response_is_understood_by_botocore(case: Case) -> None:
    codec, (model, botocore) = case.codec(), case.botocore()
    operation = codec.operation(case.operation)
    assert operation is not None
    if "error" in case.data:
        code, message = case.data["errorCode"], case.data.get("errorMessage", "")
        members = (
            as_result(model.shape_for(code), case.data["error"])
            if code in model.shape_names
            else case.data["error"]
        )
        error = AwsError(code, message, None, members)
        response = codec.serialize_error(error, "request-id", operation)
        expected = {"Error": {"Code": code, "Message": message}} | case.data["error"]
    else:
        result = as_result(botocore.output_shape, case.data["result"])
        response = operation.serialize(result, "request-id")
        expected = case.data["result"]
    assert plain(parsed_by_botocore(case, response)) == expected
