"""Requests from pages of other origins."""

from __future__ import annotations

import pytest
from tests.support.http import Raw

from lambent.services.s3 import cors


@pytest.fixture
def shared(s3, bucket):
    s3.put_bucket_cors(
        Bucket=bucket,
        CORSConfiguration={
            "CORSRules": [
                {
                    "AllowedOrigins": ["https://*.example.com"],
                    "AllowedMethods": ["GET", "PUT"],
                    "AllowedHeaders": ["x-amz-*", "Content-Type"],
                    "ExposeHeaders": ["ETag"],
                    "MaxAgeSeconds": 60,
                },
                {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]},
            ]
        },
    )
    return bucket


def test_a_preflight_that_is_allowed(raw, shared):
    answer = raw(
        "OPTIONS",
        f"/{shared}/k",
        headers={
            "Origin": "https://app.example.com",
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "Content-Type, X-Amz-Meta-A",
        },
    )
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
    assert answer.headers["access-control-allow-methods"] == "GET, PUT"
    assert answer.headers["access-control-allow-headers"] == "content-type, x-amz-meta-a"
    assert answer.headers["access-control-expose-headers"] == "ETag"
    assert answer.headers["access-control-max-age"] == "60"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == cors.VARY


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Access-Control-Request-Method": "PUT"}, 400, "BadRequest"),
        ({"Origin": "https://app.example.com"}, 400, "BadRequest"),
        (
            {"Origin": "https://other.org", "Access-Control-Request-Method": "PUT"},
            403,
            "AccessForbidden",
        ),
        (
            {
                "Origin": "https://app.example.com",
                "Access-Control-Request-Method": "PUT",
                "Access-Control-Request-Headers": "Authorization",
            },
            403,
            "AccessForbidden",
        ),
    ],
)
def test_a_preflight_that_is_refused(raw, shared, headers, status, code):
    answer = raw("OPTIONS", f"/{shared}/k", headers=headers)
    assert answer.status == status
    assert f"<Code>{code}</Code>" in answer.text


def test_a_bucket_without_rules_allows_nothing(raw, bucket):
    headers = {"Origin": "https://a.org", "Access-Control-Request-Method": "GET"}
    answer = raw("OPTIONS", f"/{bucket}", headers=headers)
    assert answer.status == 403
    assert "CORS is not enabled for this bucket." in answer.text


def test_answers_carry_the_headers_errors_too(raw, shared):
    for path, status in ((f"/{shared}", 200), (f"/{shared}/none", 404)):
        answer = raw("GET", path, headers={"Origin": "https://any.org"}, sign="s3")
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
    plain = raw("GET", f"/{shared}", sign="s3")
    assert "access-control-allow-origin" not in plain.headers


def test_a_preflight_needs_no_credentials(fresh_node, account):
    node = fresh_node(auth=True)
    answer = Raw(node.endpoint, account)(
        "OPTIONS",
        "/nowhere/k",
        headers={"Origin": "https://a.org", "Access-Control-Request-Method": "GET"},
    )
    assert "<Code>AccessForbidden</Code>" in answer.text
