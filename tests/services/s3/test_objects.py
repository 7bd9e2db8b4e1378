"""Objects through boto3: what is put comes back, and what S3 refuses is refused."""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from tests.services.s3.conftest import body_of, refused


def test_an_object_comes_back_with_all_that_was_said_of_it(s3, bucket):
    s3.put_object(
        Bucket=bucket,
        Key="a/b c+ü?.txt",
        Body=b"hello",
        ContentType="text/plain",
        CacheControl="no-cache",
        ContentDisposition="attachment",
        ContentEncoding="gzip",
        ContentLanguage="de",
        Expires=datetime(2031, 1, 2, tzinfo=UTC),
        Metadata={"Who": "me"},
        Tagging="a=1&b=2",
        StorageClass="STANDARD_IA",
        WebsiteRedirectLocation="/else",
    )
    found = s3.get_object(Bucket=bucket, Key="a/b c+ü?.txt")
    assert body_of(found) == b"hello"
    assert found["ContentType"] == "text/plain"
    assert found["CacheControl"] == "no-cache"
    assert found["ContentDisposition"] == "attachment"
    assert found["ContentEncoding"] == "gzip"
    assert found["ContentLanguage"] == "de"
    assert found["ExpiresString"] == "Thu, 02 Jan 2031 00:00:00 GMT"
    assert found["Metadata"] == {"who": "me"}
    assert found["TagCount"] == 2
    assert found["StorageClass"] == "STANDARD_IA"
    assert found["WebsiteRedirectLocation"] == "/else"
    assert found["ServerSideEncryption"] == "AES256"
    assert found["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert found["AcceptRanges"] == "bytes"


def test_defaults_of_a_plain_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k")
    found = s3.head_object(Bucket=bucket, Key="k")
    assert found["ContentLength"] == 0
    assert found["ContentType"] == "binary/octet-stream"
    assert "StorageClass" not in found
    assert "VersionId" not in found
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b""


@pytest.mark.parametrize("key", [".", "..", "a//b", "/lead", "trail/", "a/../b", "😀", "x" * 1024])
def test_keys_are_kept_as_they_are(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert body_of(s3.get_object(Bucket=bucket, Key=key)) == key.encode()
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]


def test_a_key_may_not_be_too_long(s3, bucket):
    refusal = refused(s3.put_object, Bucket=bucket, Key="x" * 1025, Body=b"")
    assert (refusal.code, refusal.status) == ("KeyTooLongError", 400)


def test_an_overwritten_object_gives_the_new_bytes(s3, bucket):
    for body in (b"one" * 100_000, b"two"):
        s3.put_object(Bucket=bucket, Key="k", Body=body)
        assert body_of(s3.get_object(Bucket=bucket, Key="k")) == body


def test_what_is_not_there(s3, bucket, name):
    missing = refused(s3.get_object, Bucket=bucket, Key="none")
    assert (missing.code, missing.status) == ("NoSuchKey", 404)
    assert missing.message == "The specified key does not exist."
    assert missing.error["Key"] == "none"
    head = refused(s3.head_object, Bucket=bucket, Key="none")
    assert (head.code, head.status) == ("404", 404)
    nowhere = refused(s3.get_object, Bucket=f"{name}-not", Key="none")
    assert (nowhere.code, nowhere.status) == ("NoSuchBucket", 404)
    assert nowhere.error["BucketName"] == f"{name}-not"
    assert refused(s3.put_object, Bucket=f"{name}-not", Key="k", Body=b"x").code == "NoSuchBucket"
    big = refused(s3.put_object, Bucket=f"{name}-not", Key="k", Body=b"x" * 200_000)
    assert big.code == "NoSuchBucket"


@pytest.mark.parametrize(
    ("header", "body", "content_range"),
    [
        ("bytes=0-4", b"01234", "bytes 0-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
    ],
)
def test_a_range_is_partial_content(s3, bucket, header, body, content_range):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    found = s3.get_object(Bucket=bucket, Key="k", Range=header)
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert found["ContentRange"] == content_range
    assert found["ContentLength"] == len(body)
    assert body_of(found) == body


def test_several_ranges_give_the_whole_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    found = s3.get_object(Bucket=bucket, Key="k", Range="bytes=0-1,3-4")
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert body_of(found) == b"0123456789"


def test_a_range_beyond_the_end_is_refused(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    refusal = refused(s3.get_object, Bucket=bucket, Key="k", Range="bytes=10-")
    assert (refusal.code, refusal.status) == ("InvalidRange", 416)
    assert refusal.error["ActualObjectSize"] == "10"
    assert refusal.error["RangeRequested"] == "bytes=10-"


def test_a_range_of_a_large_object(s3, bucket):
    data = bytes(range(256)) * 8192
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    found = s3.get_object(Bucket=bucket, Key="k", Range="bytes=300000-1500000")
    assert body_of(found) == data[300_000:1_500_001]


def test_conditional_reads(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=etag)["ContentLength"] == 1
    failed = refused(s3.get_object, Bucket=bucket, Key="k", IfMatch='"other"')
    assert (failed.code, failed.status) == ("PreconditionFailed", 412)
    assert failed.error["Condition"] == "If-Match"
    same = refused(s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=etag)
    assert same.status == 304
    assert same.headers["etag"] == etag
    assert refused(s3.get_object, Bucket=bucket, Key="k", IfModifiedSince=modified).status == 304
    old = modified - timedelta(hours=1)
    unmodified = refused(s3.head_object, Bucket=bucket, Key="k", IfUnmodifiedSince=old)
    assert unmodified.status == 412


def test_conditional_writes(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    exists = refused(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert (exists.code, exists.status) == ("PreconditionFailed", 412)
    assert exists.error["Condition"] == "If-None-Match"
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=etag)
    changed = refused(s3.put_object, Bucket=bucket, Key="k", Body=b"4", IfMatch=etag)
    assert (changed.code, changed.status) == ("PreconditionFailed", 412)
    gone = refused(s3.put_object, Bucket=bucket, Key="none", Body=b"5", IfMatch=etag)
    assert (gone.code, gone.status) == ("NoSuchKey", 404)
    named = refused(s3.put_object, Bucket=bucket, Key="k", Body=b"6", IfNoneMatch=etag)
    assert (named.code, named.status) == ("NotImplemented", 501)
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"3"


def test_response_headers_may_be_overridden(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    found = s3.get_object(
        Bucket=bucket,
        Key="k",
        ResponseContentType="image/png",
        ResponseCacheControl="max-age=1",
        ResponseContentDisposition="inline",
    )
    assert found["ContentType"] == "image/png"
    assert found["CacheControl"] == "max-age=1"
    assert found["ContentDisposition"] == "inline"


def test_the_md5_is_checked(s3, bucket):
    good = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentMD5=good)
    bad = refused(s3.put_object, Bucket=bucket, Key="bad", Body=b"y", ContentMD5=good)
    assert (bad.code, bad.status) == ("BadDigest", 400)
    none = refused(s3.put_object, Bucket=bucket, Key="bad", Body=b"y", ContentMD5="nonsense")
    assert (none.code, none.status) == ("InvalidDigest", 400)
    assert refused(s3.head_object, Bucket=bucket, Key="bad").status == 404


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_a_checksum_is_kept_and_shown(s3, bucket, algorithm):
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm=algorithm)
    member = f"Checksum{algorithm}"
    assert put[member]
    found = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert found[member] == put[member]
    assert found["ChecksumType"] == "FULL_OBJECT"
    assert member not in s3.head_object(Bucket=bucket, Key="k")


def test_a_wrong_checksum_leaves_nothing(s3, bucket):
    refusal = refused(
        s3.put_object,
        Bucket=bucket,
        Key="k",
        Body=b"hello",
        ChecksumSHA256=base64.b64encode(b"0" * 32).decode(),
    )
    assert (refusal.code, refusal.status) == ("BadDigest", 400)
    assert refusal.message == "The SHA256 you specified did not match the calculated checksum."
    assert refused(s3.head_object, Bucket=bucket, Key="k").status == 404


def test_a_put_without_a_checksum_gets_the_default_one(s3, bucket, raw):
    answer = raw("PUT", f"/{bucket}/k", b"123456789", sign="s3")
    assert answer.status == 200
    assert answer.headers["x-amz-checksum-crc64nvme"] == "rosUhgp5mIg="
    found = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert found["ChecksumCRC64NVME"] == "rosUhgp5mIg="


def test_a_put_needs_a_length(bucket, raw):
    answer = raw(
        "PUT", f"/{bucket}/k", b"0\r\n\r\n", {"Transfer-Encoding": "chunked", "Content-Length": ""}
    )
    assert answer.status in (400, 411)


def test_metadata_has_a_limit(s3, bucket):
    refusal = refused(s3.put_object, Bucket=bucket, Key="k", Body=b"", Metadata={"a": "x" * 2048})
    assert (refusal.code, refusal.status) == ("MetadataTooLarge", 400)


def test_unknown_storage_class_and_encryption_are_refused(s3, bucket, raw):
    answer = raw("PUT", f"/{bucket}/k", b"x", {"x-amz-storage-class": "FAST"}, sign="s3")
    assert answer.status == 400
    assert b"<Code>InvalidStorageClass</Code>" in answer.body
    answer = raw("PUT", f"/{bucket}/k", b"x", {"x-amz-server-side-encryption": "rot13"}, sign="s3")
    assert answer.status == 400
    assert b"<Code>InvalidArgument</Code>" in answer.body


def test_a_kms_key_is_echoed(s3, bucket):
    put = s3.put_object(
        Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId="mine"
    )
    assert put["ServerSideEncryption"] == "aws:kms"
    assert put["SSEKMSKeyId"].endswith(":key/mine")
    assert s3.head_object(Bucket=bucket, Key="k")["SSEKMSKeyId"] == put["SSEKMSKeyId"]


def test_a_customers_key_is_needed_again(s3, bucket):
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret", **key)
    assert body_of(s3.get_object(Bucket=bucket, Key="k", **key)) == b"secret"
    assert refused(s3.get_object, Bucket=bucket, Key="k").code == "InvalidRequest"
    other = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "x" * 32}
    assert refused(s3.get_object, Bucket=bucket, Key="k", **other).status == 403


def test_deleting_is_idempotent(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for _ in range(2):
        gone = s3.delete_object(Bucket=bucket, Key="k")
        assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert "DeleteMarker" not in gone
    assert refused(s3.get_object, Bucket=bucket, Key="k").code == "NoSuchKey"


def test_a_batch_of_deletes_reports_each(s3, bucket):
    for key in ("a", "b"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    wanted = [{"Key": key} for key in ("a", "b", "none")]
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted})
    assert sorted(entry["Key"] for entry in done["Deleted"]) == ["a", "b", "none"]
    assert "Errors" not in done
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_quiet_batch_says_nothing_of_success(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}], "Quiet": True})
    assert "Deleted" not in done


def test_a_batch_has_at_most_a_thousand_keys(s3, bucket):
    wanted = [{"Key": f"k{n}"} for n in range(1001)]
    refusal = refused(s3.delete_objects, Bucket=bucket, Delete={"Objects": wanted})
    assert (refusal.code, refusal.status) == ("MalformedXML", 400)


def test_attributes_of_an_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm="SHA256")
    found = s3.get_object_attributes(
        Bucket=bucket,
        Key="k",
        ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass", "ObjectParts"],
    )
    assert found["ETag"] == hashlib.md5(b"hello").hexdigest()
    assert found["ObjectSize"] == 5
    assert found["StorageClass"] == "STANDARD"
    assert found["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    digest = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    assert found["Checksum"]["ChecksumSHA256"] == digest
    assert "ObjectParts" not in found


def test_tags_of_an_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags
    assert (
        s3.delete_object_tagging(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"]
        == 204
    )
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    many = [{"Key": f"k{n}", "Value": "v"} for n in range(11)]
    refusal = refused(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging={"TagSet": many})
    assert refusal.code == "BadRequest"
    assert refused(s3.get_object_tagging, Bucket=bucket, Key="none").code == "NoSuchKey"


def test_grants_of_an_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    found = s3.get_object_acl(Bucket=bucket, Key="k")
    assert [grant["Permission"] for grant in found["Grants"]] == ["FULL_CONTROL"]
    assert found["Grants"][0]["Grantee"]["ID"] == found["Owner"]["ID"]
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    shared = s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]
    assert {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"} in [
        grant["Grantee"] for grant in shared
    ]
    s3.put_object_acl(
        Bucket=bucket,
        Key="k",
        AccessControlPolicy={"Owner": found["Owner"], "Grants": found["Grants"]},
    )
    assert len(s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]) == 1


def test_another_account_is_let_in_by_grants_alone(s3, bucket, client):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    other = client("s3", access_key="123123123123")
    assert refused(other.get_object, Bucket=bucket, Key="k").code == "AccessDenied"
    assert refused(other.put_object, Bucket=bucket, Key="k", Body=b"y").status == 403
    assert refused(other.list_objects_v2, Bucket=bucket).status == 403
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    assert body_of(other.get_object(Bucket=bucket, Key="k")) == b"x"


def test_a_conditional_delete(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    refusal = refused(s3.delete_object, Bucket=bucket, Key="k", IfMatch='"other"')
    assert (refusal.code, refusal.status) == ("PreconditionFailed", 412)
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    assert refused(s3.head_object, Bucket=bucket, Key="k").status == 404


def test_a_failed_upload_leaves_nothing_and_changes_nothing(s3, bucket, raw):
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    with raw.socket() as wire:
        wire.sendall(
            f"PUT /{bucket}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".encode()
            + b"x" * 300_000
        )
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"before"


def test_what_was_acknowledged_is_there_after_a_kill(node_process, connect, name):
    node = node_process()
    s3 = connect(node.endpoint, "s3")
    s3.create_bucket(Bucket=name)
    small, large = b"s" * 100, b"l" * 500_000
    s3.put_object(Bucket=name, Key="small", Body=small)
    s3.put_object(Bucket=name, Key="large", Body=large)
    node.kill()
    node.start()
    s3 = connect(node.endpoint, "s3")
    assert body_of(s3.get_object(Bucket=name, Key="small")) == small
    assert body_of(s3.get_object(Bucket=name, Key="large")) == large


def test_readers_of_an_overwritten_object_see_one_whole_version(s3, bucket):
    bodies = [bytes([n]) * 400_000 for n in range(4)]
    s3.put_object(Bucket=bucket, Key="k", Body=bodies[0])
    with ThreadPoolExecutor(3) as pool:
        for body in bodies * 3:
            reads = [pool.submit(s3.get_object, Bucket=bucket, Key="k") for _ in range(3)]
            s3.put_object(Bucket=bucket, Key="k", Body=body)
            for read in reads:
                found = read.result()
                data = body_of(found)
                assert found["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
                assert data in bodies
