"""What requests on tables are measured for in CloudWatch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambent.core.clock import SystemClock


def test_requests_are_measured_by_table_and_outcome(
    ddb: Any, make: Callable[..., str], client: Callable[..., Any]
) -> None:
    make("orders", "id:S")
    for number in range(3):
        ddb.put_item(TableName="orders", Item={"id": {"S": str(number)}})
    ddb.scan(TableName="orders")
    with pytest.raises(ClientError):
        ddb.put_item(
            TableName="orders",
            Item={"id": {"S": "1"}},
            ConditionExpression="attribute_not_exists(id)",
        )
    with pytest.raises(ClientError):
        ddb.put_item(TableName="orders", Item={})
    cloudwatch = client("cloudwatch")
    now = datetime.fromtimestamp(SystemClock().now(), UTC)

    def total(name: str, stat: str = "Sum", **dimensions: str) -> float:
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/DynamoDB",
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=now - timedelta(minutes=20),
            EndTime=now + timedelta(minutes=5),
            Period=3600,
            Statistics=[stat],
        )["Datapoints"]
        return float(points[0][stat]) if points else 0.0

    put = {"TableName": "orders", "Operation": "PutItem"}
    assert total("SuccessfulRequestLatency", "SampleCount", **put) == 3
    assert total("ReturnedItemCount", TableName="orders", Operation="Scan") == 3
    assert total("ConditionalCheckFailedRequests", TableName="orders") == 1
    assert total("UserErrors") == 1
