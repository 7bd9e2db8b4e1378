"""What S3 says of requests' documents, headers and methods; through boto3 and plain HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from tests.services.s3.conftest import body_of, refused

DELETE = b"<Delete><Object><Key>k</Key></Object></Delete>"


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def test_deleting_objects_needs_a_digest_of_its_document(raw: Any, bucket: str) -> None:
    answer = raw("POST", f"/{bucket}?delete", DELETE, sign="s3")
    assert answer.status == 400
    assert b"<Message>Missing required header for this request: Content-MD5</Message>" in (
        answer.body
    )


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content-MD5": md5(b"other")}, b"BadDigest"),
        ({"Content-MD5": "junk"}, b"InvalidDigest"),
        ({"x-amz-checksum-crc32": "AAAAAA=="}, b"BadDigest"),
    ],
)
def test_a_document_that_is_not_what_was_sent_is_refused(
    raw: Any, s3: Any, bucket: str, headers: dict[str, str], code: bytes
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    answer = raw("POST", f"/{bucket}?delete", DELETE, headers, sign="s3")
    assert (answer.status, b"<Code>" + code + b"</Code>" in answer.body) == (400, True)
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"x"
    done = raw("POST", f"/{bucket}?delete", DELETE, {"Content-MD5": md5(DELETE)}, sign="s3")
    assert done.status == 200


def test_a_document_with_another_root_is_malformed(raw: Any, bucket: str) -> None:
    body = b"<Rubbish><Status>Enabled</Status></Rubbish>"
    answer = raw("PUT", f"/{bucket}?versioning", body, sign="s3")
    assert (answer.status, b"<Code>MalformedXML</Code>" in answer.body) == (400, True)


@pytest.mark.parametrize(
    ("method", "path", "resource", "allow"),
    [
        ("POST", "/{}/key", b"OBJECT", "HEAD, DELETE, GET, PUT"),
        ("PATCH", "/{}", b"BUCKET", "GET, HEAD, PUT, POST, DELETE"),
        ("DELETE", "/", b"SERVICE", "GET"),
    ],
)
def test_a_method_that_a_resource_lacks_says_which_it_has(
    raw: Any, bucket: str, method: str, path: str, resource: bytes, allow: str
) -> None:
    answer = raw(method, path.format(bucket), sign="s3")
    assert (answer.status, answer.headers["allow"]) == (405, allow)
    assert b"<ResourceType>" + resource + b"</ResourceType>" in answer.body


def test_the_expires_header_can_be_overridden(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    shown = s3.get_object(Bucket=bucket, Key="k", ResponseExpires="2033-12-01T16:00:00Z")
    assert shown["ResponseMetadata"]["HTTPHeaders"]["expires"] == "Thu, 01 Dec 2033 16:00:00 GMT"


def test_nobody_may_override_headers_without_credentials(raw: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    answer = raw("GET", f"/{bucket}/k?response-content-type=a/b")
    assert answer.status == 400
    assert b"Request specific response headers cannot be used for anonymous GET" in answer.body


def test_an_empty_content_type_is_none(raw: Any, s3: Any, bucket: str) -> None:
    raw("PUT", f"/{bucket}/k", b"x", {"Content-Type": ""}, sign="s3")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentType"] == "binary/octet-stream"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("plain", "plain"),
        ("=?UTF-8?B?YWJj?=", "abc"),
        ("=?UTF-8?Q?B=C3=A4r?=", "=?UTF-8?Q?B=C3=A4r?="),
        ("Bär".encode().decode("latin-1"), "=?UTF-8?Q?B=C3=A4r?="),
        ("äöü".encode().decode("latin-1"), "=?UTF-8?B?w6TDtsO8?="),
        ("=?nonsense?B?YWJj?=", "=?nonsense?B?YWJj?="),
    ],
)
def test_metadata_outside_ascii_is_shown_as_mail_words(
    raw: Any, s3: Any, bucket: str, sent: str, shown: str
) -> None:
    raw("PUT", f"/{bucket}/k", b"x", {"x-amz-meta-name": sent}, sign="s3")
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"name": shown}


def test_unknown_attributes_are_refused(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    error = refused(
        s3.get_object_attributes, Bucket=bucket, Key="k", ObjectAttributes=["ETag", "Colour"]
    )
    assert (error.code, error.message) == ("InvalidArgument", "Invalid attribute name specified.")


def test_a_checksum_of_another_algorithm_than_named_is_refused(raw: Any, bucket: str) -> None:
    headers = {
        "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(b"x").digest()).decode(),
        "x-amz-sdk-checksum-algorithm": "CRC32",
    }
    answer = raw("PUT", f"/{bucket}/k", b"x", headers, sign="s3")
    assert b"Value for x-amz-sdk-checksum-algorithm header is invalid." in answer.body


def test_an_archived_object_is_not_copied(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="GLACIER")
    error = refused(s3.copy_object, Bucket=bucket, Key="other", CopySource=f"{bucket}/k")
    assert (error.code, error.status) == ("ObjectNotInActiveTierError", 403)


def test_listed_keys_are_form_encoded_when_asked(s3: Any, bucket: str) -> None:
    for key in ("a b/c", "a+b", "t~*"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    listed = s3.list_objects_v2(Bucket=bucket, Delimiter="/", EncodingType="url")
    assert [entry["Key"] for entry in listed["Contents"]] == ["a%2Bb", "t%7E*"]
    assert [entry["Prefix"] for entry in listed["CommonPrefixes"]] == ["a+b/"]


def test_attribute_based_access_control_is_off_until_switched_on(s3: Any, bucket: str) -> None:
    assert s3.get_bucket_abac(Bucket=bucket)["AbacStatus"] == {"Status": "Disabled"}
    s3.put_bucket_abac(Bucket=bucket, AbacStatus={"Status": "Enabled"})
    assert s3.get_bucket_abac(Bucket=bucket)["AbacStatus"] == {"Status": "Enabled"}
    assert refused(s3.put_bucket_abac, Bucket=bucket, AbacStatus={"Status": "On"}).status == 400


def test_an_object_is_encrypted_anew_in_its_place(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    key = "arn:aws:kms:us-east-1:123456789012:key/k"
    s3.update_object_encryption(
        Bucket=bucket,
        Key="k",
        ObjectEncryption={"SSEKMS": {"KMSKeyArn": key, "BucketKeyEnabled": True}},
    )
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
    assert head["BucketKeyEnabled"] is True


def test_a_bucket_may_refuse_keys_of_customers(s3: Any, bucket: str) -> None:
    rule = {"BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    shown = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert shown["Rules"][0]["BlockedEncryptionTypes"] == {"EncryptionType": ["SSE-C"]}
    given = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    error = refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", **given)
    assert (error.code, error.status) == ("AccessDenied", 403)


def test_archive_tiers_have_their_least_days(s3: Any, bucket: str) -> None:
    tier = {"AccessTier": "ARCHIVE_ACCESS", "Days": 89}
    document = {"Id": "t", "Status": "Enabled", "Tierings": [tier]}
    put = s3.put_bucket_intelligent_tiering_configuration
    call = {"Bucket": bucket, "Id": "t", "IntelligentTieringConfiguration": document}
    assert refused(put, **call).code == "InvalidArgument"
    tier["Days"] = 90
    put(**call)


def test_locked_uploads_need_a_digest(raw: Any, s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    hold = {"x-amz-object-lock-legal-hold": "ON"}
    answer = raw("PUT", f"/{name}/k", b"x", hold, sign="s3")
    assert (answer.status, b"Object Lock parameters" in answer.body) == (400, True)
    answer = raw("PUT", f"/{name}/k", b"x", {**hold, "Content-MD5": md5(b"x")}, sign="s3")
    assert answer.status == 200


def test_a_presigned_url_needs_all_its_parts(raw: Any, s3: Any, client: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    signer = client("s3", signature_version="s3v4")
    url = signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    path = "/" + url.split("/", 3)[3]
    assert raw("GET", path).body == b"x"
    unsigned = path.partition("&X-Amz-Signature=")[0]
    assert b"AuthorizationQueryParametersError" in raw("GET", unsigned).body


def test_a_policy_is_json_and_nothing_has_no_type(raw: Any, s3: Any, bucket: str) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    put = s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert put["ResponseMetadata"]["HTTPStatusCode"] == 204
    shown = raw("GET", f"/{bucket}?policy", sign="s3")
    assert (shown.headers["content-type"], shown.text) == ("application/json", text)
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    same = raw("GET", f"/{bucket}/k", headers={"If-None-Match": etag}, sign="s3")
    assert (same.status, "content-type" in same.headers) == (304, False)
