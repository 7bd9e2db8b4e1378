"""Templates that cannot be: refused at once with every problem, and nothing is left."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import ClientFactory

QUEUE: dict[str, Any] = {"Type": "AWS::SQS::Queue"}


def named(name: Any) -> dict[str, Any]:
    return {**QUEUE, "Properties": {"QueueName": name}}


def joined(value: Any, _: int) -> dict[str, Any]:
    return {"Fn::Join": ["", [value]]}


BOMB = (
    "Metadata:\n  a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(
        f"  {chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
    )
    + "Resources: {A: {Type: AWS::SQS::Queue}}"
)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{{{", "not well-formed"),
        ("[]", "unsupported structure"),
        ({}, "At least one Resources member"),
        ({"Resources": {"A": None}}, "must be an object"),
        ({"Resources": {"A": {"Type": 5}}}, "must contain a Type member"),
        ({"Resources": {"A": {**QUEUE, "DependsOn": "A"}}}, "Circular dependency"),
        (
            {"Resources": {"A": QUEUE, "B": {"Type": "AWS::Foo::Bar"}}},
            "Unrecognized resource types: [AWS::Foo::Bar]",
        ),
        (
            {"Resources": {"A": QUEUE, "B": named({"Fn::Nope": 1})}},
            "Encountered unsupported function: Fn::Nope Supported functions are: [Condition, Fn::",
        ),
        (
            {"Resources": {f"A{i}": QUEUE for i in range(501)}},
            "Number of resources, 501, is greater than maximum allowed, 500",
        ),
        (BOMB, "YAML aliases are not allowed"),
        ('Resources: !!python/object/apply:os.system ["true"]', "could not determine"),
        ("[" * 20_000, "not well-formed"),
        ('{"Resources":' + '{"A":' * 8000 + "1" + "}" * 8001, "Template"),
        (
            {"Resources": {"A": named(functools.reduce(joined, range(300), "x"))}},
            "nests too deep",
        ),
        (
            {
                "Resources": {
                    "A": named({"Ref": "Nope"}),
                    "B": {"Type": "AWS::Foo::Bar"},
                    "C": named({"Fn::GetAtt": ["Gone", "Arn"]}),
                }
            },
            "3 problems were found",
        ),
    ],
)
def test_an_impossible_template_is_refused_and_leaves_nothing(
    client: ClientFactory, body: Any, said: str
) -> None:
    cloudformation = client("cloudformation")
    text = body if isinstance(body, str) else json.dumps(body)
    with pytest.raises(ClientError) as raised:
        cloudformation.create_stack(StackName="impossible", TemplateBody=text)
    error = raised.value.response["Error"]
    assert error["Code"] == "ValidationError"
    assert said in error["Message"]
    assert cloudformation.list_stacks()["StackSummaries"] == []
    assert "QueueUrls" not in client("sqs").list_queues()
