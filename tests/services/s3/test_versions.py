"""Versions and delete markers."""

from __future__ import annotations

import pytest
from tests.services.s3.conftest import body_of, refused


def set_versioning(s3, bucket, status):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


@pytest.fixture
def versioned(s3, bucket):
    set_versioning(s3, bucket, "Enabled")
    return bucket


def put(s3, bucket, key, body):
    return s3.put_object(Bucket=bucket, Key=key, Body=body).get("VersionId")


def shown(s3, bucket, **more):
    page = s3.list_object_versions(Bucket=bucket, **more)
    found = [(v["Key"], v["VersionId"], v["IsLatest"]) for v in page.get("Versions", ())]
    markers = [(v["Key"], v["VersionId"], v["IsLatest"]) for v in page.get("DeleteMarkers", ())]
    return found, markers


def test_versioning_is_off_until_it_is_switched_on(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for status in ("Enabled", "Suspended"):
        set_versioning(s3, bucket, status)
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status
    refusal = refused(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={})
    assert refusal.code == "IllegalVersioningConfigurationException"


def test_each_write_is_a_version_of_its_own(s3, versioned):
    first, second = put(s3, versioned, "k", b"1"), put(s3, versioned, "k", b"22")
    assert first != second
    newest = s3.get_object(Bucket=versioned, Key="k")
    assert (body_of(newest), newest["VersionId"]) == (b"22", second)
    older = s3.get_object(Bucket=versioned, Key="k", VersionId=first)
    assert (body_of(older), older["VersionId"]) == (b"1", first)
    assert shown(s3, versioned) == ([("k", second, True), ("k", first, False)], [])
    assert s3.list_objects_v2(Bucket=versioned)["Contents"][0]["Size"] == 2


def test_a_delete_hides_and_its_removal_shows_again(s3, versioned):
    first = put(s3, versioned, "k", b"1")
    gone = s3.delete_object(Bucket=versioned, Key="k")
    assert gone["DeleteMarker"] is True
    missing = refused(s3.get_object, Bucket=versioned, Key="k")
    assert missing.code == "NoSuchKey"
    assert missing.headers["x-amz-delete-marker"] == "true"
    assert missing.headers["x-amz-version-id"] == gone["VersionId"]
    assert shown(s3, versioned) == ([("k", first, False)], [("k", gone["VersionId"], True)])
    assert s3.list_objects_v2(Bucket=versioned)["KeyCount"] == 0
    named = refused(s3.get_object, Bucket=versioned, Key="k", VersionId=gone["VersionId"])
    assert (named.code, named.status) == ("MethodNotAllowed", 405)
    assert named.headers["x-amz-delete-marker"] == "true"
    removed = s3.delete_object(Bucket=versioned, Key="k", VersionId=gone["VersionId"])
    assert (removed["DeleteMarker"], removed["VersionId"]) == (True, gone["VersionId"])
    assert body_of(s3.get_object(Bucket=versioned, Key="k")) == b"1"
    assert shown(s3, versioned) == ([("k", first, True)], [])


def test_removing_the_newest_version_brings_the_one_before_back(s3, versioned):
    first, second, third = (put(s3, versioned, "k", body) for body in (b"1", b"2", b"3"))
    s3.delete_object(Bucket=versioned, Key="k", VersionId=second)
    assert body_of(s3.get_object(Bucket=versioned, Key="k")) == b"3"
    s3.delete_object(Bucket=versioned, Key="k", VersionId=third)
    assert body_of(s3.get_object(Bucket=versioned, Key="k")) == b"1"
    s3.delete_object(Bucket=versioned, Key="k", VersionId=first)
    assert refused(s3.get_object, Bucket=versioned, Key="k").code == "NoSuchKey"
    assert shown(s3, versioned) == ([], [])
    s3.delete_bucket(Bucket=versioned)


def test_version_ids_that_lead_nowhere(s3, versioned):
    first = put(s3, versioned, "k", b"1")
    s3.delete_object(Bucket=versioned, Key="k", VersionId=first)
    gone = refused(s3.get_object, Bucket=versioned, Key="k", VersionId=first)
    assert (gone.code, gone.status) == ("NoSuchVersion", 404)
    bad = refused(s3.get_object, Bucket=versioned, Key="k", VersionId="nonsense")
    assert (bad.code, bad.status) == ("InvalidArgument", 400)
    assert bad.message == "Invalid version id specified"
    s3.delete_object(Bucket=versioned, Key="k", VersionId=first)


def test_what_was_there_before_is_the_null_version(s3, bucket):
    assert put(s3, bucket, "k", b"0") is None
    set_versioning(s3, bucket, "Enabled")
    first = put(s3, bucket, "k", b"1")
    assert shown(s3, bucket) == ([("k", first, True), ("k", "null", False)], [])
    null = s3.get_object(Bucket=bucket, Key="k", VersionId="null")
    assert (body_of(null), null["VersionId"]) == (b"0", "null")
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert shown(s3, bucket) == ([("k", first, True)], [])


def test_suspended_writes_replace_the_null_version_alone(s3, versioned):
    first = put(s3, versioned, "k", b"1")
    set_versioning(s3, versioned, "Suspended")
    for body in (b"n1", b"n2"):
        put(s3, versioned, "k", body)
    assert shown(s3, versioned) == ([("k", "null", True), ("k", first, False)], [])
    assert body_of(s3.get_object(Bucket=versioned, Key="k")) == b"n2"
    gone = s3.delete_object(Bucket=versioned, Key="k")
    assert gone["VersionId"] == "null"
    assert shown(s3, versioned) == ([("k", first, False)], [("k", "null", True)])
    set_versioning(s3, versioned, "Enabled")
    third = put(s3, versioned, "k", b"3")
    assert shown(s3, versioned) == (
        [("k", third, True), ("k", first, False)],
        [("k", "null", False)],
    )
    set_versioning(s3, versioned, "Suspended")
    put(s3, versioned, "k", b"n3")
    assert shown(s3, versioned) == (
        [("k", "null", True), ("k", third, False), ("k", first, False)],
        [],
    )


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_versions_are_listed_in_pages(s3, versioned, size):
    made = [(key, put(s3, versioned, key, b"x")) for key in ("a", "a", "b/1", "b/2", "c", "c")]
    s3.delete_object(Bucket=versioned, Key="a")
    pages = list(
        s3.get_paginator("list_object_versions").paginate(
            Bucket=versioned, PaginationConfig={"PageSize": size}
        )
    )
    found = [(v["Key"], v["VersionId"]) for page in pages for v in page.get("Versions", ())]
    assert sorted(found) == sorted(made)
    assert [key for key, _ in found] == sorted(key for key, _ in made)
    markers = [m for page in pages for m in page.get("DeleteMarkers", ())]
    assert [(m["Key"], m["IsLatest"]) for m in markers] == [("a", True)]
    latest = [v["Key"] for page in pages for v in page.get("Versions", ()) if v["IsLatest"]]
    assert latest == ["b/1", "b/2", "c"]
    rolled = list(
        s3.get_paginator("list_object_versions").paginate(
            Bucket=versioned, Delimiter="/", PaginationConfig={"PageSize": size}
        )
    )
    assert [p["Prefix"] for page in rolled for p in page.get("CommonPrefixes", ())] == ["b/"]


def test_a_version_marker_needs_a_key_marker(s3, bucket):
    refusal = refused(s3.list_object_versions, Bucket=bucket, VersionIdMarker="x")
    assert (refusal.code, refusal.status) == ("InvalidArgument", 400)


def test_a_batch_deletes_versions_and_makes_markers(s3, versioned):
    first = put(s3, versioned, "a", b"1")
    put(s3, versioned, "b", b"1")
    wanted = [{"Key": "a", "VersionId": first}, {"Key": "b"}]
    done = s3.delete_objects(Bucket=versioned, Delete={"Objects": wanted})["Deleted"]
    assert done[0] == {"Key": "a", "VersionId": first}
    assert done[1]["DeleteMarker"] is True
    assert done[1]["DeleteMarkerVersionId"]
    refusal = refused(s3.delete_bucket, Bucket=versioned)
    assert refusal.code == "BucketNotEmpty"


def test_a_version_may_be_copied_and_tagged(s3, versioned):
    first = put(s3, versioned, "k", b"1")
    put(s3, versioned, "k", b"2")
    made = s3.copy_object(
        Bucket=versioned,
        Key="k",
        CopySource={"Bucket": versioned, "Key": "k", "VersionId": first},
    )
    assert made["CopySourceVersionId"] == first
    assert body_of(s3.get_object(Bucket=versioned, Key="k")) == b"1"
    tags = [{"Key": "t", "Value": "1"}]
    s3.put_object_tagging(Bucket=versioned, Key="k", VersionId=first, Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket=versioned, Key="k", VersionId=first)["TagSet"] == tags
    assert s3.get_object_tagging(Bucket=versioned, Key="k")["TagSet"] == []


def test_a_locked_version_stays(s3, name):
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    first = put(s3, name, "k", b"1")
    s3.put_object_legal_hold(Bucket=name, Key="k", LegalHold={"Status": "ON"})
    held = refused(s3.delete_object, Bucket=name, Key="k", VersionId=first)
    assert (held.code, held.status) == ("AccessDenied", 403)
    s3.put_object_legal_hold(Bucket=name, Key="k", LegalHold={"Status": "OFF"})
    s3.delete_object(Bucket=name, Key="k", VersionId=first)
    suspended = refused(
        s3.put_bucket_versioning, Bucket=name, VersioningConfiguration={"Status": "Suspended"}
    )
    assert (suspended.code, suspended.status) == ("InvalidBucketState", 409)


def test_mfa_delete_asks_for_mfa(s3, bucket):
    def put(**more):
        return s3.put_bucket_versioning(Bucket=bucket, **more)

    both = {"Status": "Enabled", "MFADelete": "Enabled"}
    without = refused(put, VersioningConfiguration=both)
    assert (without.code, without.status) == ("AccessDenied", 403)
    assert without.message == "Mfa Authentication must be used for this request"
    wrong = refused(put, VersioningConfiguration=both, MFA="junk")
    assert (wrong.code, wrong.status) == ("InvalidArgument", 400)
    code = "arn:aws:iam::123456789012:mfa/root 123456"
    put(VersioningConfiguration=both, MFA=code)
    shown = s3.get_bucket_versioning(Bucket=bucket)
    assert (shown["Status"], shown["MFADelete"]) == ("Enabled", "Enabled")
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"]
    named = {"Bucket": bucket, "Key": "k", "VersionId": version}
    assert refused(s3.delete_object, **named).code == "AccessDenied"
    batch = {"Objects": [{"Key": "k", "VersionId": version}]}
    assert s3.delete_objects(Bucket=bucket, Delete=batch)["Errors"][0]["Code"] == "AccessDenied"
    assert s3.delete_object(Bucket=bucket, Key="k")["DeleteMarker"] is True
    s3.delete_object(**named, MFA=code)
    assert refused(put, VersioningConfiguration={"Status": "Suspended"}).code == "AccessDenied"
    put(VersioningConfiguration={"Status": "Enabled", "MFADelete": "Disabled"}, MFA=code)
    assert s3.get_bucket_versioning(Bucket=bucket)["MFADelete"] == "Disabled"
