"""Buckets: creation, ownership, listing, deletion."""

from __future__ import annotations

import pytest
from tests.services.s3.conftest import refused


def test_a_bucket_is_there_once_made(s3, name):
    made = s3.create_bucket(Bucket=name)
    assert made["Location"] == f"/{name}"
    head = s3.head_bucket(Bucket=name)
    assert head["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == [name]


def test_a_bucket_in_another_region(s3, client, name):
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "eu-west-1"
    west = client("s3", region="eu-west-1")
    again = refused(
        west.create_bucket,
        Bucket=name,
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )
    assert (again.code, again.status) == ("BucketAlreadyOwnedByYou", 409)
    assert again.error["BucketName"] == name
    bare = refused(west.create_bucket, Bucket=f"{name}-2")
    assert bare.code == "IllegalLocationConstraintException"


def test_making_ones_own_bucket_again_in_us_east_1_changes_nothing(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.create_bucket(Bucket=bucket)
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 1


def test_names_are_taken_over_all_accounts(bucket, client):
    other = client("s3", access_key="123123123123")
    refusal = refused(other.create_bucket, Bucket=bucket)
    assert (refusal.code, refusal.status) == ("BucketAlreadyExists", 409)
    assert refused(other.head_bucket, Bucket=bucket).status == 403
    assert refused(other.delete_bucket, Bucket=bucket).status == 403


@pytest.mark.parametrize("bad", ["ab", "Upper-Case", "under_score", "192.168.1.1", "a..b"])
def test_bad_names_are_refused(raw, bad):
    answer = raw("PUT", f"/{bad}", sign="s3")
    assert answer.status == 400
    assert "<Code>InvalidBucketName</Code>" in answer.text
    assert f"<BucketName>{bad}</BucketName>" in answer.text


def test_a_bucket_that_is_not_there(s3, name):
    assert refused(s3.head_bucket, Bucket=name).status == 404
    for call in (s3.delete_bucket, s3.get_bucket_location, s3.list_objects):
        refusal = refused(call, Bucket=name)
        assert (refusal.code, refusal.status) == ("NoSuchBucket", 404)


def test_only_an_empty_bucket_is_deleted(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    refusal = refused(s3.delete_bucket, Bucket=bucket)
    assert (refusal.code, refusal.status) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=bucket, Key="k")
    assert s3.delete_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert "Buckets" not in s3.list_buckets() or s3.list_buckets()["Buckets"] == []
    assert refused(s3.head_bucket, Bucket=bucket).status == 404


def test_a_bucket_made_again_is_a_new_one(s3, bucket):
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    s3.create_multipart_upload(Bucket=bucket, Key="left")
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    assert refused(s3.get_bucket_tagging, Bucket=bucket).code == "NoSuchTagSet"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_buckets_are_listed_in_pages(s3, name):
    made = [f"{name}-{n}" for n in range(3)]
    for one in made:
        s3.create_bucket(Bucket=one)
    page = s3.list_buckets(MaxBuckets=2)
    assert [b["Name"] for b in page["Buckets"]] == made[:2]
    rest = s3.list_buckets(MaxBuckets=2, ContinuationToken=page["ContinuationToken"])
    assert [b["Name"] for b in rest["Buckets"]] == made[2:]
    assert "ContinuationToken" not in rest
    assert [b["Name"] for b in s3.list_buckets(Prefix=made[1])["Buckets"]] == [made[1]]
    assert s3.list_buckets(BucketRegion="eu-west-1").get("Buckets", []) == []


def test_the_expected_owner_is_checked(s3, bucket, account):
    s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
    refusal = refused(s3.list_objects, Bucket=bucket, ExpectedBucketOwner="111111111111")
    assert (refusal.code, refusal.status) == ("AccessDenied", 403)


def test_grants_of_a_bucket(s3, bucket, client):
    found = s3.get_bucket_acl(Bucket=bucket)
    assert [grant["Permission"] for grant in found["Grants"]] == ["FULL_CONTROL"]
    assert found["Grants"][0]["Grantee"]["Type"] == "CanonicalUser"
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    other = client("s3", access_key="123123123123")
    assert other.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert refused(other.put_object, Bucket=bucket, Key="k", Body=b"x").status == 403
    bad = refused(s3.put_bucket_acl, Bucket=bucket, ACL="everyone")
    assert (bad.code, bad.status) == ("InvalidArgument", 400)


def test_enforced_ownership_switches_grants_off(s3, name):
    s3.create_bucket(Bucket=name, ObjectOwnership="BucketOwnerEnforced")
    refusal = refused(s3.put_bucket_acl, Bucket=name, ACL="public-read")
    assert (refusal.code, refusal.status) == ("AccessControlListNotSupported", 400)
    refusal = refused(s3.put_object, Bucket=name, Key="k", Body=b"", ACL="public-read")
    assert refusal.code == "AccessControlListNotSupported"


def test_a_listing_shows_regions_when_it_has_a_parameter(s3, bucket):
    [plain] = s3.list_buckets()["Buckets"]
    assert "BucketRegion" not in plain
    [asked] = s3.list_buckets(Prefix=bucket)["Buckets"]
    assert asked["BucketRegion"] == "us-east-1"
