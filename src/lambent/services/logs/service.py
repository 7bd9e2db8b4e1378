"""What the folder contributes to a node."""

from __future__ import annotations

from lambent.services.contract import Platform, Service
from lambent.services.logs import catalogue
from lambent.services.logs.figures import Figures
from lambent.services.logs.operations import LogOperations
from lambent.services.logs.resources import (
    LogGroupResource,
    LogStreamResource,
    MetricFilterResource,
)
from lambent.services.logs.retention import retention


def create(platform: Platform) -> Service:
    """CloudWatch Logs for one node."""
    operations = LogOperations(platform.store, platform.ids, Figures(platform.metrics))
    return Service(
        name="logs",
        operations=operations,
        resources={
            "AWS::Logs::LogGroup": LogGroupResource(operations),
            "AWS::Logs::LogStream": LogStreamResource(operations),
            "AWS::Logs::MetricFilter": MetricFilterResource(operations),
        },
        removes=(catalogue.STREAMS_OF_GROUP,),
        duties=(retention(platform.store, platform.clock),),
    )
