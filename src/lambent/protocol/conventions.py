"""How each service departs from its protocol: the one table of per-service wire habits.

What the models say is not repeated here. Sources: AWS's API references and recorded
responses. A service that is not listed follows the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_CORAL = "com.amazon.coral.service#"

COMMON_TYPES: Mapping[str, str] = {
    "ValidationException": "com.amazon.coral.validate#",
    "SerializationException": _CORAL,
    "UnknownOperationException": _CORAL,
    "AccessDeniedException": _CORAL,
    "UnrecognizedClientException": _CORAL,
    "InvalidSignatureException": _CORAL,
    "IncompleteSignatureException": _CORAL,
    "MissingAuthenticationTokenException": _CORAL,
    "ExpiredTokenException": _CORAL,
    "InternalFailure": _CORAL,
}
"""The namespace of errors that AWS's framework, not the service's model, defines."""


@dataclass(frozen=True, slots=True)
class Conventions:
    """One service's wire habits.

    `constraint_code`: the error code of broken constraints of the model (required, length,
    pattern, range, enum), or None when the service checks its parameters itself.
    `own_checks`: shapes whose constraints the service checks itself even so.
    `type_namespace`: what stands before a modelled code in JSON's `__type`; None for bare
    codes, common ones included.
    `query_codes`: by shape name, the code that the older query protocol used, where it
    differs (`awsQueryCompatible`).
    `query_xml_namespace`: for services whose model no longer lists the query protocol.
    `query_detail`: whether the query protocol's documents begin with an XML declaration, and its
    errors have a Detail, which is empty.
    `error_members`: members that every error carries, by fault: (the client's, the server's).
    `crc32`: whether JSON responses carry `x-amz-crc32`.
    `millis`: whether XML timestamps always have milliseconds.
    `bare_errors`: XML errors are a bare `<Error>`, with the service's own request id headers.
    `xml_namespace`, `roots`: of REST-XML responses, where the model does not say; roots by
    operation.
    `bare_outputs`: operations whose whole XML output is the text of one member.
    `binding_code`: the error code of a header, label or query parameter of the wrong type.
    `body_code`, `body_message`: the error of a body that is malformed or breaks the schema.
    `strict_roots`: whether a body's root element must have the name that the model gives it.
    `missing_body`: code and message when a required body is not there.
    `blob_type`, `text_type`: the content type of payloads whose type no member gives.
    """

    constraint_code: str | None = "ValidationException"
    own_checks: frozenset[str] = frozenset()
    type_namespace: str | None = None
    query_codes: Mapping[str, str] = field(default_factory=dict)
    query_xml_namespace: str | None = None
    query_detail: bool = False
    error_members: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    crc32: bool = False
    millis: bool = False
    bare_errors: bool = False
    xml_namespace: str | None = None
    roots: Mapping[str, str] = field(default_factory=dict)
    bare_outputs: Mapping[str, str] = field(default_factory=dict)
    binding_code: str = "SerializationException"
    body_code: str = "SerializationException"
    body_message: str | None = None
    strict_roots: bool = False
    missing_body: tuple[str, str] | None = None
    blob_type: str = "application/octet-stream"
    text_type: str = "text/plain"


_SQS_CODES = {
    name: f"AWS.SimpleQueueService.{name}"
    for name in (
        "BatchEntryIdsNotDistinct",
        "BatchRequestTooLong",
        "EmptyBatchRequest",
        "InvalidBatchEntryId",
        "MessageNotInflight",
        "PurgeQueueInProgress",
        "QueueDeletedRecently",
        "TooManyEntriesInBatchRequest",
        "UnsupportedOperation",
    )
} | {
    "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    "AccessDeniedException": "AccessDenied",
    "MissingRequiredParameterException": "MissingParameter",
    "UnknownOperationException": "InvalidAction",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "IncompleteSignatureException": "IncompleteSignature",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "ExpiredTokenException": "ExpiredToken",
}

_S3_ROOTS = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CreateSession": "CreateSessionResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycle": "LifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketNotification": "NotificationConfiguration",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "GetObjectTagging": "Tagging",
    "ListBucketAnalyticsConfigurations": "ListBucketAnalyticsConfigurationsResult",
    "ListBucketIntelligentTieringConfigurations": (
        "ListBucketIntelligentTieringConfigurationsResult"
    ),
    "ListBucketInventoryConfigurations": "ListInventoryConfigurationsResult",
    "ListBucketMetricsConfigurations": "ListMetricsConfigurationsResult",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListDirectoryBuckets": "ListAllMyDirectoryBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}

_DYNAMODB = Conventions(type_namespace="com.amazonaws.dynamodb.v20120810#", crc32=True)
_QUERY = Conventions(constraint_code="ValidationError")

_TABLE: Mapping[str, Conventions] = {
    "apigatewayv2": Conventions(constraint_code="BadRequestException"),
    "cloudformation": Conventions(constraint_code="ValidationError", millis=True),
    "cloudwatch": Conventions(
        constraint_code="ValidationException",
        own_checks=frozenset(
            (
                *("PutMetricDataInput", "GetMetricDataInput", "GetMetricStatisticsInput"),
                *("ListMetricsInput", "MetricDataQueries", "Dimensions"),
            )
        ),
        type_namespace="com.amazonaws.cloudwatch.v2010_08_01#",
    ),
    "dynamodb": _DYNAMODB,
    "dynamodbstreams": _DYNAMODB,
    "iam": _QUERY,
    "lambda": Conventions(
        own_checks=frozenset({"Runtime"}),
        error_members={"Type": ("User", "Service")},
        blob_type="application/json",
    ),
    "logs": Conventions(constraint_code="InvalidParameterException"),
    "s3": Conventions(
        constraint_code=None,
        millis=True,
        bare_errors=True,
        xml_namespace="http://s3.amazonaws.com/doc/2006-03-01/",
        text_type="application/json",
        roots=_S3_ROOTS,
        bare_outputs={"GetBucketLocation": "LocationConstraint"},
        binding_code="InvalidArgument",
        strict_roots=True,
        body_code="MalformedXML",
        body_message="The XML you provided was not well-formed or did not validate against "
        "our published schema",
        missing_body=("MissingRequestBodyError", "Request Body is empty"),
    ),
    "sns": _QUERY,
    "sqs": Conventions(
        constraint_code=None,
        type_namespace="com.amazonaws.sqs#",
        query_codes=_SQS_CODES,
        query_xml_namespace="http://queue.amazonaws.com/doc/2012-11-05/",
        query_detail=True,
    ),
    "stepfunctions": Conventions(type_namespace="com.amazonaws.swf.service.v2.model#"),
    "sts": _QUERY,
}

_DEFAULT = Conventions()


def conventions(service: str) -> Conventions:
    """The wire habits of a service, by botocore's name for it."""
    return _TABLE.get(service, _DEFAULT)
