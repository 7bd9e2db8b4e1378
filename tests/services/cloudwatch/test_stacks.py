"""Alarms of a template, and the function that one calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.services.lambda_.conftest import archive, until

FUNCTION = "def handler(event, context):\n    print('told', event['alarmData']['state']['value'])\n"


def test_an_alarm_of_a_template_calls_its_function(client: Callable[..., Any]) -> None:
    client("s3").create_bucket(Bucket="alarm-code")
    client("s3").put_object(Bucket="alarm-code", Key="f.zip", Body=archive(FUNCTION))
    template = {
        "Resources": {
            "Told": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": "told",
                    "Runtime": "python3.11",
                    "Handler": "index.handler",
                    "Role": "arn:aws:iam::000000000000:role/r",
                    "Code": {"S3Bucket": "alarm-code", "S3Key": "f.zip"},
                },
            },
            "Permission": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "FunctionName": {"Ref": "Told"},
                    "Action": "lambda:InvokeFunction",
                    "Principal": "lambda.alarms.cloudwatch.amazonaws.com",
                    "SourceArn": {"Fn::GetAtt": ["Alarm", "Arn"]},
                },
            },
            "Alarm": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "Namespace": "App",
                    "MetricName": "Errors",
                    "Statistic": "Sum",
                    "Period": "60",
                    "EvaluationPeriods": "1",
                    "Threshold": "5",
                    "ComparisonOperator": "GreaterThanThreshold",
                    "AlarmActions": [{"Fn::GetAtt": ["Told", "Arn"]}],
                    "Tags": [{"Key": "team", "Value": "web"}],
                },
            },
            "Board": {
                "Type": "AWS::CloudWatch::Dashboard",
                "Properties": {"DashboardName": "main", "DashboardBody": "{}"},
            },
        },
        "Outputs": {"Alarm": {"Value": {"Ref": "Alarm"}}},
    }
    cloudformation, cloudwatch = client("cloudformation"), client("cloudwatch")
    cloudformation.create_stack(StackName="watch", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="watch", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
    )
    (stack,) = cloudformation.describe_stacks(StackName="watch")["Stacks"]
    name = stack["Outputs"][0]["OutputValue"]
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert (alarm["Period"], alarm["Threshold"]) == (60, 5.0)
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="try")
    (item,) = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="Action")[
        "AlarmHistoryItems"
    ]
    assert item["HistorySummary"].startswith("Successfully executed action")

    def told() -> list[Any]:
        try:
            events: list[Any] = client("logs").filter_log_events(
                logGroupName="/aws/lambda/told", filterPattern="told ALARM"
            )["events"]
        except client("logs").exceptions.ResourceNotFoundException:
            return []
        return events

    assert until(told)
    cloudformation.delete_stack(StackName="watch")
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName="watch", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
    )
    assert cloudwatch.describe_alarms()["MetricAlarms"] == []
    assert cloudwatch.list_dashboards()["DashboardEntries"] == []
