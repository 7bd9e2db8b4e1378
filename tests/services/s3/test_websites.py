"""Buckets as websites, over plain HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from tests.services.s3.conftest import refused

INDEX = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"}}


@pytest.fixture
def site(s3: Any, bucket: str, raw: Any) -> Any:
    """A website with pages; `site(path)` asks it by host."""
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=INDEX)
    pages = {"index.html": b"home", "sub/index.html": b"below", "error.html": b"lost"}
    for key, body in pages.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="text/html", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="secret", Body=b"x")
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")

    def ask(path: str, method: str = "GET", **headers: str) -> Any:
        host = f"{bucket}.s3-website-us-east-1.amazonaws.com"
        return raw(method, path, b"", {"Host": host, **headers})

    return ask


@pytest.mark.parametrize(
    ("path", "body"), [("/", b"home"), ("/sub/", b"below"), ("/index.html", b"home")]
)
def test_paths_lead_to_documents(site: Any, path: str, body: bytes) -> None:
    answer = site(path)
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["content-type"] == "text/html"


def test_a_folder_without_its_slash_is_sent_to_it(site: Any) -> None:
    answer = site("/sub")
    assert (answer.status, answer.headers["location"]) == (302, "/sub/")


def test_what_is_missing_gets_the_error_document(site: Any) -> None:
    answer = site("/none")
    assert (answer.status, answer.body) == (404, b"lost")
    assert site("/secret").status == 403


def test_errors_are_pages(s3: Any, raw: Any, bucket: str, site: Any) -> None:
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "none"}})
    answer = site("/none")
    assert (answer.status, answer.headers["x-amz-error-code"]) == (404, "NoSuchKey")
    assert b"<li>Code: NoSuchKey</li>" in answer.body
    assert site("/", "DELETE").status == 405
    s3.delete_bucket_website(Bucket=bucket)
    assert b"NoSuchWebsiteConfiguration" in site("/").body
    assert b"NoSuchBucket" in raw("GET", "/_lambent/website/not-there-at-all/").body


def test_reads_are_conditional_ranged_and_headed(site: Any) -> None:
    head = site("/", "HEAD")
    assert (head.status, head.headers["content-length"], head.body) == (200, "4", b"")
    assert site("/", **{"If-None-Match": head.headers["etag"]}).status == 304
    since = {"If-Modified-Since": head.headers["last-modified"]}
    assert site("/", **since).status == 304
    assert site("/", **{"If-Modified-Since": "junk"}).status == 200
    part = site("/", Range="bytes=1-2")
    assert (part.status, part.body) == (206, b"om")


def test_rules_and_objects_redirect(s3: Any, bucket: str, site: Any) -> None:
    s3.put_object(
        Bucket=bucket, Key="old", Body=b"", WebsiteRedirectLocation="/new", ACL="public-read"
    )
    moved = site("/old")
    assert (moved.status, moved.headers["location"]) == (301, "/new")
    s3.put_bucket_website(
        Bucket=bucket,
        WebsiteConfiguration={
            **INDEX,
            "RoutingRules": [
                {
                    "Condition": {"KeyPrefixEquals": "docs/"},
                    "Redirect": {"ReplaceKeyPrefixWith": "documents/"},
                },
                {
                    "Condition": {"HttpErrorCodeReturnedEquals": "404"},
                    "Redirect": {"HostName": "example.com", "HttpRedirectCode": "302"},
                },
            ],
        },
    )
    moved = site("/docs/a%20b")
    assert moved.status == 301
    host = f"{bucket}.s3-website-us-east-1.amazonaws.com"
    assert moved.headers["location"] == f"http://{host}/documents/a%20b"
    moved = site("/none")
    assert (moved.status, moved.headers["location"]) == (302, "http://example.com/none")


def test_everything_may_be_redirected(s3: Any, bucket: str, raw: Any) -> None:
    s3.put_bucket_website(
        Bucket=bucket,
        WebsiteConfiguration={
            "RedirectAllRequestsTo": {"HostName": "example.com", "Protocol": "https"}
        },
    )
    moved = raw("GET", f"/_lambent/website/{bucket}/a/b?c")
    assert (moved.status, moved.headers["location"]) == (301, "https://example.com/a/b")
    assert refused(s3.get_object, Bucket=bucket, Key="a/b").code == "NoSuchKey"
