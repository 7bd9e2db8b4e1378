"""What is built of each AWS service, told by a node and by botocore's models."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import botocore.session

from lambent.app import Node
from lambent.core.registry import method_name
from lambent.core.settings import Settings

_NAMES = {
    "cloudwatch": "CloudWatch",
    "cloudformation": "CloudFormation",
    "dynamodb": "DynamoDB",
    "dynamodbstreams": "DynamoDB Streams",
    "iam": "IAM",
    "lambda": "Lambda",
    "logs": "CloudWatch Logs",
    "s3": "S3",
    "secretsmanager": "Secrets Manager",
    "sqs": "SQS",
    "ssm": "SSM (Parameter Store)",
    "sts": "STS",
}


@dataclass(frozen=True)
class Built:
    """One service: the operations that are there, those that AWS has besides, and its
    CloudFormation resource types."""

    name: str
    operations: list[str]
    missing: list[str]
    resources: list[str]

    @property
    def title(self) -> str:
        """The service's name for people."""
        return _NAMES.get(self.name, self.name)


def built() -> list[Built]:
    """Every service of a node, in the order of their titles."""
    return sorted(asyncio.run(_ask_a_node()), key=lambda service: service.title.lower())


async def _ask_a_node() -> list[Built]:
    session = botocore.session.Session()
    found: list[Built] = []
    node = Node(Settings(data_dir=None, port=0))
    await node.start()
    try:
        for service in node._services:
            if service.operations is None:
                continue  # it adds to Lambent's own API alone
            names: list[str] = session.get_service_model(service.name).operation_names
            there = [n for n in names if hasattr(service.operations, method_name(n))]
            missing = sorted(set(names) - set(there))
            found.append(Built(service.name, sorted(there), missing, sorted(service.resources)))
    finally:
        await node.stop()
    return found


def table(services: list[Built]) -> str:
    """The short table of the README."""
    lines = [
        "| service | operations built | of AWS's | resource types |",
        "| --- | --: | --: | --: |",
    ]
    for service in services:
        count = len(service.operations)
        total = count + len(service.missing)
        lines.append(f"| {service.title} | {count} | {total} | {len(service.resources)} |")
    return "\n".join(lines)


def page(services: list[Built]) -> str:
    """The whole of docs/services.md."""
    parts = [
        "# What is built of each service\n",
        "Made by `./dev docs` from the code and from the service models in botocore; a test "
        "fails when it is out of date. An operation that is not built answers `NotImplemented` "
        "with status 501.\n",
    ]
    for service in services:
        count = len(service.operations)
        parts.append(f"## {service.title}: {count} of {count + len(service.missing)} operations\n")
        parts.append(f"Built: {_listed(service.operations)}\n")
        if service.missing:
            parts.append(
                "<details><summary>Not built</summary>\n\n"
                f"{_listed(service.missing)}\n\n</details>\n"
            )
        if service.resources:
            parts.append(f"In templates: {_listed(service.resources)}\n")
    return "\n".join(parts)


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) + "."
