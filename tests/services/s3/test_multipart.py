"""Uploads in parts."""

from __future__ import annotations

import base64
import hashlib

import pytest
from tests.services.s3.conftest import body_of, refused

from lambent.core import checksums
from lambent.core.clock import VirtualClock
from lambent.services.s3 import retirement

MIB = 1024 * 1024
FIRST = b"a" * (5 * MIB)
SECOND = b"b" * 1000


def md5_of_md5s(*parts):
    joined = b"".join(hashlib.md5(part).digest() for part in parts)
    return f'"{hashlib.md5(joined).hexdigest()}-{len(parts)}"'


@pytest.fixture
def upload(s3, bucket):
    """Begin an upload; gives the arguments that name it."""

    def begin(key="big", **more):
        made = s3.create_multipart_upload(Bucket=bucket, Key=key, **more)
        assert (made["Bucket"], made["Key"]) == (bucket, key)
        return {"Bucket": bucket, "Key": key, "UploadId": made["UploadId"]}

    return begin


def send(s3, target, *bodies, **more):
    parts = []
    for number, body in enumerate(bodies, start=1):
        sent = s3.upload_part(**target, PartNumber=number, Body=body, **more)
        parts.append({"PartNumber": number, "ETag": sent["ETag"]})
    return parts


def complete(s3, target, parts, **more):
    return s3.complete_multipart_upload(**target, MultipartUpload={"Parts": parts}, **more)


def test_parts_become_one_object(s3, bucket, upload):
    target = upload(ContentType="text/plain", Metadata={"x": "1"}, Tagging="t=1")
    done = complete(s3, target, send(s3, target, FIRST, SECOND))
    assert done["ETag"] == md5_of_md5s(FIRST, SECOND)
    assert done["Location"].endswith(f"/{bucket}/big")
    found = s3.get_object(Bucket=bucket, Key="big")
    assert body_of(found) == FIRST + SECOND
    assert found["ETag"] == done["ETag"]
    assert found["ContentType"] == "text/plain"
    assert found["Metadata"] == {"x": "1"}
    assert found["TagCount"] == 1
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    across = s3.get_object(Bucket=bucket, Key="big", Range=f"bytes={5 * MIB - 2}-{5 * MIB + 1}")
    assert body_of(across) == b"aabb"


def test_an_object_is_not_there_before_it_is_complete(s3, bucket, upload):
    target = upload()
    send(s3, target, SECOND)
    assert refused(s3.head_object, Bucket=bucket, Key="big").status == 404
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_part_may_be_got_by_number(s3, bucket, upload):
    target = upload()
    complete(s3, target, send(s3, target, FIRST, SECOND))
    found = s3.get_object(Bucket=bucket, Key="big", PartNumber=2)
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert found["PartsCount"] == 2
    assert found["ContentRange"] == f"bytes {5 * MIB}-{5 * MIB + 999}/{5 * MIB + 1000}"
    assert body_of(found) == SECOND
    refusal = refused(s3.get_object, Bucket=bucket, Key="big", PartNumber=3)
    assert (refusal.code, refusal.status) == ("InvalidPartNumber", 416)
    both = refused(s3.get_object, Bucket=bucket, Key="big", PartNumber=1, Range="bytes=0-1")
    assert both.code == "InvalidRequest"


def test_a_part_sent_again_replaces_the_first(s3, bucket, upload):
    target = upload()
    send(s3, target, b"old")
    complete(s3, target, send(s3, target, b"new"))
    assert body_of(s3.get_object(Bucket=bucket, Key="big")) == b"new"


def test_parts_left_out_are_dropped(s3, bucket, upload):
    target = upload()
    parts = send(s3, target, b"one", b"two")
    complete(s3, target, parts[1:])
    assert body_of(s3.get_object(Bucket=bucket, Key="big")) == b"two"


def test_completing_again_gives_the_same_answer(s3, upload):
    target = upload()
    parts = send(s3, target, b"x")
    assert complete(s3, target, parts)["ETag"] == complete(s3, target, parts)["ETag"]


def test_what_cannot_be_completed(s3, upload):
    target = upload()
    parts = send(s3, target, b"x", b"y")
    finish = s3.complete_multipart_upload
    order = refused(finish, **target, MultipartUpload={"Parts": parts[::-1]})
    assert (order.code, order.status) == ("InvalidPartOrder", 400)
    small = refused(finish, **target, MultipartUpload={"Parts": parts})
    assert (small.code, small.status) == ("EntityTooSmall", 400)
    assert small.error["MinSizeAllowed"] == str(5 * MIB)
    wrong = [{"PartNumber": 1, "ETag": '"00000000000000000000000000000000"'}]
    assert refused(finish, **target, MultipartUpload={"Parts": wrong}).code == "InvalidPart"
    absent = [{"PartNumber": 7, "ETag": parts[0]["ETag"]}]
    assert refused(finish, **target, MultipartUpload={"Parts": absent}).code == "InvalidPart"
    assert refused(finish, **target, MultipartUpload={"Parts": []}).code == "MalformedXML"


def test_an_unknown_upload(s3, bucket):
    target = {"Bucket": bucket, "Key": "big", "UploadId": "nonsense"}
    for call, more in (
        (s3.upload_part, {"PartNumber": 1, "Body": b"x"}),
        (s3.list_parts, {}),
        (s3.abort_multipart_upload, {}),
        (
            s3.complete_multipart_upload,
            {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": "x"}]}},
        ),
    ):
        refusal = refused(call, **target, **more)
        assert (refusal.code, refusal.status) == ("NoSuchUpload", 404)


@pytest.mark.parametrize("number", [0, 10_001])
def test_part_numbers_have_limits(s3, upload, number):
    refusal = refused(s3.upload_part, **upload(), PartNumber=number, Body=b"x")
    assert (refusal.code, refusal.status) == ("InvalidArgument", 400)
    assert refusal.message == "Part number must be an integer between 1 and 10000, inclusive"


def test_an_aborted_upload_is_gone(s3, bucket, upload):
    target = upload()
    parts = send(s3, target, b"x")
    s3.abort_multipart_upload(**target)
    refusal = refused(s3.complete_multipart_upload, **target, MultipartUpload={"Parts": parts})
    assert refusal.code == "NoSuchUpload"


def test_parts_are_listed_in_pages(s3, upload):
    target = upload()
    send(s3, target, b"a", b"bb", b"ccc")
    page = s3.list_parts(**target, MaxParts=2)
    assert [(part["PartNumber"], part["Size"]) for part in page["Parts"]] == [(1, 1), (2, 2)]
    assert (page["IsTruncated"], page["NextPartNumberMarker"]) == (True, 2)
    rest = s3.list_parts(**target, PartNumberMarker=2)
    assert [part["PartNumber"] for part in rest["Parts"]] == [3]
    assert rest["IsTruncated"] is False
    assert rest["StorageClass"] == "STANDARD"


def test_uploads_are_listed_with_prefixes_and_pages(s3, bucket, upload):
    made = [upload(key) for key in ("a/1", "b", "b", "c/2", "c/3")]
    page = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [entry["Key"] for entry in page["Uploads"]] == ["b", "b"]
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == ["a/", "c/"]
    page = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=2)
    assert page["IsTruncated"] is True
    assert page["NextKeyMarker"] == "b"
    rest = s3.list_multipart_uploads(
        Bucket=bucket,
        KeyMarker=page["NextKeyMarker"],
        UploadIdMarker=page["NextUploadIdMarker"],
    )
    found = [entry["UploadId"] for entry in page["Uploads"] + rest["Uploads"]]
    assert found == [target["UploadId"] for target in made]
    only = s3.list_multipart_uploads(Bucket=bucket, Prefix="c/")
    assert [entry["Key"] for entry in only["Uploads"]] == ["c/2", "c/3"]


def test_parts_may_be_copied_from_objects(s3, bucket, upload):
    s3.put_object(Bucket=bucket, Key="source", Body=FIRST + SECOND)
    target = upload()
    first = s3.upload_part_copy(
        **target,
        PartNumber=1,
        CopySource=f"{bucket}/source",
        CopySourceRange=f"bytes=0-{5 * MIB - 1}",
    )["CopyPartResult"]
    second = s3.upload_part_copy(
        **target,
        PartNumber=2,
        CopySource=f"{bucket}/source",
        CopySourceRange=f"bytes={5 * MIB}-{5 * MIB + 9}",
    )["CopyPartResult"]
    parts = [
        {"PartNumber": 1, "ETag": first["ETag"]},
        {"PartNumber": 2, "ETag": second["ETag"]},
    ]
    assert complete(s3, target, parts)["ETag"] == md5_of_md5s(FIRST, b"b" * 10)
    assert body_of(s3.get_object(Bucket=bucket, Key="big")) == FIRST + b"b" * 10
    refusal = refused(
        s3.upload_part_copy,
        **upload(),
        PartNumber=1,
        CopySource=f"{bucket}/source",
        CopySourceRange=f"bytes=0-{6 * MIB}",
    )
    assert (refusal.code, refusal.status) == ("InvalidArgument", 400)


def test_a_composite_checksum(s3, bucket, upload):
    target = upload(ChecksumAlgorithm="SHA256")
    parts = []
    for number, body in ((1, FIRST), (2, SECOND)):
        sent = s3.upload_part(**target, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256")
        parts.append(
            {
                "PartNumber": number,
                "ETag": sent["ETag"],
                "ChecksumSHA256": sent["ChecksumSHA256"],
            }
        )
    done = complete(s3, target, parts)
    joined = hashlib.sha256(FIRST).digest() + hashlib.sha256(SECOND).digest()
    whole = base64.b64encode(hashlib.sha256(joined).digest()).decode() + "-2"
    assert done["ChecksumSHA256"] == whole
    assert done["ChecksumType"] == "COMPOSITE"
    shown = s3.get_object_attributes(
        Bucket=bucket, Key="big", ObjectAttributes=["Checksum", "ObjectParts"]
    )
    assert shown["Checksum"]["ChecksumSHA256"] == whole
    assert shown["ObjectParts"]["TotalPartsCount"] == 2
    assert [part["Size"] for part in shown["ObjectParts"]["Parts"]] == [5 * MIB, 1000]


def test_a_full_object_checksum(s3, bucket, upload):
    target = upload(ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    parts = send(s3, target, FIRST, SECOND, ChecksumAlgorithm="CRC32")
    whole = checksums.of("CRC32", FIRST + SECOND)
    wrong = refused(
        s3.complete_multipart_upload,
        **target,
        MultipartUpload={"Parts": parts},
        ChecksumCRC32=checksums.of("CRC32", FIRST),
    )
    assert wrong.code == "BadDigest"
    done = complete(s3, target, parts, ChecksumCRC32=whole)
    assert done["ChecksumCRC32"] == whole
    assert done["ChecksumType"] == "FULL_OBJECT"
    found = s3.head_object(Bucket=bucket, Key="big", ChecksumMode="ENABLED")
    assert found["ChecksumCRC32"] == whole


def test_without_an_algorithm_the_whole_gets_the_default_checksum(s3, upload):
    target = upload()
    done = complete(s3, target, send(s3, target, FIRST, SECOND))
    assert done["ChecksumCRC64NVME"] == checksums.of("CRC64NVME", FIRST + SECOND)


def test_a_part_must_have_the_checksum_of_its_upload(s3, upload):
    target = upload(ChecksumAlgorithm="SHA256")
    refusal = refused(s3.upload_part, **target, PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC32")
    assert (refusal.code, refusal.status) == ("InvalidRequest", 400)


def test_a_conditional_completion(s3, bucket, upload):
    s3.put_object(Bucket=bucket, Key="big", Body=b"there")
    target = upload()
    parts = send(s3, target, b"x")
    refusal = refused(
        s3.complete_multipart_upload,
        **target,
        MultipartUpload={"Parts": parts},
        IfNoneMatch="*",
    )
    assert (refusal.code, refusal.status) == ("PreconditionFailed", 412)


def test_a_multipart_object_is_copied_whole(s3, bucket, upload):
    target = upload()
    complete(s3, target, send(s3, target, FIRST, SECOND))
    made = s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/big")
    assert made["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(FIRST + SECOND).hexdigest()}"'
    assert body_of(s3.get_object(Bucket=bucket, Key="copy")) == FIRST + SECOND


def test_a_download_of_parts_goes_on_when_the_object_is_replaced(s3, bucket, upload):
    target = upload()
    complete(s3, target, send(s3, target, FIRST, FIRST, SECOND))
    begun = s3.get_object(Bucket=bucket, Key="big")
    start = begun["Body"].read(1000)
    s3.put_object(Bucket=bucket, Key="big", Body=b"new")
    assert start + begun["Body"].read() == FIRST + FIRST + SECOND
    assert body_of(s3.get_object(Bucket=bucket, Key="big")) == b"new"


def test_parts_of_a_replaced_object_are_given_up_after_a_while(fresh_node, connect, name):
    clock = VirtualClock()
    node = fresh_node(clock=clock)
    s3 = connect(node.endpoint, "s3")
    s3.create_bucket(Bucket=name)
    target = {"Bucket": name, "Key": "big"}
    target["UploadId"] = s3.create_multipart_upload(**target)["UploadId"]
    complete(s3, target, send(s3, target, FIRST, SECOND))
    s3.delete_object(Bucket=name, Key="big")
    files = node.node.settings.data_dir / "blobs"
    assert len(list(files.iterdir())) == 1
    node.run(clock.advance(retirement.KEPT_SECONDS + 1))
    deadline = 200
    while any(files.iterdir()) and deadline:
        node.run(clock.advance(1))
        deadline -= 1
    assert not any(files.iterdir())
