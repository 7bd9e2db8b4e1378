"""The small pure rules: names, ranges, conditions, tags, copy sources, regions, policies."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.core.errors import AwsError
from lambent.services.s3 import acl, checksums, conditions, policy, tagging, template
from lambent.services.s3.bucket_operations import bucket_region
from lambent.services.s3.conditions import Verdict
from lambent.services.s3.copy_source import CopySource, parse_copy_source
from lambent.services.s3.model import (
    escape_key,
    escape_start,
    make_version_id,
    unescape_key,
    version_seq,
    version_sort,
)
from lambent.services.s3.names import is_bucket_name, key_bytes
from lambent.services.s3.ranges import Span, parse_copy_range, parse_range


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("abc", True),
        ("a-b.c1", True),
        ("1bucket", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("ab", False),
        ("Abc", False),
        ("a_b", False),
        ("-abc", False),
        ("abc-", False),
        (".abc", False),
        ("a..b", False),
        ("a.-b", False),
        ("192.168.5.4", False),
        ("xn--bucket", False),
        ("bucket-s3alias", False),
        ("bucket--ol-s3", False),
        ("", False),
        ("büch", False),
    ],
)
def test_bucket_names_follow_the_published_rules(name: str, valid: bool) -> None:
    assert is_bucket_name(name) is valid


def test_a_key_may_have_1024_bytes_and_no_more() -> None:
    assert len(key_bytes("ü" * 512)) == 1024
    with pytest.raises(AwsError) as caught:
        key_bytes("ü" * 512 + "a")
    assert caught.value.code == "KeyTooLongError"


@pytest.mark.parametrize(
    ("header", "size", "span"),
    [
        ("bytes=0-4", 10, Span(0, 5, 10)),
        ("bytes=4-100", 10, Span(4, 6, 10)),
        ("bytes=4-", 10, Span(4, 6, 10)),
        ("bytes=-3", 10, Span(7, 3, 10)),
        ("bytes=-30", 10, Span(0, 10, 10)),
        ("bytes=0-1,4-5", 10, None),
        ("bytes=5-4", 10, None),
        ("bytes=a-b", 10, None),
        ("lines=0-4", 10, None),
        ("bytes=-", 10, None),
    ],
)
def test_a_range_is_served_or_passed_over(header: str, size: int, span: Span | None) -> None:
    assert parse_range(header, size) == span


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=99-100", 10), ("bytes=0-0", 0), ("bytes=-0", 5)]
)
def test_a_range_beyond_the_end_cannot_be_satisfied(header: str, size: int) -> None:
    with pytest.raises(AwsError) as caught:
        parse_range(header, size)
    assert (caught.value.code, caught.value.status) == ("InvalidRange", 416)


@pytest.mark.parametrize("header", ["bytes=0-10", "bytes=5-4", "bytes=-4", "0-4", "bytes=2-"])
def test_a_copy_range_must_lie_within_the_source(header: str) -> None:
    with pytest.raises(AwsError) as caught:
        parse_copy_range(header, 10)
    assert caught.value.code == "InvalidArgument"


@pytest.mark.parametrize(
    ("given_conditions", "verdict"),
    [
        ({}, Verdict.PROCEED),
        ({"if_match": '"e"'}, Verdict.PROCEED),
        ({"if_match": "*"}, Verdict.PROCEED),
        ({"if_match": '"x", "e"'}, Verdict.PROCEED),
        ({"if_match": '"x"'}, Verdict.FAILED),
        ({"if_none_match": '"e"'}, Verdict.NOT_MODIFIED),
        ({"if_none_match": '"x"'}, Verdict.PROCEED),
        ({"if_modified_since": 100.0}, Verdict.NOT_MODIFIED),
        ({"if_modified_since": 99.0}, Verdict.PROCEED),
        ({"if_unmodified_since": 100.0}, Verdict.PROCEED),
        ({"if_unmodified_since": 99.0}, Verdict.FAILED),
        ({"if_match": '"e"', "if_unmodified_since": 50.0}, Verdict.PROCEED),
        ({"if_none_match": '"e"', "if_modified_since": 50.0}, Verdict.NOT_MODIFIED),
        ({"if_none_match": '"x"', "if_modified_since": 200.0}, Verdict.PROCEED),
        ({"if_match": '"x"', "if_none_match": '"e"'}, Verdict.FAILED),
    ],
)
def test_conditions_are_judged_in_order_of_precedence(
    given_conditions: dict[str, object], verdict: Verdict
) -> None:
    assert conditions.evaluate("e", 100.7, **given_conditions)[0] is verdict  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "source"),
    [
        ("b/k", CopySource("b", "k", None)),
        ("/b/k", CopySource("b", "k", None)),
        ("b/k%20%2B%3F/x", CopySource("b", "k +?/x", None)),
        ("b/k?versionId=v1", CopySource("b", "k", "v1")),
        ("b/k%3FversionId=v1", CopySource("b", "k?versionId=v1", None)),
        ("b//k/", CopySource("b", "/k/", None)),
    ],
)
def test_a_copy_source_is_decoded(header: str, source: CopySource) -> None:
    assert parse_copy_source(header) == source


@pytest.mark.parametrize(
    ("constraint", "region", "made"),
    [
        (None, "us-east-1", "us-east-1"),
        ("eu-west-1", "us-east-1", "eu-west-1"),
        ("EU", "us-east-1", "eu-west-1"),
        ("eu-west-1", "eu-west-1", "eu-west-1"),
        (None, "eu-west-1", "IllegalLocationConstraintException"),
        ("us-west-2", "eu-west-1", "IllegalLocationConstraintException"),
        ("us-east-1", "us-east-1", "InvalidLocationConstraint"),
        ("us-east-1", "eu-west-1", "IllegalLocationConstraintException"),
        ("nowhere", "us-east-1", "InvalidLocationConstraint"),
    ],
)
def test_the_location_constraint_and_the_endpoint_agree_on_the_region(
    constraint: str | None, region: str, made: str
) -> None:
    if "-" in made:
        assert bucket_region(constraint, region) == made
        return
    with pytest.raises(AwsError) as caught:
        bucket_region(constraint, region)
    assert caught.value.code == made


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ([("k", "v")], None),
        ([("", "v")], "InvalidTag"),
        ([("k" * 129, "v")], "InvalidTag"),
        ([("k", "v" * 257)], "InvalidTag"),
        ([("k", "v"), ("k", "w")], "InvalidTag"),
        ([("aws:x", "v")], "InvalidTag"),
        ([("k&", "v")], "InvalidTag"),
        ([(f"k{n}", "v") for n in range(11)], "BadRequest"),
    ],
)
def test_tags_keep_to_their_limits(pairs: list[tuple[str, str]], code: str | None) -> None:
    if code is None:
        assert tagging.read_tags(pairs, tagging.OBJECT_TAGS) == dict(pairs)
        return
    with pytest.raises(AwsError) as caught:
        tagging.read_tags(pairs, tagging.OBJECT_TAGS)
    assert caught.value.code == code


def test_the_tagging_header_is_a_query_string() -> None:
    assert tagging.tag_header("a=1&b=x%20y&c=") == {"a": "1", "b": "x y", "c": ""}


@given(st.lists(st.binary(max_size=5), min_size=2, max_size=2), st.binary(max_size=3))
def test_escaped_keys_keep_the_order_of_keys(keys: list[bytes], tail: bytes) -> None:
    one, other = keys
    assert unescape_key(escape_key(one) + tail) == (one, tail)
    if one < other:
        assert escape_key(one) + tail < escape_key(other)
        assert escape_key(one) + tail < escape_start(other) <= escape_key(other)


@given(st.integers(0, 2**63), st.binary(min_size=16, max_size=16))
def test_a_version_id_tells_where_its_version_lies(seq: int, salt: bytes) -> None:
    shown = make_version_id(seq, salt)
    assert len(shown) == 32
    assert version_seq(shown) == seq


def test_newer_versions_of_a_key_come_first() -> None:
    assert version_sort(b"a", 2) < version_sort(b"a", 1) < version_sort(b"a\0", 9)


@pytest.mark.parametrize("name", ["", "not-ours", "x" * 32 + "=", "ü" * 32])
def test_other_strings_are_no_version_ids(name: str) -> None:
    assert version_seq(name) is None


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5))
def test_combined_checksums_are_those_of_all_bytes(pieces: list[bytes]) -> None:
    from lambent.core import checksums as core

    for algorithm in ("CRC32", "CRC32C", "CRC64NVME"):
        parts = [(core.of(algorithm, piece), len(piece)) for piece in pieces]
        assert checksums.combine(algorithm, parts) == core.of(algorithm, b"".join(pieces))


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("CRC32", "y/Q5Jg=="),
        ("CRC32C", "4waSgw=="),
        ("CRC64NVME", "rosUhgp5mIg="),
        ("MD5", "JfnnlDI7RTiF9RgfG2JNCw=="),
    ],
)
def test_checksums_agree_with_their_published_values(algorithm: str, digest: str) -> None:
    from lambent.core import checksums as core

    assert core.of(algorithm, b"123456789") == digest


def test_canned_grants_name_the_groups() -> None:
    grants = acl.canned("public-read", "111111111111", "111111111111")
    assert acl.permits(grants, "222222222222", "READ")
    assert not acl.permits(grants, "222222222222", "WRITE")
    assert acl.is_public(grants)
    assert not acl.is_public(acl.private("111111111111"))


_OPEN = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
            "Action": "s3:Get*",
            "Resource": ["arn:aws:s3:::b/*"],
        },
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": "arn:aws:s3:::b/secret/*",
        },
    ]
}


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        "{}",
        json.dumps({"Statement": [{"Effect": "Allow"}]}),
        json.dumps(_OPEN).replace(":::b/*", ":::other/*"),
        json.dumps(_OPEN).replace("s3:Get*", "sqs:Get*"),
    ],
)
def test_a_policy_that_makes_no_sense_is_malformed(text: str) -> None:
    with pytest.raises(AwsError) as caught:
        policy.check_policy(text, "b")
    assert caught.value.code == "MalformedPolicy"


@pytest.mark.parametrize("default", ["My-Stack-Photos-1A2B3C", "S" * 60 + "-Bucket-1A2B3C4D5E6F"])
def test_default_names_are_bucket_names_and_keep_their_unique_end(default: str) -> None:
    made = template.bucket_name(default)
    assert is_bucket_name(made)
    assert made.endswith(default.rpartition("-")[2].lower())
