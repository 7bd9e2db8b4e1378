"""Loops: Fn::ForEach of the language extensions, through stacks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import ClientFactory

QUEUE = {"Type": "AWS::SQS::Queue"}

LOOPED = """
Transform: AWS::LanguageExtensions
Parameters:
  Stages: {Type: CommaDelimitedList, Default: "dev,pro-d"}
Mappings:
  Kinds: {All: {Names: [orders, bills]}}
Conditions:
  Fn::ForEach::Is:
    - Stage
    - !Ref Stages
    - "Is&{Stage}": !Equals [!Ref Stage, dev]
Resources:
  Fn::ForEach::Queues:
    - Kind
    - !FindInMap [Kinds, All, Names]
    - Fn::ForEach::PerStage:
        - Stage
        - !Ref Stages
        - "Queue${Kind}&{Stage}":
            Type: AWS::SQS::Queue
            Properties:
              QueueName: !Sub "${AWS::StackName}-${Kind}-${Stage}"
              Fn::ForEach::Settings:
                - Setting
                - [DelaySeconds, VisibilityTimeout]
                - "${Setting}": 7
Outputs:
  Fn::ForEach::Arns:
    - Kind
    - [orders, bills]
    - Arn${Kind}:
        Value: !GetAtt
          - !Sub "Queue${Kind}dev"
          - Arn
  Some: {Value: !Length [1, 2], Condition: Isdev}
"""


def test_loops_make_what_they_stand_for(client: ClientFactory, account: str) -> None:
    cloudformation, sqs = client("cloudformation"), client("sqs")
    capabilities = ["CAPABILITY_AUTO_EXPAND"]
    assert cloudformation.validate_template(TemplateBody=LOOPED)["DeclaredTransforms"]
    cloudformation.create_stack(StackName="l", TemplateBody=LOOPED, Capabilities=capabilities)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="l")
    [stack] = cloudformation.describe_stacks(StackName="l")["Stacks"]
    arn = f"arn:aws:sqs:us-east-1:{account}:l"
    assert {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]} == {
        "Arnorders": f"{arn}-orders-dev",
        "Arnbills": f"{arn}-bills-dev",
        "Some": "2",
    }
    made = cloudformation.describe_stack_resources(StackName="l")["StackResources"]
    assert {one["LogicalResourceId"] for one in made} == {
        *("Queueordersdev", "Queueordersprod", "Queuebillsdev", "Queuebillsprod"),
    }
    url = sqs.get_queue_url(QueueName="l-bills-pro-d")["QueueUrl"]
    shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (shown["DelaySeconds"], shown["VisibilityTimeout"]) == ("7", "7")


@pytest.mark.parametrize(
    ("loop", "message"),
    [
        ([1, ["a"], {}], "Fn::ForEach::X layout is incorrect"),
        (["A", "x", {"${A}": QUEUE}], "The collection of A must be a list"),
        (["A", ["b", "b"], {"Q${A}": QUEUE}], "Duplicate key Qb"),
    ],
    ids=["layout", "collection", "duplicate"],
)
def test_loops_that_are_none_are_refused(client: ClientFactory, loop: Any, message: str) -> None:
    body = {"Transform": "AWS::LanguageExtensions", "Resources": {"Fn::ForEach::X": loop}}
    with pytest.raises(ClientError, match=message):
        client("cloudformation").create_stack(
            StackName="l", TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_AUTO_EXPAND"]
        )
