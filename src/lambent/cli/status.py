"""`lambent status`: what is deployed, how deep the queues are, what fails."""

from __future__ import annotations

import json
from typing import Any

import click

from lambent.cli.client import (
    NodeClient,
    calls_node,
    endpoint_option,
    json_option,
    print_json,
)
from lambent.cli.table import print_table


@click.command()
@endpoint_option
@json_option
@calls_node
def command(endpoint: str, as_json: bool) -> None:
    """Show what is deployed, depths, what is in flight, failures, and which languages run.

    \b
    Examples:
      lambent status
      lambent status --json | jq .queues
    """
    client = NodeClient(endpoint)
    status = {
        "node": client.ask("health"),
        "runtimes": client.ask("runtimes"),
        "stacks": stacks(client),
        "functions": functions(client),
        "mappings": mappings(client),
        "queues": queues(client),
        "tables": tables(client),
        "buckets": [b["Name"] for b in client.service("s3").list_buckets()["Buckets"]],
    }
    if as_json:
        print_json(status)
        return
    about = status["node"]
    click.echo(
        f"Lambent {about['version']} at {client.endpoint}, up "
        f"{_duration(about['uptime_seconds'])}, on {about['store']}; sandbox {about['sandbox']}\n"
    )
    for title, columns, right in (
        ("stacks", ("name", "status", "resources"), ("resources",)),
        (
            "functions",
            ("name", "runtime", "state", "busy", "idle", "invocations", "failures"),
            ("busy", "idle", "invocations", "failures"),
        ),
        (
            "mappings",
            (
                *("source", "function", "state", "running", "done_last_hour", "failed"),
                *("latency_p50_ms", "latency_p99_ms", "last_result"),
            ),
            ("running", "done_last_hour", "failed", "latency_p50_ms", "latency_p99_ms"),
        ),
        (
            "queues",
            ("name", "waiting", "in_flight", "delayed", "dead_letters_of"),
            ("waiting", "in_flight", "delayed"),
        ),
        ("tables", ("name", "status", "items"), ("items",)),
    ):
        rows = [[item[column] for column in columns] for item in status[title]]
        spoken = {column: column.replace("_", " ") for column in columns}
        print_table(title, list(spoken.values()), rows, [spoken[column] for column in right])
    languages = [
        [one["name"], ", ".join(one["versions"]) or "none", one["missing"]]
        for one in status["runtimes"]
    ]
    print_table("runtimes", ("language", "versions", "what is missing"), languages)
    print_table("buckets", ("name",), [[name] for name in status["buckets"]])


def stacks(client: NodeClient) -> list[dict[str, Any]]:
    """Every stack that is not deleted."""
    cloudformation = client.service("cloudformation")
    return [
        {
            "name": stack["StackName"],
            "status": stack["StackStatus"],
            "resources": len(
                cloudformation.describe_stack_resources(StackName=stack["StackName"])[
                    "StackResources"
                ]
            ),
        }
        for page in cloudformation.get_paginator("describe_stacks").paginate()
        for stack in page["Stacks"]
    ]


def functions(client: NodeClient) -> list[dict[str, Any]]:
    """Every function with its environments and its counts since the node started."""
    activity = client.ask("functions")
    found: list[dict[str, Any]] = []
    for page in client.service("lambda").get_paginator("list_functions").paginate():
        for item in page["Functions"]:
            figures = activity.get(item["FunctionArn"], {})
            found.append(
                {
                    "name": item["FunctionName"],
                    "runtime": item.get("Runtime", ""),
                    "state": item.get("State", "Active"),
                    **{
                        name: figures.get(name, 0)
                        for name in ("busy", "idle", "invocations", "failures")
                    },
                }
            )
    return found


def mappings(client: NodeClient) -> list[dict[str, Any]]:
    """Every event source mapping; latencies are from when an event was sent until it was
    done, in the last hour, on the node that was asked."""
    aws = client.service("lambda")
    figures = client.ask("mappings")
    return [
        {
            "source": item["EventSourceArn"].rsplit(":", 1)[-1],
            "function": item["FunctionArn"].split(":function:")[-1],
            "state": item["State"],
            "last_result": item.get("LastProcessingResult", ""),
            **{
                name: figures.get(item["UUID"], {}).get(name, 0)
                for name in (
                    *("running", "done_last_hour", "failed", "retried", "throttled"),
                    *("latency_p50_ms", "latency_p95_ms", "latency_p99_ms"),
                )
            },
        }
        for page in aws.get_paginator("list_event_source_mappings").paginate()
        for item in page["EventSourceMappings"]
    ]


def queues(client: NodeClient) -> list[dict[str, Any]]:
    """Every queue with its depths; dead-letter queues name whose they are."""
    sqs = client.service("sqs")
    found: list[dict[str, Any]] = []
    sources: dict[str, list[str]] = {}
    for page in sqs.get_paginator("list_queues").paginate():
        for url in page.get("QueueUrls", []):
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
                "Attributes"
            ]
            name = url.rsplit("/", 1)[-1]
            if "RedrivePolicy" in attributes:
                target = json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"]
                sources.setdefault(target, []).append(name)
            found.append(
                {
                    "name": name,
                    "arn": attributes["QueueArn"],
                    "waiting": int(attributes["ApproximateNumberOfMessages"]),
                    "in_flight": int(attributes["ApproximateNumberOfMessagesNotVisible"]),
                    "delayed": int(attributes["ApproximateNumberOfMessagesDelayed"]),
                }
            )
    for queue in found:
        queue["dead_letters_of"] = ", ".join(sources.get(queue["arn"], []))
    return found


def tables(client: NodeClient) -> list[dict[str, Any]]:
    """Every table with its number of items."""
    dynamodb = client.service("dynamodb")
    found: list[dict[str, Any]] = []
    for page in dynamodb.get_paginator("list_tables").paginate():
        for name in page["TableNames"]:
            table = dynamodb.describe_table(TableName=name)["Table"]
            found.append(
                {"name": name, "status": table["TableStatus"], "items": table["ItemCount"]}
            )
    return found


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
