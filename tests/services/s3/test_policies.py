"""Bucket policies with conditions, and what a destination's policy lets a bucket send."""

from __future__ import annotations

import json

import pytest
from tests.services.lambda_.conftest import ECHO, ROLE, archive
from tests.services.s3.conftest import body_of, refused
from tests.services.s3.test_events import configure, records

FRIEND = "222222222222"


def put(s3, bucket, *statements):
    common = {"Effect": "Allow", "Principal": "*", "Action": "s3:*"}
    common["Resource"] = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    policy = {"Version": "2012-10-17", "Statement": [{**common, **one} for one in statements]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def test_uploads_that_a_policy_denies_are_refused_to_the_owner_too(s3, bucket):
    unencrypted = {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}
    put(s3, bucket, {"Effect": "Deny", "Action": "s3:PutObject", "Condition": unencrypted})
    refusal = refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x")
    assert (refusal.code, refusal.status) == ("AccessDenied", 403)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms")
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"x"


def test_a_policy_that_wants_tls_is_met(s3, bucket):
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    old = {"NumericLessThan": {"s3:TlsVersion": 1.2}}
    put(
        s3,
        bucket,
        {"Effect": "Deny", "Condition": insecure},
        {"Effect": "Deny", "Condition": old},
    )
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_of_a_batch_only_what_is_denied_stays(s3, bucket):
    for key in ("keep/a", "b", "c"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    kept = f"arn:aws:s3:::{bucket}/keep/*"
    put(s3, bucket, {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": kept})
    answer = s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "keep/a"}, {"Key": "b"}, {"Key": "c"}]}
    )
    assert sorted(one["Key"] for one in answer["Deleted"]) == ["b", "c"]
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [("keep/a", "AccessDenied")]
    assert refused(s3.delete_object, Bucket=bucket, Key="keep/a").status == 403


def test_another_account_deletes_a_batch_where_it_may(s3, bucket, client):
    for key in ("in/a", "b"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    inside = f"arn:aws:s3:::{bucket}/in/*"
    put(s3, bucket, {"Action": "s3:DeleteObject", "Resource": inside})
    answer = client("s3", access_key=FRIEND).delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "in/a"}, {"Key": "b"}]}
    )
    assert [one["Key"] for one in answer["Deleted"]] == ["in/a"]
    assert [one["Key"] for one in answer["Errors"]] == ["b"]


def test_nobody_locks_a_bucket_for_good(s3, bucket):
    put(s3, bucket, {"Effect": "Deny"})
    assert refused(s3.list_objects_v2, Bucket=bucket).status == 403
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=bucket)
    s3.list_objects_v2(Bucket=bucket)


def test_a_listing_and_an_object_are_given_by_prefix_and_tag(s3, bucket, client):
    friend = client("s3", access_key=FRIEND)
    s3.put_object(Bucket=bucket, Key="home/a", Body=b"x", Tagging="open=yes")
    s3.put_object(Bucket=bucket, Key="home/b", Body=b"x")
    tagged = {"StringEquals": {"s3:ExistingObjectTag/open": "yes"}}
    put(
        s3,
        bucket,
        {"Action": "s3:ListBucket", "Condition": {"StringLike": {"s3:prefix": "home/*"}}},
        {"Action": "s3:GetObject", "Condition": tagged},
        {
            "Action": "s3:PutObject",
            "Condition": {"StringEquals": {"s3:RequestObjectTag/from": "${aws:PrincipalAccount}"}},
        },
    )
    assert friend.list_objects_v2(Bucket=bucket, Prefix="home/")["KeyCount"] == 2
    assert refused(friend.list_objects_v2, Bucket=bucket, Prefix="other/").status == 403
    assert refused(friend.list_objects_v2, Bucket=bucket).status == 403
    assert body_of(friend.get_object(Bucket=bucket, Key="home/a")) == b"x"
    assert refused(friend.get_object, Bucket=bucket, Key="home/b").status == 403
    friend.put_object(Bucket=bucket, Key="c", Body=b"x", Tagging=f"from={FRIEND}")
    assert refused(friend.put_object, Bucket=bucket, Key="d", Body=b"x").status == 403


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"StringIs": {"aws:SourceIp": "x"}}, "Invalid Condition type : StringIs"),
        ({"StringEquals": {"SourceIp": "x"}}, "Policy has an invalid condition key"),
        ({"IpAddress": {"aws:SourceIp": "x"}}, "Invalid policy syntax."),
    ],
    ids=range(3),
)
def test_what_is_no_condition_is_malformed(s3, bucket, condition, message):
    refusal = refused(lambda: put(s3, bucket, {"Condition": condition}))
    assert (refusal.code, refusal.message) == ("MalformedPolicy", message)


@pytest.mark.parametrize(
    ("condition", "public"),
    [
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"StringEquals": {"aws:SourceAccount": FRIEND}}, False),
        ({"StringLike": {"aws:SourceArn": "*"}}, True),
        ({"StringEquals": {"aws:SourceAccount": "${aws:ResourceAccount}"}}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"StringEqualsIfExists": {"aws:SourceAccount": FRIEND}}, True),
    ],
    ids=range(6),
)
def test_a_policy_is_public_unless_a_condition_narrows_whom_it_means(s3, bucket, condition, public):
    put(s3, bucket, {"Action": "s3:GetObject", "Condition": condition})
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is public


def test_a_queue_that_lets_other_buckets_alone_is_no_destination(s3, bucket, client, account):
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{account}:q"

    def let(source):
        policy = {
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {
                    "ArnLike": {"aws:SourceArn": source},
                    "StringEquals": {"aws:SourceAccount": account},
                },
            }
        }
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})

    def take():
        page = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in page]

    let("arn:aws:s3:::other")
    refusal = refused(lambda: configure(s3, bucket, arn))
    assert (refusal.code, refusal.message) == (
        "InvalidArgument",
        "Unable to validate the following destination configurations",
    )
    assert (
        s3.get_bucket_notification_configuration(Bucket=bucket).get("QueueConfigurations") is None
    )
    let(f"arn:aws:s3:::{bucket}")
    configure(s3, bucket, arn)
    s3.put_object(Bucket=bucket, Key="first", Body=b"x")
    let("arn:aws:s3:::other")
    s3.put_object(Bucket=bucket, Key="unheard", Body=b"x")
    let(f"arn:aws:s3:::{bucket}")
    s3.put_object(Bucket=bucket, Key="last", Body=b"x")
    heard = [one["s3"]["object"]["key"] for one in records(take())]
    assert heard == ["first", "last"]


def test_another_accounts_queue_is_a_destination_once_its_policy_says_so(s3, bucket, client):
    sqs = client("sqs", access_key=FRIEND)
    sqs.create_queue(QueueName="theirs")
    arn = f"arn:aws:sqs:us-east-1:{FRIEND}:theirs"
    assert refused(lambda: configure(s3, bucket, arn)).code == "InvalidArgument"


def test_a_functions_permission_for_another_account_is_none_for_the_bucket(
    s3, bucket, client, account
):
    functions = client("lambda")
    functions.create_function(
        FunctionName="f",
        Runtime="python3.11",
        Handler="index.handler",
        Role=ROLE,
        Code={"ZipFile": archive(ECHO)},
    )
    arn = f"arn:aws:lambda:us-east-1:{account}:function:f"
    wanted = {
        "Bucket": bucket,
        "NotificationConfiguration": {
            "LambdaFunctionConfigurations": [
                {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    }
    permission = {
        "FunctionName": "f",
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
        "SourceArn": f"arn:aws:s3:::{bucket}",
    }
    for sid, more in [
        ("theirs", {"SourceAccount": FRIEND}),
        ("org", {"PrincipalOrgID": "o-12345678ab"}),
    ]:
        functions.add_permission(StatementId=sid, **permission, **more)
        refusal = refused(s3.put_bucket_notification_configuration, **wanted)
        assert refusal.code == "InvalidArgument"
    functions.add_permission(StatementId="own", SourceAccount=account, **permission)
    s3.put_bucket_notification_configuration(**wanted)
