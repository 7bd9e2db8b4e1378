"""The policies that AWS manages: names, paths, and the documents of the common ones. Pure.

Any ARN `arn:aws:iam::aws:policy/...` may be attached; those not listed here have a document
that allows nothing, until they are needed.
"""

from __future__ import annotations

import json
from typing import Any

PREFIX = "arn:aws:iam::aws:policy/"
CREATED = 1_423_170_720.0
"""2015-02-05, when AWS published most of them."""

_LOGS = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]


def _allow(actions: list[str], resource: Any = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


_DOCUMENTS: dict[str, list[dict[str, Any]]] = {
    "AdministratorAccess": [_allow(["*"])],
    "AmazonAPIGatewayInvokeFullAccess": [
        _allow(["execute-api:Invoke", "execute-api:ManageConnections"])
    ],
    "AmazonDynamoDBFullAccess": [_allow(["dynamodb:*"])],
    "AmazonDynamoDBReadOnlyAccess": [
        _allow(
            [
                "dynamodb:BatchGetItem",
                "dynamodb:Describe*",
                "dynamodb:GetItem",
                "dynamodb:List*",
                "dynamodb:Query",
                "dynamodb:Scan",
            ]
        )
    ],
    "AmazonEventBridgeFullAccess": [_allow(["events:*", "scheduler:*", "pipes:*", "schemas:*"])],
    "AmazonKinesisFullAccess": [_allow(["kinesis:*"])],
    "AmazonS3FullAccess": [_allow(["s3:*", "s3-object-lambda:*"])],
    "AmazonS3ReadOnlyAccess": [_allow(["s3:Get*", "s3:List*", "s3:Describe*"])],
    "AmazonSNSFullAccess": [_allow(["sns:*"])],
    "AmazonSQSFullAccess": [_allow(["sqs:*"])],
    "AmazonSQSReadOnlyAccess": [
        _allow(["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueues"])
    ],
    "AmazonSSMFullAccess": [_allow(["ssm:*"])],
    "AmazonSSMReadOnlyAccess": [_allow(["ssm:Describe*", "ssm:Get*", "ssm:List*"])],
    "AWSLambda_FullAccess": [_allow(["lambda:*", "logs:*", "iam:ListRoles"])],
    "AWSLambda_ReadOnlyAccess": [_allow(["lambda:Get*", "lambda:List*"])],
    "AWSStepFunctionsFullAccess": [_allow(["states:*"])],
    "AWSXRayDaemonWriteAccess": [_allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"])],
    "AWSXrayWriteOnlyAccess": [_allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"])],
    "CloudWatchFullAccess": [_allow(["cloudwatch:*", "logs:*"])],
    "CloudWatchLambdaInsightsExecutionRolePolicy": [_allow(_LOGS)],
    "CloudWatchLogsFullAccess": [_allow(["logs:*"])],
    "IAMFullAccess": [_allow(["iam:*"])],
    "IAMReadOnlyAccess": [_allow(["iam:Get*", "iam:List*"])],
    "PowerUserAccess": [
        {
            "Effect": "Allow",
            "NotAction": ["iam:*", "organizations:*", "account:*"],
            "Resource": "*",
        }
    ],
    "ReadOnlyAccess": [_allow(["*:Describe*", "*:Get*", "*:List*"])],
    "SecretsManagerReadWrite": [_allow(["secretsmanager:*"])],
    "SecurityAudit": [_allow(["*:Describe*", "*:List*"])],
    "service-role/AmazonAPIGatewayPushToCloudWatchLogs": [_allow(["logs:*"])],
    "service-role/AWSLambdaBasicExecutionRole": [_allow(_LOGS)],
    "service-role/AWSLambdaDynamoDBExecutionRole": [
        _allow(
            [
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
                "dynamodb:ListStreams",
                *_LOGS,
            ]
        )
    ],
    "service-role/AWSLambdaKinesisExecutionRole": [
        _allow(
            [
                "kinesis:DescribeStream",
                "kinesis:DescribeStreamSummary",
                "kinesis:GetRecords",
                "kinesis:GetShardIterator",
                "kinesis:ListShards",
                "kinesis:ListStreams",
                "kinesis:SubscribeToShard",
                *_LOGS,
            ]
        )
    ],
    "service-role/AWSLambdaRole": [_allow(["lambda:InvokeFunction"])],
    "service-role/AWSLambdaSQSQueueExecutionRole": [
        _allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", *_LOGS])
    ],
    "service-role/AWSLambdaVPCAccessExecutionRole": [
        _allow(
            [
                *_LOGS,
                "ec2:CreateNetworkInterface",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSubnets",
                "ec2:DeleteNetworkInterface",
                "ec2:AssignPrivateIpAddresses",
                "ec2:UnassignPrivateIpAddresses",
            ]
        )
    ],
}


def is_managed(arn: str) -> bool:
    """Whether the ARN is one of AWS's own policies."""
    return arn.startswith(PREFIX) and len(arn) > len(PREFIX)


def names() -> list[str]:
    """The listed policies, as path and name ("service-role/AWSLambdaRole")."""
    return sorted(_DOCUMENTS)


def split(arn: str) -> tuple[str, str]:
    """(path, name) of an AWS managed policy."""
    path, _, name = ("/" + arn.removeprefix(PREFIX)).rpartition("/")
    return path + "/", name


def document(arn: str) -> str:
    """The policy's document."""
    statements = _DOCUMENTS.get(arn.removeprefix(PREFIX), [])
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def policy_id(arn: str) -> str:
    """A stable id for one of them."""
    letters = "".join(character for character in arn.upper() if character.isalnum())
    return "ANPA" + letters[-17:].rjust(17, "A")
