"""Uploads from a browser's form."""

from __future__ import annotations

import base64
import json

import pytest
from tests.services.s3.conftest import body_of, refused


def form(fields, body, *, file_head='name="file"; filename="C:\\dir\\photo.jpg"'):
    lines = []
    for name, value in fields.items():
        lines.append(
            f'--bound\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        )
    lines.append(
        f"--bound\r\nContent-Disposition: form-data; {file_head}\r\n"
        "Content-Type: image/jpeg\r\n\r\n".encode()
        + body
        + b"\r\n"
    )
    return b"".join(lines) + b"--bound--\r\n"


@pytest.fixture
def post(raw, account, bucket):
    def send(fields, body=b"hello", **more):
        credential = {
            "x-amz-credential": f"{account}/20300101/us-east-1/s3/aws4_request",
            "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "x-amz-date": "20300101T000000Z",
            "x-amz-signature": "0" * 64,
        }
        return raw(
            "POST",
            f"/{bucket}",
            form({**credential, **fields}, body, **more),
            {"Content-Type": "multipart/form-data; boundary=bound"},
        )

    return send


def policy(*conditions, expiration="2100-01-01T00:00:00Z"):
    document = {"expiration": expiration, "conditions": list(conditions)}
    return base64.b64encode(json.dumps(document).encode()).decode()


def test_the_file_becomes_an_object(s3, bucket, post):
    answer = post(
        {
            "key": "in/${filename}",
            "Content-Type": "image/png",
            "x-amz-meta-who": "me",
            "tagging": "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet>"
            "</Tagging>",
        },
        b"\r\n--boun" * 100_000,
    )
    assert answer.status == 204
    assert answer.headers["location"].endswith(f"/{bucket}/in/photo.jpg")
    found = s3.get_object(Bucket=bucket, Key="in/photo.jpg")
    assert body_of(found) == b"\r\n--boun" * 100_000
    assert found["ContentType"] == "image/png"
    assert found["Metadata"] == {"who": "me"}
    assert found["TagCount"] == 1
    assert answer.headers["etag"] == found["ETag"]


def test_the_form_chooses_the_answer(bucket, post):
    created = post({"key": "k", "success_action_status": "201"})
    assert created.status == 201
    assert "<PostResponse" in created.text
    assert f"<Bucket>{bucket}</Bucket><Key>k</Key>" in created.text
    assert post({"key": "k", "success_action_status": "200"}).status == 200
    assert post({"key": "k", "success_action_status": "404"}).status == 204
    moved = post({"key": "k", "success_action_redirect": "http://example.com/done?x=1"})
    assert moved.status == 303
    assert moved.headers["location"].startswith(
        f"http://example.com/done?x=1&bucket={bucket}&key=k&etag=%22"
    )


def test_a_policy_is_kept(s3, bucket, post):
    rules = policy(
        {"bucket": bucket},
        ["starts-with", "$key", "in/"],
        ["starts-with", "$x-amz-credential", ""],
        ["starts-with", "$x-amz-algorithm", ""],
        ["starts-with", "$x-amz-date", ""],
        ["content-length-range", 2, 10],
        {"acl": "private"},
    )
    good = {"key": "in/a", "acl": "private", "policy": rules}
    assert post(good).status == 204
    assert post({**good, "x-ignore-me": "1"}).status == 204
    for bad in ({"key": "out/a"}, {"acl": "public-read"}, {"x-amz-meta-extra": "1"}):
        answer = post({**good, **bad})
        assert answer.status == 403
        assert "<Code>AccessDenied</Code>" in answer.text
        assert "Invalid according to Policy:" in answer.text
    assert "<Code>EntityTooLarge</Code>" in post(good, b"x" * 11).text
    assert "<Code>EntityTooSmall</Code>" in post(good, b"x").text
    assert refused(s3.head_object, Bucket=bucket, Key="out/a").status == 404


def test_policies_that_do_not_hold(post):
    late = post({"key": "k", "policy": policy(expiration="2001-01-01T00:00:00Z")})
    assert late.status == 403
    assert "Policy expired." in late.text
    assert "<Code>InvalidPolicyDocument</Code>" in post({"key": "k", "policy": "nonsense"}).text


def test_forms_that_are_not_well_formed(raw, bucket, post):
    missing = post({})
    assert missing.status == 400
    assert "must contain a field named &apos;key&apos;" in missing.text.replace("'", "&apos;")
    cut = raw(
        "POST",
        f"/{bucket}",
        form({"key": "k"}, b"x")[:-20],
        {"Content-Type": "multipart/form-data; boundary=bound"},
    )
    assert "<Code>MalformedPOSTRequest</Code>" in cut.text
    no_file = post({"key": "k"}, file_head='name="other"')
    assert no_file.status == 400
    assert "POST requires exactly one file upload per request." in no_file.text
