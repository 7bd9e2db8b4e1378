"""A bucket's settings: what was put is shown; what was not has S3's default or refusal."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime

import pytest
from tests.services.s3.conftest import body_of, refused


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("get_bucket_cors", "NoSuchCORSConfiguration"),
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("get_bucket_policy", "NoSuchBucketPolicy"),
        ("get_bucket_policy_status", "NoSuchBucketPolicy"),
        ("get_bucket_tagging", "NoSuchTagSet"),
        ("get_bucket_website", "NoSuchWebsiteConfiguration"),
        ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
        ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
    ],
)
def test_a_setting_that_was_never_put(s3, bucket, call, code):
    refusal = refused(getattr(s3, call), Bucket=bucket)
    assert (refusal.code, refusal.status) == (code, 404)
    assert refusal.error["BucketName"] == bucket


def shown(response):
    return {name: value for name, value in response.items() if name != "ResponseMetadata"}


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("get_bucket_logging", {}),
        ("get_bucket_accelerate_configuration", {}),
        ("get_bucket_notification_configuration", {}),
        ("get_bucket_versioning", {}),
        ("get_bucket_request_payment", {"Payer": "BucketOwner"}),
        (
            "get_bucket_encryption",
            {
                "ServerSideEncryptionConfiguration": {
                    "Rules": [
                        {
                            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                            "BucketKeyEnabled": False,
                        }
                    ]
                }
            },
        ),
        (
            "get_bucket_ownership_controls",
            {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
        ),
        (
            "get_public_access_block",
            {
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": True,
                    "IgnorePublicAcls": True,
                    "BlockPublicPolicy": True,
                    "RestrictPublicBuckets": True,
                }
            },
        ),
    ],
)
def test_settings_with_a_default(s3, bucket, call, expected):
    assert shown(getattr(s3, call)(Bucket=bucket)) == expected


CORS = {
    "CORSRules": [
        {
            "ID": "one",
            "AllowedMethods": ["GET", "PUT"],
            "AllowedOrigins": ["https://*.example.com"],
            "AllowedHeaders": ["*"],
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 60,
        }
    ]
}
LIFECYCLE = {
    "Rules": [
        {
            "ID": "old",
            "Status": "Enabled",
            "Filter": {"Prefix": "logs/"},
            "Expiration": {"Days": 30},
            "Transitions": [{"Days": 10, "StorageClass": "GLACIER"}],
            "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        }
    ]
}
WEBSITE = {
    "IndexDocument": {"Suffix": "index.html"},
    "ErrorDocument": {"Key": "error.html"},
    "RoutingRules": [
        {"Condition": {"KeyPrefixEquals": "a/"}, "Redirect": {"ReplaceKeyPrefixWith": "b/"}}
    ],
}


@pytest.mark.parametrize(
    ("kind", "member", "document", "delete"),
    [
        ("bucket_cors", "CORSConfiguration", CORS, "delete_bucket_cors"),
        (
            "bucket_lifecycle_configuration",
            "LifecycleConfiguration",
            LIFECYCLE,
            "delete_bucket_lifecycle",
        ),
        ("bucket_website", "WebsiteConfiguration", WEBSITE, "delete_bucket_website"),
        (
            "bucket_tagging",
            "Tagging",
            {"TagSet": [{"Key": "a", "Value": "1"}]},
            "delete_bucket_tagging",
        ),
    ],
)
def test_a_setting_is_shown_as_it_was_put_until_it_is_deleted(
    s3, bucket, kind, member, document, delete
):
    getattr(s3, f"put_{kind}")(Bucket=bucket, **{member: document})
    found = shown(getattr(s3, f"get_{kind}")(Bucket=bucket))
    found.pop("TransitionDefaultMinimumObjectSize", None)
    assert found == document
    done = getattr(s3, delete)(Bucket=bucket)
    assert done["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refused(getattr(s3, f"get_{kind}"), Bucket=bucket).status == 404


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"AllowedMethods": ["PATCH"]}, "InvalidRequest"),
        ({"AllowedOrigins": ["*.*"]}, "InvalidRequest"),
        ({"AllowedMethods": []}, "MalformedXML"),
    ],
)
def test_unsound_cors_rules(s3, bucket, changes, code):
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], **changes}
    refusal = refused(s3.put_bucket_cors, Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    assert refusal.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Status": "On"}, "MalformedXML"),
        ({"Expiration": {"Days": 0}}, "InvalidArgument"),
        ({"Expiration": {"Date": datetime(2030, 1, 1, 5, tzinfo=UTC)}}, "InvalidArgument"),
        ({"Expiration": None}, "InvalidRequest"),
        ({"ID": "x" * 256}, "InvalidArgument"),
        ({"Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}}, "MalformedXML"),
        ({"Filter": {"Prefix": "x", "ObjectSizeGreaterThan": 1}}, "MalformedXML"),
        ({"Filter": {"And": {"Prefix": "x"}}}, "MalformedXML"),
        (
            {"Filter": {"And": {"ObjectSizeGreaterThan": 9, "ObjectSizeLessThan": 9}}},
            "InvalidRequest",
        ),
        (
            {
                "Filter": {"Tag": {"Key": "a", "Value": "b"}},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            },
            "InvalidRequest",
        ),
        ({"Transitions": [{"Days": 0, "StorageClass": "STANDARD"}]}, "MalformedXML"),
        ({"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}, "InvalidArgument"),
        (
            {
                "Expiration": {"Days": 40},
                "Transitions": [{"Days": 29, "StorageClass": "STANDARD_IA"}],
            },
            "InvalidArgument",
        ),
        (
            {
                "Transitions": [
                    {"Date": datetime(2030, 1, 1, tzinfo=UTC), "StorageClass": "GLACIER"}
                ]
            },
            "InvalidRequest",
        ),
        (
            {
                "Expiration": {"Days": 9},
                "Transitions": [
                    {"Days": 1, "StorageClass": "GLACIER"},
                    {"Days": 2, "StorageClass": "GLACIER"},
                ],
            },
            "InvalidRequest",
        ),
        (
            {"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 101}},
            "InvalidArgument",
        ),
        ({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 0}}, "InvalidArgument"),
    ],
)
def test_unsound_lifecycle_rules(s3, bucket, changes, code):
    rule = {
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"Days": 1},
        **changes,
    }
    rule = {name: value for name, value in rule.items() if value is not None}
    refusal = refused(
        s3.put_bucket_lifecycle_configuration,
        Bucket=bucket,
        LifecycleConfiguration={"Rules": [rule]},
    )
    assert (refusal.code, refusal.status) == (code, 400)


@pytest.mark.parametrize(
    ("website", "message"),
    [
        (
            {"RedirectAllRequestsTo": {"HostName": "x", "Protocol": "ftp"}},
            "Invalid protocol, protocol can be http or https. If not defined the protocol will "
            "be selected automatically.",
        ),
        (
            {"Redirect": {"ReplaceKeyWith": "a", "ReplaceKeyPrefixWith": "b"}},
            "You can only define ReplaceKeyPrefix or ReplaceKey but not both.",
        ),
        (
            {"Redirect": {"ReplaceKeyWith": "a", "HttpRedirectCode": "200"}},
            "The provided HTTP redirect code (200) is not valid. Valid codes are 3XX except 300.",
        ),
        (
            {
                "Condition": {"HttpErrorCodeReturnedEquals": "302"},
                "Redirect": {"ReplaceKeyWith": "a"},
            },
            "The provided HTTP error code (302) is not valid. Valid codes are 4XX or 5XX.",
        ),
    ],
    ids=["protocol", "both keys", "redirect code", "error code"],
)
def test_unsound_websites(s3, bucket, website, message):
    if "RedirectAllRequestsTo" not in website:
        website = {"IndexDocument": {"Suffix": "index.html"}, "RoutingRules": [website]}
    refusal = refused(s3.put_bucket_website, Bucket=bucket, WebsiteConfiguration=website)
    assert (refusal.code, refusal.message) == ("InvalidRequest", message)


def test_a_policy_opens_the_bucket_to_whom_it_names(s3, bucket, client):
    other = client("s3", access_key="123123123123")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    text = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": "123123123123"},
                    "Action": ["s3:GetObject", "s3:ListBucket"],
                    "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
                }
            ],
        }
    )
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is False
    assert body_of(other.get_object(Bucket=bucket, Key="k")) == b"x"
    assert other.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    assert refused(other.delete_object, Bucket=bucket, Key="k").status == 403
    s3.delete_bucket_policy(Bucket=bucket)
    assert refused(other.get_object, Bucket=bucket, Key="k").status == 403
    bad = refused(s3.put_bucket_policy, Bucket=bucket, Policy="{}")
    assert (bad.code, bad.status) == ("MalformedPolicy", 400)


def test_public_access_that_was_blocked(s3, bucket):
    block = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": False,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": False,
    }
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == block
    assert refused(s3.put_bucket_acl, Bucket=bucket, ACL="public-read").code == "AccessDenied"
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    denied = refused(s3.put_object_acl, Bucket=bucket, Key="k", ACL="public-read")
    assert denied.status == 403
    put = refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    assert put.status == 403
    policy = json.dumps(
        {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "s3:GetObject",
                    "Resource": f"arn:aws:s3:::{bucket}/*",
                }
            ]
        }
    )
    assert refused(s3.put_bucket_policy, Bucket=bucket, Policy=policy).code == "AccessDenied"
    s3.delete_public_access_block(Bucket=bucket)
    missing = refused(s3.get_public_access_block, Bucket=bucket)
    assert missing.code == "NoSuchPublicAccessBlockConfiguration"
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True


def test_default_encryption_reaches_new_objects(s3, bucket):
    rule = {
        "ApplyServerSideEncryptionByDefault": {
            "SSEAlgorithm": "aws:kms",
            "KMSMasterKeyID": "mine",
        },
        "BucketKeyEnabled": True,
    }
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    found = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert found["Rules"] == [rule]
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert put["ServerSideEncryption"] == "aws:kms"
    assert put["BucketKeyEnabled"] is True
    s3.delete_bucket_encryption(Bucket=bucket)
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"")["ServerSideEncryption"] == "AES256"


def test_ownership_controls(s3, bucket):
    rules = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules)
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == rules
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    missing = refused(s3.get_bucket_ownership_controls, Bucket=bucket)
    assert (missing.code, missing.status) == ("OwnershipControlsNotFoundError", 404)


def test_logging_needs_a_bucket_to_log_into(s3, bucket, name):
    status = {"LoggingEnabled": {"TargetBucket": bucket, "TargetPrefix": "log/"}}
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus=status)
    assert shown(s3.get_bucket_logging(Bucket=bucket)) == status
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    assert shown(s3.get_bucket_logging(Bucket=bucket)) == {}
    status["LoggingEnabled"]["TargetBucket"] = f"{name}-not"
    refusal = refused(s3.put_bucket_logging, Bucket=bucket, BucketLoggingStatus=status)
    assert refusal.code == "InvalidTargetBucketForLogging"


def test_acceleration_and_payment(s3, bucket):
    s3.put_bucket_accelerate_configuration(
        Bucket=bucket, AccelerateConfiguration={"Status": "Enabled"}
    )
    assert s3.get_bucket_accelerate_configuration(Bucket=bucket)["Status"] == "Enabled"
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"})
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "Requester"


def test_replication_needs_versions_on_both_sides(s3, bucket, name):
    other = f"{name}-other"
    destination = {"Bucket": f"arn:aws:s3:::{other}"}
    document = {
        "Role": "arn:aws:iam::123456789012:role/r",
        "Rules": [{"ID": "r", "Status": "Enabled", "Prefix": "", "Destination": destination}],
    }
    put = {"Bucket": bucket, "ReplicationConfiguration": document}
    enabled = {"Status": "Enabled"}
    assert refused(s3.put_bucket_replication, **put).code == "InvalidRequest"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=enabled)
    missing = refused(s3.put_bucket_replication, **put)
    assert (missing.code, missing.message) == ("InvalidRequest", "Destination bucket must exist.")
    s3.create_bucket(Bucket=other)
    unversioned = refused(s3.put_bucket_replication, **put)
    assert unversioned.message == "Destination bucket must have versioning enabled."
    s3.put_bucket_versioning(Bucket=other, VersioningConfiguration=enabled)
    s3.put_bucket_replication(**put)
    found = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
    assert found == document
    suspended = {"Status": "Suspended"}
    kept = refused(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=suspended)
    assert (kept.code, kept.status) == ("InvalidBucketState", 409)
    rule = document["Rules"][0]
    rule["Filter"] = {"Prefix": rule.pop("Prefix")}
    assert "Priority must be specified" in refused(s3.put_bucket_replication, **put).message


def test_configurations_by_id(s3, bucket):
    document = {"Id": "all", "Filter": {"Prefix": "a/"}}
    s3.put_bucket_metrics_configuration(Bucket=bucket, Id="all", MetricsConfiguration=document)
    found = s3.get_bucket_metrics_configuration(Bucket=bucket, Id="all")
    assert found["MetricsConfiguration"] == document
    listed = s3.list_bucket_metrics_configurations(Bucket=bucket)
    assert listed["MetricsConfigurationList"] == [document]
    s3.delete_bucket_metrics_configuration(Bucket=bucket, Id="all")
    missing = refused(s3.get_bucket_metrics_configuration, Bucket=bucket, Id="all")
    assert (missing.code, missing.status) == ("NoSuchConfiguration", 404)


def test_object_lock(s3, name):
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    document = {
        "ObjectLockEnabled": "Enabled",
        "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
    }
    s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=document)
    found = s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"]
    assert found == document
    put = s3.put_object(Bucket=name, Key="k", Body=b"x")
    retention = s3.get_object_retention(Bucket=name, Key="k")["Retention"]
    assert retention["Mode"] == "GOVERNANCE"
    locked = {"Bucket": name, "Key": "k", "VersionId": put["VersionId"]}
    assert refused(s3.delete_object, **locked).code == "AccessDenied"
    s3.delete_object(**locked, BypassGovernanceRetention=True)


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("tagging", b"<Tagging><TagSet><Tag><Value>v</Value></Tag></TagSet></Tagging>"),
        ("tagging", b"<Tagging>"),
        ("versioning", b"<VersioningConfiguration><Status>On</Status></VersioningConfiguration>"),
        ("cors", b"<CORSConfiguration/>"),
        ("encryption", b"<ServerSideEncryptionConfiguration/>"),
        ("ownershipControls", b"<OwnershipControls/>"),
        ("delete", b"<Delete/>"),
        ("delete", b"<Delete><Object><VersionId>x</VersionId></Object></Delete>"),
        ("notification", b"<NotificationConfiguration><QueueConfiguration/>"),
    ],
)
def test_xml_that_breaks_the_schema_is_malformed(bucket, raw, query, body):
    method = "POST" if query == "delete" else "PUT"
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    answer = raw(method, f"/{bucket}?{query}", body, {"Content-MD5": md5}, sign="s3")
    assert answer.status == 400
    assert "<Code>MalformedXML</Code>" in answer.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Effect": "allow"}, "Invalid effect: allow"),
        ({"Principal": {"AWS": "junk"}}, "Invalid principal in policy"),
        ({"Action": "s3:ListBucket"}, "Action does not apply to any resource(s) in statement"),
        ({"Principal": "junk"}, "Invalid policy syntax."),
    ],
)
def test_unsound_policies(s3, bucket, changes, message):
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        **changes,
    }
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    refusal = refused(s3.put_bucket_policy, Bucket=bucket, Policy=text)
    assert (refusal.code, refusal.status, refusal.message) == ("MalformedPolicy", 400, message)


def test_restricting_public_buckets_closes_a_public_policy_to_others(s3, bucket, client):
    other = client("s3", access_key="123123123123")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert body_of(other.get_object(Bucket=bucket, Key="k")) == b"x"
    s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True}
    )
    assert refused(other.get_object, Bucket=bucket, Key="k").code == "AccessDenied"
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"x"
