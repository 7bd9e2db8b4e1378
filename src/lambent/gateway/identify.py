"""Which service and operation a request is for: explicit rules in a fixed order.

1. the X-Amz-Target header, whose prefix names one service;
2. the credential scope's service (with the path, where two models share a signing name);
3. the host, when it is one of a service's own (`sqs.us-east-1.amazonaws.com`);
4. the path, when no other service has it: the Lambda API, an SQS queue's URL;
5. `Action` and `Version` in the query or a posted form: the version names one service;
6. otherwise S3, the one service that is used without credentials.

Nothing here looks at what exists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_plus

from lambent.gateway.claim import Claim

_TARGETS: Final = {
    "AmazonSQS": "sqs",
    "DynamoDB_20120810": "dynamodb",
    "DynamoDBStreams_20120810": "dynamodbstreams",
    "Logs_20140328": "logs",
    "AmazonSSM": "ssm",
    "secretsmanager": "secretsmanager",
    "AWSEvents": "events",
    "AWSStepFunctions": "stepfunctions",
    "Kinesis_20131202": "kinesis",
    "Firehose_20150804": "firehose",
    "GraniteServiceVersion20100801": "cloudwatch",
    "TrentService": "kms",
    "AWSCognitoIdentityProviderService": "cognito-idp",
    "AWSCognitoIdentityService": "cognito-identity",
    "ResourceGroupsTaggingAPI_20170126": "resourcegroupstaggingapi",
    "CertificateManager": "acm",
}
"""The `targetPrefix` of botocore's models."""

_SIGNING_NAMES: Final = {
    "monitoring": "cloudwatch",
    "states": "stepfunctions",
    "email": "ses",
    "tagging": "resourcegroupstaggingapi",
    "elasticloadbalancing": "elbv2",
    "s3express": "s3",
    "s3-outposts": "s3",
}
"""Signing names that are not the model's own name."""

_BY_PATH: Final = (
    ("ses", "/v2/", "sesv2"),
    ("apigateway", "/v2/", "apigatewayv2"),
    ("s3", "/v20180820/", "s3control"),
)
"""Models that share a signing name, told apart by the beginning of their paths."""

_VERSIONS: Final = {
    "2012-11-05": "sqs",
    "2011-10-01": "sqs",
    "2009-02-01": "sqs",
    "2010-03-31": "sns",
    "2010-05-15": "cloudformation",
    "2011-06-15": "sts",
    "2010-05-08": "iam",
    "2010-08-01": "cloudwatch",
    "2010-12-01": "ses",
    "2016-11-15": "ec2",
}
"""The `apiVersion` of the models that speak the query protocol, and SQS's older ones."""

_HOST_LABELS: Final = {
    "streams.dynamodb": "dynamodbstreams",
    "sqs": "sqs",
    "sns": "sns",
    "lambda": "lambda",
    "dynamodb": "dynamodb",
    "logs": "logs",
    "cloudformation": "cloudformation",
    "sts": "sts",
    "iam": "iam",
    "ssm": "ssm",
    "secretsmanager": "secretsmanager",
    "events": "events",
    "scheduler": "scheduler",
    "states": "stepfunctions",
    "kinesis": "kinesis",
    "firehose": "firehose",
    "monitoring": "cloudwatch",
    "kms": "kms",
}
"""What stands before the region in the hosts of services that may be called unsigned."""

_LAMBDA_PATH: Final = re.compile(r"/20\d\d-\d\d-\d\d/(functions|event-source-mappings|layers|tags)")
_QUEUE_PATH: Final = re.compile(r"/(?:queue/[a-z0-9-]+/)?\d{12}/[\w.-]+/?")
_SERVICE_HOST: Final = re.compile(
    r"((?:streams\.)?[a-z0-9-]+)(?:\.[a-z0-9-]+)?\.(?:amazonaws\.com(?:\.cn)?|localhost)"
)
_PARAMETER: Final = {
    name: re.compile(rf"(?:^|&){name}=([^&]*)".encode()) for name in ("Action", "Version")
}


def service(headers: Mapping[str, str], path: str, query: str, claim: Claim) -> str | None:
    """The service by the rules that need no body; None when only a posted form can tell."""
    target = headers.get("x-amz-target")
    if target is not None:
        named = _TARGETS.get(target.rpartition(".")[0])
        if named is not None:
            return named
    if claim.service:
        return _signed_for(claim.service, path)
    named = _own_host(headers.get("host", ""))
    if named is not None:
        return named
    if _LAMBDA_PATH.match(path):
        return "lambda"
    if query and "Action=" in query and (named := from_form(path, query.encode())) is not None:
        return named
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return None
    return "s3"


def from_form(path: str, form: bytes) -> str | None:
    """The service that a query-protocol form is for; None when it names no action.

    SQS alone was ever called without a Version.
    """
    if not _PARAMETER["Action"].search(form):
        return None
    version = parameter("Version", form)
    if version is None or _QUEUE_PATH.fullmatch(path):
        return "sqs"
    return _VERSIONS.get(version)


def parameter(name: str, form: bytes) -> str | None:
    """`Action` or `Version` of a form or query."""
    found = _PARAMETER[name].search(form)
    return unquote_plus(found[1].decode("latin-1")) if found else None


def may_sign(signing_name: str, path: str, service: str) -> bool:
    """Whether a credential scope's service is the one that `service` is signed for."""
    named = _signed_for(signing_name, path)
    return named == service or (named, service) == ("dynamodb", "dynamodbstreams")


def _signed_for(signing_name: str, path: str) -> str:
    named = _SIGNING_NAMES.get(signing_name, signing_name)
    for shared, beginning, other in _BY_PATH:
        if named == shared and path.startswith(beginning):
            return other
    return named


def is_stray(operation: str, query: str) -> bool:
    """Whether a request is only by its path one for the operation: S3 has no POST of an object
    but those that the query names."""
    return operation == "CompleteMultipartUpload" and "uploadId" not in query


@lru_cache(maxsize=1024)
def _own_host(host: str) -> str | None:
    name = host.rpartition(":")[0] if ":" in host else host
    found = _SERVICE_HOST.fullmatch(name.lower())
    return _HOST_LABELS.get(found[1]) if found else None


@lru_cache(maxsize=4096)
def bucket_of(host: str) -> str | None:
    """The bucket that an S3 request's Host header names; None for path-style addresses.

    Virtual hosts are `BUCKET.s3.…`, `BUCKET.s3-REGION.…` and `BUCKET.localhost`; every other
    name, and every address, is path style.
    """
    name = (host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host).lower()
    if name == "localhost" or name.startswith("[") or name.replace(".", "").isdigit():
        return None
    labels = name.split(".")
    amazon = name.endswith((".amazonaws.com", ".amazonaws.com.cn"))
    for index in range(len(labels) - 2, -1, -1):
        if labels[index] == "s3" or (amazon and labels[index].startswith("s3-")):
            return ".".join(labels[:index]) or None
    if name.endswith(".localhost"):
        return name.removesuffix(".localhost")
    return None
