"""Values that only a template can bring past the API's own model are refused all the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import Make, Queue, until

from lambent.core.errors import AwsError
from lambent.services.lambda_.mapping_rules import queue_settings
from lambent.services.lambda_.settings import check

SOURCE = {"visibility_timeout": 30.0, "fifo": False}


@pytest.mark.parametrize(
    ("params", "member"),
    [
        ({"BatchSize": 0}, "batchSize"),
        ({"BatchSize": "many"}, "batchSize"),
        ({"BatchSize": 10_001, "MaximumBatchingWindowInSeconds": 1}, "batchSize"),
        ({"MaximumBatchingWindowInSeconds": 301}, "maximumBatchingWindowInSeconds"),
        ({"MaximumBatchingWindowInSeconds": -1}, "maximumBatchingWindowInSeconds"),
        ({"ScalingConfig": {"MaximumConcurrency": 1}}, "scalingConfig.maximumConcurrency"),
        ({"ScalingConfig": {"MaximumConcurrency": 1001}}, "scalingConfig.maximumConcurrency"),
        ({"FunctionResponseTypes": ["ReportAll"]}, "functionResponseTypes"),
        ({"MetricsConfig": {"Metrics": ["All"]}}, "metricsConfig.metrics"),
    ],
    ids=str,
)
def test_a_mapping_keeps_within_what_lambda_allows(params: dict[str, Any], member: str) -> None:
    with pytest.raises(AwsError, match=f"at '{member}' failed to satisfy constraint") as caught:
        queue_settings({}, params, SOURCE)
    assert caught.value.code == "ValidationException"


@pytest.mark.parametrize(
    ("params", "member"),
    [
        ({"Timeout": 0}, "timeout"),
        ({"Timeout": 901}, "timeout"),
        ({"MemorySize": 127}, "memorySize"),
        ({"EphemeralStorage": {"Size": 511}}, "ephemeralStorage.size"),
    ],
    ids=str,
)
def test_a_function_keeps_within_what_lambda_allows(params: dict[str, Any], member: str) -> None:
    with pytest.raises(AwsError, match=f"at '{member}' failed to satisfy constraint"):
        check(params)


def test_a_template_with_a_batch_of_nothing_fails_and_the_node_goes_on(
    client: Callable[..., Any], make: Make, queue: Callable[..., Queue]
) -> None:
    formation = client("cloudformation")
    source = queue()
    make("f")
    properties = {"FunctionName": "f", "EventSourceArn": source.arn, "BatchSize": 0}
    mapping = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}
    formation.create_stack(StackName="s", TemplateBody=json.dumps({"Resources": {"M": mapping}}))

    def status() -> str:
        return str(formation.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"])

    until(lambda: status() == "ROLLBACK_COMPLETE")
    events = formation.describe_stack_events(StackName="s")["StackEvents"]
    assert any("'batchSize'" in one.get("ResourceStatusReason", "") for one in events)
