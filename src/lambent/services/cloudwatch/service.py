"""What the folder contributes to a node."""

from __future__ import annotations

from lambent.services.cloudwatch.alarm_operations import AlarmOperations
from lambent.services.cloudwatch.dashboard_operations import DashboardOperations
from lambent.services.cloudwatch.metric_operations import MetricOperations
from lambent.services.cloudwatch.recorder import Recorder
from lambent.services.cloudwatch.resources import (
    AlarmResource,
    CompositeAlarmResource,
    DashboardResource,
)
from lambent.services.cloudwatch.watcher import Watcher
from lambent.services.contract import Platform, Service


class Operations(MetricOperations, AlarmOperations, DashboardOperations):
    """Every operation of CloudWatch that this node has."""

    def __init__(self, platform: Platform, recorder: Recorder) -> None:
        MetricOperations.__init__(self, platform.store, recorder)
        AlarmOperations.__init__(self, platform.store, platform.targets)
        DashboardOperations.__init__(self, platform.store)


def create(platform: Platform) -> Service:
    """CloudWatch for one node."""
    recorder = Recorder(platform.store, platform.clock, platform.metrics)
    watcher = Watcher(platform.store, platform.clock, platform.targets, recorder)
    operations = Operations(platform, recorder)

    return Service(
        name="cloudwatch",
        operations=operations,
        resources={
            "AWS::CloudWatch::Alarm": AlarmResource(operations),
            "AWS::CloudWatch::CompositeAlarm": CompositeAlarmResource(operations),
            "AWS::CloudWatch::Dashboard": DashboardResource(operations),
        },
        duties=(*recorder.duties, watcher.duty),
        stop=recorder.finish,
    )
