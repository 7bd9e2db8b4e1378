"""SAM templates and the real AWS CLI against a live node."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import ClientFactory
from tests.support.nodes import ThreadNode

from lambent.cli.package import package_file, write_zip

Cli = Callable[..., subprocess.CompletedProcess[str]]

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Runtime: python3.11
    Handler: app.handler
    Timeout: 5
Parameters:
  Name:
    Type: String
Resources:
  In:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub "${Name}-${AWS::AccountId}"
  Work:
    Type: AWS::SQS::Queue
  Rows:
    Type: AWS::Serverless::SimpleTable
  Function:
    Type: AWS::Serverless::Function
    Metadata:
      Lambent:
        Tier: warm
    Properties:
      CodeUri: code
      Policies:
        - S3ReadPolicy:
            BucketName: !Sub "${Name}-${AWS::AccountId}"
        - DynamoDBCrudPolicy:
            TableName: !Ref Rows
        - SQSPollerPolicy:
            QueueName: !GetAtt Work.QueueName
        - AWSXrayWriteOnlyAccess
      Events:
        Upload:
          Type: S3
          Properties:
            Bucket: !Ref In
            Events: s3:ObjectCreated:*
        Queue:
          Type: SQS
          Properties:
            Queue: !GetAtt Work.Arn
            BatchSize: 2
Outputs:
  Function:
    Value: !Ref Function
  Role:
    Value: !Ref FunctionRole
"""
NAME = [{"ParameterKey": "Name", "ParameterValue": "in"}]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A SAM project; the build cache is the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text("def handler(event, context):\n    return 1\n")
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    return tmp_path


def outputs(cfn: Any, stack: str) -> dict[str, str]:
    [found] = cfn.describe_stacks(StackName=stack)["Stacks"]
    assert found["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), (
        cfn.describe_stack_events(StackName=stack)["StackEvents"]
    )
    return {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}


def test_a_sam_function_comes_with_its_role_policies_and_events(
    client: ClientFactory, folder: Path, account: str
) -> None:
    cfn, iam = client("cloudformation"), client("iam")
    body = package_file(folder / "template.yaml", client)
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_AUTO_EXPAND\]"):
        cfn.create_stack(StackName="sam", TemplateBody=body, Parameters=NAME)
    cfn.create_stack(
        StackName="sam",
        TemplateBody=body,
        Parameters=NAME,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    made = outputs(cfn, "sam")
    attached = iam.list_attached_role_policies(RoleName=made["Role"])["AttachedPolicies"]
    assert {one["PolicyName"] for one in attached} == {
        "AWSLambdaBasicExecutionRole",
        "AWSLambdaSQSQueueExecutionRole",
        "AWSXrayWriteOnlyAccess",
    }
    assert len(iam.list_role_policies(RoleName=made["Role"])["PolicyNames"]) == 3
    [mapping] = client("lambda").list_event_source_mappings(FunctionName=made["Function"])[
        "EventSourceMappings"
    ]
    assert mapping["BatchSize"] == 2
    [told] = client("s3").get_bucket_notification_configuration(Bucket=f"in-{account}")[
        "LambdaFunctionConfigurations"
    ]
    assert told["LambdaFunctionArn"].endswith(made["Function"])
    resource = cfn.describe_stack_resource(StackName="sam", LogicalResourceId="Function")
    metadata = json.loads(resource["StackResourceDetail"]["Metadata"])
    assert metadata["Lambent"] == {"Tier": "warm"}
    processed = cfn.get_template(StackName="sam", TemplateStage="Processed")["TemplateBody"]
    assert processed["Resources"]["Function"]["Type"] == "AWS::Lambda::Function"
    cfn.delete_stack(StackName="sam")
    assert client("lambda").list_functions()["Functions"] == []


DEPLOYED = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      InlineCode: "def handler(event, context): return SAID"
      AutoPublishAlias: live
      DeploymentPreference:
        Type: Canary10Percent5Minutes
        Alarms: [errors]
Outputs:
  Alias: {Value: !Ref Function.Alias}
"""


def test_a_deployment_preference_is_taken_and_the_alias_shifts_at_once(
    client: ClientFactory,
) -> None:
    cfn = client("cloudformation")
    for said, change in (("1", cfn.create_stack), ("2", cfn.update_stack)):
        change(
            StackName="sam",
            TemplateBody=DEPLOYED.replace("SAID", said),
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        alias = outputs(cfn, "sam")["Alias"]
        assert client("lambda").invoke(FunctionName=alias)["Payload"].read() == said.encode()


def test_an_invalid_sam_template_fails_its_change_set_with_the_reason(
    client: ClientFactory,
) -> None:
    cfn = client("cloudformation")
    body = json.dumps(
        {
            "Transform": "AWS::Serverless-2016-10-31",
            "Resources": {"F": {"Type": "AWS::Serverless::Function", "Properties": {}}},
        }
    )
    made = cfn.create_change_set(
        StackName="s", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=body
    )
    shown = cfn.describe_change_set(ChangeSetName=made["Id"])
    assert shown["Status"] == "FAILED"
    assert shown["StatusReason"].startswith(
        "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application "
        "Specification document. Number of errors found: 1. Resource with id [F] is invalid."
    )
    with pytest.raises(ClientError) as caught:
        cfn.create_stack(StackName="t", TemplateBody=body, Capabilities=["CAPABILITY_AUTO_EXPAND"])
    assert caught.value.response["Error"]["Message"] == shown["StatusReason"]


def test_an_unknown_transform_is_refused(client: ClientFactory) -> None:
    body = json.dumps({"Transform": "Mine", "Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})
    with pytest.raises(ClientError, match=r"No transform named Mine found\."):
        client("cloudformation").validate_template(TemplateBody=body)


def test_the_same_code_makes_the_same_archive(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        for file in ("b.py", "a.py", "sub/c.py") if name == "one" else ("sub/c.py", "a.py", "b.py"):
            (tmp_path / name / file).write_text("x = 1\n")
        write_zip(tmp_path / name, tmp_path / f"{name}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_path_that_leads_nowhere_is_named(client: ClientFactory, tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(TEMPLATE)
    with pytest.raises(Exception, match="Function: CodeUri names code, which is not there"):
        package_file(tmp_path / "t.yaml", client)


@pytest.fixture
def aws(
    node: ThreadNode, account: str, folder: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The real AWS CLI, in the project's folder."""
    program = Path(sys.executable).parent / "aws"
    environment = {
        "PATH": str(program.parent),
        "HOME": str(folder),
        "AWS_ENDPOINT_URL": node.endpoint,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_PAGER": "",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(program), *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_aws_cli_packages_and_deploys(aws: Cli, client: ClientFactory, account: str) -> None:
    client("s3").create_bucket(Bucket=f"packages-{account}")
    packaged = aws(
        *("cloudformation", "package", "--template-file", "template.yaml"),
        *("--s3-bucket", f"packages-{account}", "--output-template-file", "out.yaml"),
    )
    assert packaged.returncode == 0, packaged.stderr
    deploy = (
        *("cloudformation", "deploy", "--template-file", "out.yaml", "--stack-name", "cli"),
        *("--parameter-overrides", "Name=cli", "--s3-bucket", f"packages-{account}"),
    )
    refused = aws(*deploy)
    assert "Requires capabilities : [CAPABILITY_IAM]" in refused.stderr
    deployed = aws(*deploy, "--capabilities", "CAPABILITY_IAM")
    assert deployed.returncode == 0, deployed.stderr
    assert "Successfully created/updated stack - cli" in deployed.stdout
    assert outputs(client("cloudformation"), "cli")["Function"].startswith("cli-Function-")
    again = aws(*deploy, "--capabilities", "CAPABILITY_IAM")
    assert "No changes to deploy. Stack cli is up to date" in again.stdout + again.stderr


def test_a_nested_stack_gives_its_outputs_to_its_parent(
    client: ClientFactory, tmp_path: Path
) -> None:
    cfn = client("cloudformation")
    child = {
        "Parameters": {"Seconds": {"Type": "Number"}},
        "Resources": {
            "Q": {
                "Type": "AWS::SQS::Queue",
                "Properties": {"VisibilityTimeout": {"Ref": "Seconds"}},
            }
        },
        "Outputs": {"Url": {"Value": {"Ref": "Q"}}},
    }
    parent = {
        "Resources": {
            "Child": {
                "Type": "AWS::CloudFormation::Stack",
                "Properties": {"TemplateURL": "child.json", "Parameters": {"Seconds": 7}},
            }
        },
        "Outputs": {"Url": {"Value": {"Fn::GetAtt": "Child.Outputs.Url"}}},
    }
    (tmp_path / "child.json").write_text(json.dumps(child))
    (tmp_path / "parent.json").write_text(json.dumps(parent))
    cfn.create_stack(StackName="p", TemplateBody=package_file(tmp_path / "parent.json", client))
    url = outputs(cfn, "p")["Url"]
    sqs = client("sqs")
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert attributes["Attributes"] == {"VisibilityTimeout": "7"}
    parent["Resources"]["Child"]["Properties"]["Parameters"]["Seconds"] = 8  # type: ignore[index]
    (tmp_path / "parent.json").write_text(json.dumps(parent))
    cfn.update_stack(StackName="p", TemplateBody=package_file(tmp_path / "parent.json", client))
    assert outputs(cfn, "p")["Url"] == url
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert attributes["Attributes"] == {"VisibilityTimeout": "8"}
    cfn.delete_stack(StackName="p")
    assert cfn.describe_stacks()["Stacks"] == []
