"""Which service a request is for: the rules, by table."""

from __future__ import annotations

import pytest

from lambent.gateway import claim as claims
from lambent.gateway import identify

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


def scoped(service: str) -> dict[str, str]:
    scope = f"A/20260101/us-east-1/{service}/aws4_request"
    return {
        "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    }


@pytest.mark.parametrize(
    ("headers", "path", "query", "service"),
    [
        ({"x-amz-target": "AmazonSQS.SendMessage"}, "/", "", "sqs"),
        ({"x-amz-target": "DynamoDB_20120810.GetItem"}, "/", "", "dynamodb"),
        (
            {"x-amz-target": "DynamoDBStreams_20120810.ListStreams", **scoped("dynamodb")},
            "/",
            "",
            "dynamodbstreams",
        ),
        ({"x-amz-target": "secretsmanager.GetSecretValue"}, "/", "", "secretsmanager"),
        ({"x-amz-target": "Nobody.Knows", **scoped("logs")}, "/", "", "logs"),
        (scoped("sqs"), "/", "", "sqs"),
        (scoped("monitoring"), "/", "", "cloudwatch"),
        (scoped("states"), "/", "", "stepfunctions"),
        (scoped("email"), "/", "", "ses"),
        (scoped("email"), "/v2/email/identities", "", "sesv2"),
        (scoped("apigateway"), "/restapis", "", "apigateway"),
        (scoped("apigateway"), "/v2/apis", "", "apigatewayv2"),
        (scoped("lambda"), "/2015-03-31/functions", "", "lambda"),
        (scoped("s3"), "/2015-03-31/functions", "", "s3"),
        (scoped("s3"), "/b/k", "Action=ListQueues&Version=2012-11-05", "s3"),
        (
            {},
            "/b/k",
            "X-Amz-Credential=A%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=0",
            "s3",
        ),
        ({}, "/b/k", "AWSAccessKeyId=A&Signature=0&Expires=1", "s3"),
        ({"host": "sqs.us-east-1.amazonaws.com"}, "/", "", "sqs"),
        ({"host": "streams.dynamodb.us-east-1.amazonaws.com"}, "/", "", "dynamodbstreams"),
        ({"host": "localhost:4566"}, "/2015-03-31/functions/f/invocations", "", "lambda"),
        ({}, "/2019-09-25/functions/f/event-invoke-config", "", "lambda"),
        ({}, "/2015-03-31/other", "", "s3"),
        ({}, "/", "Action=ListTopics&Version=2010-03-31", "sns"),
        ({}, "/", "Version=2011-06-15&Action=GetCallerIdentity", "sts"),
        ({}, "/000000000000/q", "Action=SendMessage&MessageBody=x", "sqs"),
        ({}, "/000000000000/q/", "Action=SendMessage&MessageBody=x", "sqs"),
        ({}, "/", "Action=ListQueues&Version=2011-10-01", "sqs"),
        ({}, "/bucket", "Action=Dance&Version=1999-01-01", "s3"),
        ({}, "/bucket/key", "prefix=Action", "s3"),
        (FORM, "/", "", None),
        (FORM | scoped("iam"), "/", "", "iam"),
        ({}, "/", "", "s3"),
        ({}, "/bucket/key", "", "s3"),
    ],
)
def test_service(headers: dict[str, str], path: str, query: str, service: str | None):
    claim = claims.read(headers, query)
    assert identify.service(headers, path, query, claim) == service


@pytest.mark.parametrize(
    ("path", "form", "service"),
    [
        ("/", b"Action=ListQueues&Version=2012-11-05", "sqs"),
        ("/", b"Version=2010-05-08&Action=ListRoles", "iam"),
        ("/", b"Action=ListQueues", "sqs"),
        ("/123456789012/q", b"Action=SendMessage&Version=2012-11-05", "sqs"),
        ("/", b"Action=X&Version=1900-01-01", None),
        ("/", b"a=b", None),
        ("/", b"XAction=b", None),
    ],
)
def test_service_of_a_form(path: str, form: bytes, service: str | None):
    assert identify.from_form(path, form) == service


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("localhost:4566", None),
        ("localhost", None),
        ("127.0.0.1:4566", None),
        ("[::1]:4566", None),
        ("node1:4566", None),
        ("lambent.example.com", None),
        ("s3.localhost:4566", None),
        ("s3.amazonaws.com", None),
        ("s3.us-east-1.amazonaws.com", None),
        ("s3-us-west-2.amazonaws.com", None),
        ("photos.s3.localhost:4566", "photos"),
        ("photos.localhost:4566", "photos"),
        ("s3photos.localhost", "s3photos"),
        ("s3-photos.localhost", "s3-photos"),
        ("my.photos.s3.us-east-1.amazonaws.com", "my.photos"),
        ("photos.s3.amazonaws.com", "photos"),
        ("photos.s3-us-west-2.amazonaws.com", "photos"),
        ("photos.s3.dualstack.us-west-2.amazonaws.com", "photos"),
        ("photos.s3.localhost.example.org:4566", "photos"),
        ("my.s3.bucket.s3.localhost", "my.s3.bucket"),
    ],
)
def test_bucket_of_a_host(host: str, bucket: str | None):
    assert identify.bucket_of(host) == bucket
