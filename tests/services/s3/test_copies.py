"""Copies within and between buckets."""

from __future__ import annotations

from datetime import timedelta

from tests.services.s3.conftest import body_of, refused


def test_a_copy_has_bytes_and_metadata_of_its_source(s3, bucket):
    s3.put_object(
        Bucket=bucket,
        Key="a b+c?.txt",
        Body=b"hello" * 50_000,
        ContentType="text/plain",
        Metadata={"x": "1"},
        Tagging="t=1",
        StorageClass="STANDARD_IA",
    )
    made = s3.copy_object(
        Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a b+c?.txt"}
    )
    found = s3.get_object(Bucket=bucket, Key="copy")
    assert made["CopyObjectResult"]["ETag"] == found["ETag"]
    assert body_of(found) == b"hello" * 50_000
    assert found["ContentType"] == "text/plain"
    assert found["Metadata"] == {"x": "1"}
    assert found["TagCount"] == 1
    assert "StorageClass" not in found


def test_metadata_and_tags_may_be_replaced(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"x", Metadata={"x": "1"}, Tagging="t=1")
    s3.copy_object(
        Bucket=bucket,
        Key="b",
        CopySource=f"{bucket}/a",
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",
        Metadata={"y": "2"},
        ContentType="image/png",
        Tagging="u=2",
    )
    found = s3.head_object(Bucket=bucket, Key="b")
    assert found["Metadata"] == {"y": "2"}
    assert found["ContentType"] == "image/png"
    tags = s3.get_object_tagging(Bucket=bucket, Key="b")["TagSet"]
    assert tags == [{"Key": "u", "Value": "2"}]


def test_a_copy_onto_itself_must_change_something(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"x", Metadata={"x": "1"})
    refusal = refused(s3.copy_object, Bucket=bucket, Key="a", CopySource=f"{bucket}/a")
    assert (refusal.code, refusal.status) == ("InvalidRequest", 400)
    assert "to itself without changing" in refusal.message
    s3.copy_object(
        Bucket=bucket,
        Key="a",
        CopySource=f"{bucket}/a",
        MetadataDirective="REPLACE",
        Metadata={"y": "2"},
    )
    found = s3.get_object(Bucket=bucket, Key="a")
    assert found["Metadata"] == {"y": "2"}
    assert body_of(found) == b"x"


def test_a_copy_between_buckets(s3, bucket, name):
    s3.create_bucket(Bucket=f"{name}-2")
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    s3.copy_object(Bucket=f"{name}-2", Key="b", CopySource=f"/{bucket}/a")
    assert body_of(s3.get_object(Bucket=f"{name}-2", Key="b")) == b"x"


def test_a_copy_needs_its_source(s3, bucket, name):
    missing = refused(s3.copy_object, Bucket=bucket, Key="b", CopySource=f"{bucket}/none")
    assert (missing.code, missing.status) == ("NoSuchKey", 404)
    nowhere = refused(s3.copy_object, Bucket=bucket, Key="b", CopySource=f"{name}-not/a")
    assert (nowhere.code, nowhere.status) == ("NoSuchBucket", 404)
    nothing = refused(s3.copy_object, Bucket=bucket, Key="b", CopySource="nonsense")
    assert (nothing.code, nothing.status) == ("InvalidArgument", 400)


def test_copy_conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="a", Body=b"x")["ETag"]
    modified = s3.head_object(Bucket=bucket, Key="a")["LastModified"]
    target = {"Bucket": bucket, "Key": "b", "CopySource": f"{bucket}/a"}
    s3.copy_object(**target, CopySourceIfMatch=etag)
    for condition in (
        {"CopySourceIfMatch": '"no"'},
        {"CopySourceIfNoneMatch": etag},
        {"CopySourceIfModifiedSince": modified},
        {"CopySourceIfUnmodifiedSince": modified - timedelta(hours=1)},
    ):
        refusal = refused(s3.copy_object, **target, **condition)
        assert (refusal.code, refusal.status) == ("PreconditionFailed", 412)


def test_a_copy_may_ask_for_another_checksum(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    made = s3.copy_object(
        Bucket=bucket, Key="b", CopySource=f"{bucket}/a", ChecksumAlgorithm="SHA256"
    )
    shown = s3.head_object(Bucket=bucket, Key="b", ChecksumMode="ENABLED")
    assert made["CopyObjectResult"]["ChecksumSHA256"] == shown["ChecksumSHA256"]
