"""What goes over the wire, byte for byte, where clients other than botocore look closely."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from tests.protocol.real_models import CATALOG

from lambent.core.errors import AwsError
from lambent.protocol.contract import WireRequest, WireResponse

SQS_XMLNS = "http://queue.amazonaws.com/doc/2012-11-05/"
DECLARATION = '<?xml version="1.0"?>'
S3_XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"


def _parse(service: str, protocol: str | None, name: str, request: WireRequest) -> dict[str, Any]:
    operation = CATALOG.service(service, protocol).operation(name)
    assert operation is not None
    return operation.parse(request)


def _serialize(service: str, protocol: str | None, name: str, result: Any) -> WireResponse:
    operation = CATALOG.service(service, protocol).operation(name)
    assert operation is not None
    return operation.serialize(result, "id-1")


def _error(
    service: str, protocol: str | None, error: AwsError
) -> tuple[WireResponse, dict[str, str]]:
    response = CATALOG.service(service, protocol).serialize_error(error, "id-1", None)
    return response, {name.lower(): value for name, value in response.headers}


def _form(text: str, path: str = "/") -> WireRequest:
    return WireRequest("POST", path, "", {"host": "localhost:4566"}, text.encode())


# SQS in the query protocol -------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "form", "params"),
    [
        (
            "CreateQueue",
            "QueueName=q&Attribute.1.Name=DelaySeconds&Attribute.1.Value=5&Tag.1.Key=a&Tag.1.Value=b",
            {"QueueName": "q", "Attributes": {"DelaySeconds": "5"}, "tags": {"a": "b"}},
        ),
        (
            "SendMessage",
            "QueueUrl=u&MessageBody=a+b&DelaySeconds=3&MessageAttribute.1.Name=n"
            "&MessageAttribute.1.Value.DataType=Binary&MessageAttribute.1.Value.BinaryValue=aGk%3D"
            "&MessageSystemAttribute.1.Name=AWSTraceHeader"
            "&MessageSystemAttribute.1.Value.DataType=String"
            "&MessageSystemAttribute.1.Value.StringValue=t",
            {
                "QueueUrl": "u",
                "MessageBody": "a b",
                "DelaySeconds": 3,
                "MessageAttributes": {"n": {"DataType": "Binary", "BinaryValue": b"hi"}},
                "MessageSystemAttributes": {
                    "AWSTraceHeader": {"DataType": "String", "StringValue": "t"}
                },
            },
        ),
        (
            "SendMessageBatch",
            "QueueUrl=u&SendMessageBatchRequestEntry.2.Id=b&SendMessageBatchRequestEntry.2.MessageBody=2"
            "&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=1"
            "&SendMessageBatchRequestEntry.10.Id=c&SendMessageBatchRequestEntry.10.MessageBody=3",
            {
                "QueueUrl": "u",
                "Entries": [
                    {"Id": "a", "MessageBody": "1"},
                    {"Id": "b", "MessageBody": "2"},
                    {"Id": "c", "MessageBody": "3"},
                ],
            },
        ),
        (
            "ReceiveMessage",
            "QueueUrl=u&AttributeName.1=All&MessageAttributeName.1=x&MessageAttributeName.2=y",
            {"QueueUrl": "u", "AttributeNames": ["All"], "MessageAttributeNames": ["x", "y"]},
        ),
        (
            "TagQueue",
            "QueueUrl=u&Tags.1.Key=a&Tags.1.Value=b",
            {"QueueUrl": "u", "Tags": {"a": "b"}},
        ),
        ("UntagQueue", "QueueUrl=u&TagKey.1=a", {"QueueUrl": "u", "TagKeys": ["a"]}),
    ],
)
def test_sqs_reads_its_older_forms(operation: str, form: str, params: dict[str, Any]) -> None:
    assert _parse("sqs", "query", operation, _form(f"Action={operation}&{form}")) == params


def test_an_sqs_request_to_the_queues_own_url_needs_no_queue_url() -> None:
    params = _parse("sqs", "query", "PurgeQueue", _form("Action=PurgeQueue", "/123456789012/q"))
    assert params == {"QueueUrl": "http://localhost:4566/123456789012/q"}


@pytest.mark.parametrize(
    ("operation", "form", "params"),
    [
        ("ReceiveMessage", "AttributeName=All", {"AttributeNames": ["All"]}),
        ("ReceiveMessage", "AttributeName=", {"AttributeNames": []}),
        ("SendMessageBatch", "SendMessageBatchRequestEntry=", {"Entries": []}),
        ("UntagQueue", "TagKey.1=a", {"TagKeys": ["a"]}),
        (
            "SetQueueAttributes",
            "Attribute.Name=DelaySeconds&Attribute.Value=1",
            {"Attributes": {"DelaySeconds": "1"}},
        ),
        ("TagQueue", "Tag.1.Key=a&Tag.1.Value=b", {"Tags": {"a": "b"}}),
        ("TagQueue", "Tags.1.Key=a&Tags.1.Value=b", {"Tags": {"a": "b"}}),
        ("CreateQueue", "Tag.Key=a&Tag.Value=", {"tags": {"a": ""}}),
    ],
)
def test_sqs_takes_what_each_of_its_clients_sends(
    operation: str, form: str, params: dict[str, Any]
) -> None:
    got = _parse("sqs", "query", operation, _form(f"Action={operation}&{form}", "/"))
    assert got == params


def test_a_name_that_goes_deeper_than_any_shape_is_passed_over() -> None:
    form = f"Action=ListQueues&QueueNamePrefix=a&{'a.' * 100_000}=1"
    assert _parse("sqs", "query", "ListQueues", _form(form, "/")) == {"QueueNamePrefix": "a"}


def test_a_form_of_more_fields_than_any_operation_takes_is_refused() -> None:
    form = "&".join(f"a{n}=1" for n in range(100_001))
    with pytest.raises(AwsError, match="MalformedQueryString"):
        _parse("sqs", "query", "ListQueues", _form(f"Action=ListQueues&{form}", "/"))


def test_sqs_answers_in_xml() -> None:
    response = _serialize(
        "sqs",
        "query",
        "ReceiveMessage",
        {"Messages": [{"MessageId": "m", "Body": "<&>", "Attributes": {"SenderId": "s"}}]},
    )
    assert (
        response.body
        == (
            f'{DECLARATION}<ReceiveMessageResponse xmlns="{SQS_XMLNS}">'
            "<ReceiveMessageResult><Message>"
            "<MessageId>m</MessageId><Body>&lt;&amp;&gt;</Body>"
            "<Attribute><Name>SenderId</Name><Value>s</Value></Attribute>"
            "</Message></ReceiveMessageResult>"
            "<ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></ReceiveMessageResponse>"
        ).encode()
    )


def test_an_operation_without_output_has_no_result_element() -> None:
    response = _serialize("sqs", "query", "DeleteQueue", None)
    assert (
        response.body
        == (
            f'{DECLARATION}<DeleteQueueResponse xmlns="{SQS_XMLNS}"><ResponseMetadata>'
            "<RequestId>id-1</RequestId></ResponseMetadata></DeleteQueueResponse>"
        ).encode()
    )


# Errors --------------------------------------------------------------------------------


def test_an_sqs_error_carries_both_its_names() -> None:
    missing = AwsError("QueueDoesNotExist", "The specified queue does not exist.")
    response, headers = _error("sqs", None, missing)
    assert response.status == 400
    assert headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert json.loads(response.body) == {  # type: ignore[arg-type]
        "__type": "com.amazonaws.sqs#QueueDoesNotExist",
        "message": "The specified queue does not exist.",
    }
    response, _ = _error("sqs", "query", missing)
    assert (
        response.body
        == (
            f'{DECLARATION}<ErrorResponse xmlns="{SQS_XMLNS}"><Error><Type>Sender</Type>'
            "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>"
            "<Message>The specified queue does not exist.</Message><Detail/></Error>"
            "<RequestId>id-1</RequestId></ErrorResponse>"
        ).encode()
    )


def test_a_query_without_an_action_is_an_unknown_operation() -> None:
    response, _ = _error("sqs", "query", AwsError("UnknownOperationException", "", 404))
    assert (response.status, response.body) == (404, b"<UnknownOperationException/>")


def test_an_sqs_error_that_the_model_lacks_is_named_by_its_query_code() -> None:
    response, headers = _error("sqs", None, AwsError("InvalidParameterValue", "No."))
    assert headers["x-amzn-query-error"] == "InvalidParameterValue;Sender"
    assert b"#InvalidParameterValueException" in bytes(response.body)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("service", "code", "kind"),
    [
        ("dynamodb", "ResourceNotFoundException", "com.amazonaws.dynamodb.v20120810#"),
        ("dynamodb", "ValidationException", "com.amazon.coral.validate#"),
        ("dynamodb", "UnknownOperationException", "com.amazon.coral.service#"),
        ("logs", "ResourceNotFoundException", ""),
        ("ssm", "ParameterNotFound", ""),
    ],
)
def test_json_errors_are_qualified_as_the_service_does(service: str, code: str, kind: str) -> None:
    response, _ = _error(service, None, AwsError(code, "No."))
    assert json.loads(response.body)["__type"] == kind + code  # type: ignore[arg-type]


def test_dynamodb_answers_carry_their_checksum() -> None:
    response = _serialize("dynamodb", None, "ListTables", {"TableNames": ["a"]})
    assert isinstance(response.body, bytes)
    assert dict(response.headers)["x-amz-crc32"] == str(zlib.crc32(response.body))


def test_a_modelled_error_has_its_members_and_status() -> None:
    error = AwsError(
        "TransactionCanceledException",
        "Transaction cancelled",
        members={"CancellationReasons": [{"Code": "None"}]},
    )
    response, _ = _error("dynamodb", None, error)
    assert json.loads(response.body) == {  # type: ignore[arg-type]
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled",
        "CancellationReasons": [{"Code": "None"}],
    }


def test_a_lambda_error() -> None:
    error = AwsError("ResourceNotFoundException", "Function not found: f")
    response, headers = _error("lambda", None, error)
    assert response.status == 404
    assert headers["x-amzn-errortype"] == "ResourceNotFoundException"
    assert json.loads(response.body) == {  # type: ignore[arg-type]
        "Type": "User",
        "Message": "Function not found: f",
    }


def test_an_s3_error() -> None:
    error = AwsError("NoSuchKey", "The specified key does not exist.", 404, {"Key": "a&b"})
    response, headers = _error("s3", None, error)
    assert response.status == 404
    assert headers["x-amz-request-id"] == "id-1"
    assert headers["content-type"] == "application/xml"
    assert (
        response.body
        == (
            '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code>'
            "<Message>The specified key does not exist.</Message><Key>a&amp;b</Key>"
            f"<RequestId>id-1</RequestId><HostId>{headers['x-amz-id-2']}</HostId></Error>"
        ).encode()
    )


def test_an_iam_error() -> None:
    response, headers = _error("iam", None, AwsError("NoSuchEntityException", "No role."))
    assert response.status == 404
    assert headers["content-type"] == "text/xml"
    assert b"<Type>Sender</Type><Code>NoSuchEntity</Code>" in bytes(response.body)  # type: ignore[arg-type]


# S3 results ----------------------------------------------------------------------------


def test_an_s3_listing() -> None:
    response = _serialize(
        "s3",
        None,
        "ListObjectsV2",
        {
            "Name": "b",
            "KeyCount": 1,
            "IsTruncated": False,
            "Contents": [{"Key": "a b", "LastModified": 1_000_000_000, "Size": 3}],
            "CommonPrefixes": [{"Prefix": "x/"}],
        },
    )
    assert (
        response.body
        == (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{S3_XMLNS}">'
            "<IsTruncated>false</IsTruncated><Contents><Key>a b</Key>"
            "<LastModified>2001-09-09T01:46:40.000Z</LastModified><Size>3</Size></Contents>"
            "<Name>b</Name><CommonPrefixes><Prefix>x/</Prefix></CommonPrefixes>"
            "<KeyCount>1</KeyCount></ListBucketResult>"
        ).encode()
    )


@pytest.mark.parametrize(("location", "text"), [(None, ""), ("", ""), ("eu-west-1", "eu-west-1")])
def test_s3s_bucket_location_is_the_root_itself(location: str | None, text: str) -> None:
    response = _serialize("s3", None, "GetBucketLocation", {"LocationConstraint": location})
    assert (
        response.body
        == (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<LocationConstraint xmlns="{S3_XMLNS}">{text}</LocationConstraint>'
        ).encode()
    )


def test_a_grantees_type_is_an_attribute() -> None:
    grants = [{"Grantee": {"ID": "i", "Type": "CanonicalUser"}, "Permission": "READ"}]
    response = _serialize("s3", None, "GetBucketAcl", {"Grants": grants})
    assert (
        b'<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">'
        b"<ID>i</ID></Grantee>"
    ) in bytes(response.body)  # type: ignore[arg-type]


def test_object_headers_and_metadata() -> None:
    response = _serialize(
        "s3",
        None,
        "HeadObject",
        {
            "ContentLength": 3,
            "ContentType": "text/plain",
            "LastModified": 1_000_000_000.7,
            "Metadata": {"a": "b\r\nx-evil: 1"},
        },
    )
    headers = dict(response.headers)
    assert headers["Content-Length"] == "3"
    assert headers["Content-Type"] == "text/plain"
    assert headers["Last-Modified"] == "Sun, 09 Sep 2001 01:46:40 GMT"
    assert headers["x-amz-meta-a"] == "b x-evil: 1"


# Routes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "operation"),
    [
        ("GET", "/", "", {}, "ListBuckets"),
        ("GET", "/b", "", {}, "ListObjects"),
        ("GET", "/b/", "list-type=2&prefix=a", {}, "ListObjectsV2"),
        ("GET", "/b", "list-type=1", {}, "ListObjects"),
        ("GET", "/b", "location=", {}, "GetBucketLocation"),
        ("GET", "/b", "analytics", {}, "ListBucketAnalyticsConfigurations"),
        ("GET", "/b", "analytics&id=x", {}, "GetBucketAnalyticsConfiguration"),
        ("PUT", "/b", "notification", {}, "PutBucketNotificationConfiguration"),
        ("POST", "/b", "delete", {}, "DeleteObjects"),
        ("PUT", "/b/k", "", {}, "PutObject"),
        ("PUT", "/b/k", "x-id=PutObject", {}, "PutObject"),
        ("PUT", "/b/k", "", {"x-amz-copy-source": "a/b"}, "CopyObject"),
        ("PUT", "/b/k", "uploadId=u&partNumber=1", {}, "UploadPart"),
        ("PUT", "/b/k", "uploadId=u&partNumber=1", {"x-amz-copy-source": "a/b"}, "UploadPartCopy"),
        ("POST", "/b/k", "uploads", {}, "CreateMultipartUpload"),
        ("POST", "/b/k", "uploadId=u", {}, "CompleteMultipartUpload"),
        ("DELETE", "/b/k", "uploadId=u", {}, "AbortMultipartUpload"),
        ("DELETE", "/b/k", "", {}, "DeleteObject"),
        ("GET", "/b/k", "uploadId=u", {}, "ListParts"),
        ("GET", "/b/k", "attributes", {}, "GetObjectAttributes"),
        ("HEAD", "/b/k/", "", {}, "HeadObject"),
        ("HEAD", "/b/", "", {}, "HeadBucket"),
        ("POST", "/WriteGetObjectResponse", "", {}, "WriteGetObjectResponse"),
        ("PATCH", "/b/k", "", {}, None),
    ],
)
def test_s3_routes(
    method: str, path: str, query: str, headers: dict[str, str], operation: str | None
) -> None:
    found = CATALOG.service("s3").route(WireRequest(method, path, query, headers, b""))
    assert (found and found.name) == operation


@pytest.mark.parametrize(
    ("path", "bucket", "key"),
    [
        ("/b/a%20b", "b", "a b"),
        ("/b/a+b", "b", "a+b"),
        ("/b//x/../y", "b", "/x/../y"),
        ("/b/%2Fx%2f", "b", "/x/"),
        ("/b/%E2%82%AC", "b", "€"),
        ("/b/a/", "b", "a/"),
    ],
)
def test_keys_are_decoded_and_nothing_else(path: str, bucket: str, key: str) -> None:
    params = _parse("s3", None, "DeleteObject", WireRequest("DELETE", path, "", {}, b""))
    assert params == {"Bucket": bucket, "Key": key}


@pytest.mark.parametrize(
    ("method", "path", "operation", "labels"),
    [
        ("POST", "/2015-03-31/functions", "CreateFunction", {}),
        ("POST", "/2015-03-31/functions/f/invocations", "Invoke", {"FunctionName": "f"}),
        (
            "GET",
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af",
            "GetFunction",
            {"FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:f"},
        ),
        ("GET", "/2015-03-31/event-source-mappings", "ListEventSourceMappings", {}),
        ("GET", "/2015-03-31/event-source-mappings/u", "GetEventSourceMapping", {}),
        ("GET", "/2015-03-31/nonsense", None, {}),
    ],
)
def test_lambda_routes(
    method: str, path: str, operation: str | None, labels: dict[str, str]
) -> None:
    request = WireRequest(method, path, "", {}, b"")
    found = CATALOG.service("lambda").route(request)
    assert (found and found.name) == operation
    if found is not None and labels:
        assert found.parse(request) == labels


@pytest.mark.parametrize("text", ["x", "", "1_0", "99999999999", "1.5"])
def test_s3_names_the_argument_that_is_no_number(text: str) -> None:
    request = WireRequest("GET", "/b", f"max-keys={text}", {}, b"")
    with pytest.raises(AwsError) as caught:
        _parse("s3", None, "ListObjects", request)
    assert (caught.value.code, caught.value.message) == (
        "InvalidArgument",
        "Provided max-keys not an integer or within integer range",
    )
    assert caught.value.members == {"ArgumentName": "max-keys", "ArgumentValue": text}


def test_a_date_that_is_none_is_as_if_it_were_not_there() -> None:
    headers = {"if-modified-since": "yesterday"}
    params = _parse("s3", None, "GetObject", WireRequest("GET", "/b/k", "", headers, b""))
    assert params == {"Bucket": "b", "Key": "k"}


# The catalog ---------------------------------------------------------------------------


def test_the_catalog_tells_services_apart() -> None:
    assert CATALOG.traits("sqs").protocols == ("json", "query")
    assert CATALOG.traits("stepfunctions").signing_name == "states"
    assert CATALOG.traits("dynamodb").target_prefix == "DynamoDB_20120810"


@pytest.mark.parametrize("name", ["nonsense", "../../etc", "", "ec2"])
def test_services_that_nobody_speaks_are_key_errors(name: str) -> None:
    with pytest.raises(KeyError):
        CATALOG.service(name)


def test_every_operation_of_the_services_we_have_compiles() -> None:
    for name in ("sqs", "s3", "lambda", "dynamodb", "logs", "sts", "iam", "ssm", "cloudformation"):
        codec = CATALOG.service(name)
        for operation in codec._model.operations:
            assert codec.operation(operation) is not None
