"""AWS::S3::Bucket and AWS::S3::BucketPolicy through CloudFormation."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import WaiterError
from tests.services.s3.conftest import refused

DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE")


@pytest.fixture
def deploy(client, name):
    """Create or update the stack from its resources; gives its outputs."""
    stacks = client("cloudformation")

    def run(resources, outputs=None, *, update=False):
        template = {"Resources": resources}
        if outputs:
            template["Outputs"] = {key: {"Value": value} for key, value in outputs.items()}
        act = stacks.update_stack if update else stacks.create_stack
        act(StackName=name, TemplateBody=json.dumps(template))
        stacks.get_waiter(f"stack_{'update' if update else 'create'}_complete").wait(
            StackName=name, WaiterConfig={"Delay": 0, "MaxAttempts": 500}
        )
        (stack,) = stacks.describe_stacks(StackName=name)["Stacks"]
        assert stack["StackStatus"] in DONE
        return {entry["OutputKey"]: entry["OutputValue"] for entry in stack.get("Outputs", ())}

    return run


def test_a_bucket_with_all_its_settings(s3, deploy, client, account):
    resources = {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "VersioningConfiguration": {"Status": "Enabled"},
                "Tags": [{"Key": "a", "Value": "1"}],
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": True,
                    "BlockPublicPolicy": "true",
                },
                "BucketEncryption": {
                    "ServerSideEncryptionConfiguration": [
                        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
                    ]
                },
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]},
                "CorsConfiguration": {
                    "CorsRules": [
                        {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAge": "60"}
                    ]
                },
                "LifecycleConfiguration": {
                    "Rules": [
                        {
                            "Id": "old",
                            "Status": "Enabled",
                            "Prefix": "logs/",
                            "ExpirationInDays": 30,
                            "TagFilters": [{"Key": "k", "Value": "v"}],
                            "Transitions": [{"TransitionInDays": 10, "StorageClass": "GLACIER"}],
                        }
                    ]
                },
                "WebsiteConfiguration": {"IndexDocument": "index.html"},
                "NotificationConfiguration": {
                    "QueueConfigurations": [
                        {
                            "Event": "s3:ObjectCreated:*",
                            "Queue": {"Fn::GetAtt": ["Queue", "Arn"]},
                            "Filter": {"S3Key": {"Rules": [{"Name": "suffix", "Value": ".jpg"}]}},
                        }
                    ]
                },
            },
        },
        "Policy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": {"Ref": "Bucket"},
                "PolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"AWS": "123123123123"},
                            "Action": "s3:GetObject",
                            "Resource": {"Fn::Sub": "${Bucket.Arn}/*"},
                        }
                    ]
                },
            },
        },
    }
    outputs = deploy(
        resources,
        {
            "Name": {"Ref": "Bucket"},
            "Arn": {"Fn::GetAtt": ["Bucket", "Arn"]},
            "Domain": {"Fn::GetAtt": ["Bucket", "RegionalDomainName"]},
        },
    )
    bucket = outputs["Name"]
    assert bucket == bucket.lower() and len(bucket) <= 63
    assert outputs["Arn"] == f"arn:aws:s3:::{bucket}"
    assert outputs["Domain"] == f"{bucket}.s3.us-east-1.amazonaws.com"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    assert {"Key": "a", "Value": "1"} in tags
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert (block["BlockPublicPolicy"], block["IgnorePublicAcls"]) == (True, False)
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"][0]["MaxAgeSeconds"] == 60
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rule["Filter"]["And"]["Prefix"] == "logs/"
    assert rule["Expiration"] == {"Days": 30}
    found = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    assert found[0]["Filter"]["Key"]["FilterRules"] == [{"Name": "Suffix", "Value": ".jpg"}]
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0][
        "Resource"
    ] == (f"arn:aws:s3:::{bucket}/*")


def test_what_a_template_no_longer_says_is_taken_off(s3, deploy, name):
    settings = {
        "BucketName": name,
        "CorsConfiguration": {"CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
        "VersioningConfiguration": {"Status": "Enabled"},
    }
    deploy({"Bucket": {"Type": "AWS::S3::Bucket", "Properties": settings}})
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    deploy({"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}}, update=True)
    assert refused(s3.get_bucket_cors, Bucket=name).code == "NoSuchCORSConfiguration"
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Suspended"
    assert s3.head_object(Bucket=name, Key="k")["ContentLength"] == 1


def test_a_stack_does_not_adopt_a_bucket(s3, client, bucket, name):
    stacks = client("cloudformation")
    stacks.create_stack(
        StackName="adopting",
        TemplateBody=json.dumps(
            {
                "Resources": {
                    "Bucket": {
                        "Type": "AWS::S3::Bucket",
                        "Properties": {"BucketName": bucket},
                    }
                }
            }
        ),
    )
    with pytest.raises(WaiterError, match="ROLLBACK_COMPLETE"):
        stacks.get_waiter("stack_create_complete").wait(
            StackName="adopting", WaiterConfig={"Delay": 0, "MaxAttempts": 500}
        )
    s3.head_bucket(Bucket=bucket)


def test_a_setting_that_fails_takes_the_bucket_with_it(s3, client, name):
    stacks = client("cloudformation")
    stacks.create_stack(
        StackName="failing",
        TemplateBody=json.dumps(
            {
                "Resources": {
                    "Bucket": {
                        "Type": "AWS::S3::Bucket",
                        "Properties": {
                            "BucketName": name,
                            "CorsConfiguration": {
                                "CorsRules": [
                                    {"AllowedMethods": ["PATCH"], "AllowedOrigins": ["*"]}
                                ]
                            },
                        },
                    }
                }
            }
        ),
    )
    with pytest.raises(WaiterError, match="ROLLBACK_COMPLETE"):
        stacks.get_waiter("stack_create_complete").wait(
            StackName="failing", WaiterConfig={"Delay": 0, "MaxAttempts": 500}
        )
    assert refused(s3.head_bucket, Bucket=name).status == 404
