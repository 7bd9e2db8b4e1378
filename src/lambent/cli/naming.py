"""What a user may call a function: its name, its ARN, or its name in a template."""

from __future__ import annotations

from lambent.cli.client import CommandError, NodeClient


def function_name(client: NodeClient, given: str) -> str:
    """The name that Lambda knows the function by.

    A function that CloudFormation named ("shop-Hello-3ZVA1BQM") is found by its logical id
    ("Hello", or "shop/Hello" where several stacks have one). Anything else is left as it is,
    for Lambda to answer.
    """
    aws = client.service("lambda")
    if given.startswith("arn:"):
        return given
    try:
        aws.get_function_configuration(FunctionName=given)
    except aws.exceptions.ClientError as error:
        # "shop/Hello" is no function's name, which Lambda says by another error.
        if error.response["ResponseMetadata"]["HTTPStatusCode"] not in (400, 404):
            raise
    else:
        return given
    stack, _, logical = given.rpartition("/")
    found = _named_in_templates(client, logical, stack)
    if len(found) > 1:
        names = ", ".join(f"{stack}/{logical}" for stack in sorted(found))
        raise CommandError(f"Several stacks have a function {logical}: say which of {names}.")
    return next(iter(found.values()), given)


def _named_in_templates(client: NodeClient, logical: str, only: str) -> dict[str, str]:
    """By stack, the functions with that logical id."""
    cloudformation = client.service("cloudformation")
    return {
        stack["StackName"]: resource["PhysicalResourceId"]
        for page in cloudformation.get_paginator("describe_stacks").paginate()
        for stack in page["Stacks"]
        if only in ("", stack["StackName"])
        for resource in cloudformation.describe_stack_resources(StackName=stack["StackName"])[
            "StackResources"
        ]
        if resource["ResourceType"] == "AWS::Lambda::Function"
        and resource["LogicalResourceId"] == logical
        and resource.get("PhysicalResourceId")
    }
