"""ListObjects, V1 and V2."""

from __future__ import annotations

import pytest
from tests.services.s3.conftest import refused

KEYS = ["a", "b/1", "b/2", "b/c/3", "d", "e f", "z/9"]


@pytest.fixture
def filled(s3, bucket):
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return bucket


def keys_of(page):
    return [entry["Key"] for entry in page.get("Contents", ())]


def prefixes_of(page):
    return [entry["Prefix"] for entry in page.get("CommonPrefixes", ())]


def test_everything_in_order(s3, filled):
    page = s3.list_objects_v2(Bucket=filled)
    assert keys_of(page) == KEYS
    assert page["KeyCount"] == 7
    assert page["MaxKeys"] == 1000
    assert page["IsTruncated"] is False
    assert "NextContinuationToken" not in page
    assert "Owner" not in page["Contents"][0]
    entry = page["Contents"][1]
    assert (entry["Size"], entry["StorageClass"]) == (3, "STANDARD")


def test_prefix_and_delimiter(s3, filled):
    page = s3.list_objects_v2(Bucket=filled, Delimiter="/")
    assert keys_of(page) == ["a", "d", "e f"]
    assert prefixes_of(page) == ["b/", "z/"]
    assert page["KeyCount"] == 5
    page = s3.list_objects_v2(Bucket=filled, Delimiter="/", Prefix="b/")
    assert keys_of(page) == ["b/1", "b/2"]
    assert prefixes_of(page) == ["b/c/"]
    assert s3.list_objects_v2(Bucket=filled, Prefix="nope")["KeyCount"] == 0


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_of_keys_and_prefixes(s3, filled, size):
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=filled, Delimiter="/", PaginationConfig={"PageSize": size}
    )
    found = [(keys_of(page), prefixes_of(page)) for page in pages]
    assert all(len(keys) + len(prefixes) <= size for keys, prefixes in found)
    assert [key for keys, _ in found for key in keys] == ["a", "d", "e f"]
    assert [prefix for _, prefixes in found for prefix in prefixes] == ["b/", "z/"]


def test_the_token_is_echoed_and_must_be_ours(s3, filled):
    page = s3.list_objects_v2(Bucket=filled, MaxKeys=2)
    assert page["IsTruncated"] is True
    token = page["NextContinuationToken"]
    following = s3.list_objects_v2(Bucket=filled, ContinuationToken=token, StartAfter="x")
    assert following["ContinuationToken"] == token
    assert keys_of(following) == KEYS[2:]
    refusal = refused(s3.list_objects_v2, Bucket=filled, ContinuationToken="nonsense!")
    assert (refusal.code, refusal.status) == ("InvalidArgument", 400)
    assert refusal.message == "The continuation token provided is incorrect"


def test_start_after_and_owner(s3, filled):
    page = s3.list_objects_v2(Bucket=filled, StartAfter="b/2", FetchOwner=True)
    assert keys_of(page) == KEYS[3:]
    assert page["StartAfter"] == "b/2"
    assert len(page["Contents"][0]["Owner"]["ID"]) == 64


def test_max_keys(s3, filled, raw):
    page = s3.list_objects_v2(Bucket=filled, MaxKeys=0)
    assert page["KeyCount"] == 0 and page["IsTruncated"] is False
    assert s3.list_objects_v2(Bucket=filled, MaxKeys=5000)["MaxKeys"] == 1000
    assert refused(s3.list_objects_v2, Bucket=filled, MaxKeys=-1).code == "InvalidArgument"
    answer = raw("GET", f"/{filled}?max-keys=blah", sign="s3")
    assert answer.status == 400
    assert b"<Code>InvalidArgument</Code>" in answer.body


def test_version_one(s3, filled):
    page = s3.list_objects(Bucket=filled, MaxKeys=3)
    assert keys_of(page) == KEYS[:3]
    assert page["IsTruncated"] is True
    assert "NextMarker" not in page
    assert page["Contents"][0]["Owner"]["ID"]
    following = s3.list_objects(Bucket=filled, Marker="b/2")
    assert keys_of(following) == KEYS[3:]
    assert following["Marker"] == "b/2"
    page = s3.list_objects(Bucket=filled, MaxKeys=2, Delimiter="/")
    assert (keys_of(page), prefixes_of(page)) == (["a"], ["b/"])
    assert page["NextMarker"] == "b/"
    page = s3.list_objects(Bucket=filled, Marker="b/", Delimiter="/")
    assert (keys_of(page), prefixes_of(page)) == (["d", "e f"], ["z/"])


def test_names_are_encoded_on_request(s3, bucket, raw):
    s3.put_object(Bucket=bucket, Key="a b/+ü&", Body=b"")
    answer = raw("GET", f"/{bucket}?list-type=2&encoding-type=url", sign="s3")
    assert b"<Key>a+b/%2B%C3%BC%26</Key>" in answer.body
    answer = raw("GET", f"/{bucket}?list-type=2", sign="s3")
    assert "<Key>a b/+ü&amp;</Key>" in answer.text
    answer = raw("GET", f"/{bucket}?encoding-type=base64", sign="s3")
    assert answer.status == 400


def test_listing_what_is_not_there(s3, name):
    refusal = refused(s3.list_objects_v2, Bucket=f"{name}-not")
    assert (refusal.code, refusal.status) == ("NoSuchBucket", 404)


def test_an_empty_bucket(s3, bucket):
    page = s3.list_objects_v2(Bucket=bucket)
    assert page["KeyCount"] == 0
    assert "Contents" not in page
