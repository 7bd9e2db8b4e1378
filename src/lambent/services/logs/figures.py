"""What log events measure: embedded metrics, metric filters, and the logs' own figures.

Source: CloudWatch Logs User Guide, "CloudWatch Logs metrics" (AWS/Logs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.core.context import RequestContext
from lambent.core.distribution import Distribution
from lambent.core.metrics import Metric, Metrics
from lambent.services.logs import emf, metric_filters
from lambent.services.logs.model import MAX_AGE, MAX_AHEAD, Group


class Figures:
    """Measures what comes into the logs of a node."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def came(
        self, context: RequestContext, group: Group, events: Sequence[Mapping[str, Any]], size: int
    ) -> None:
        """Events were put into a group, of so many bytes together."""
        now = context.now
        own = (("LogGroupName", group.name),)
        for name, unit, value in (
            ("IncomingLogEvents", "None", len(events)),
            ("IncomingBytes", "Bytes", size),
        ):
            metric = Metric(context.account, context.region, "AWS/Logs", name, own, unit)
            self._metrics.measure(metric, now, value)
        for event in events:
            message = event["message"]
            for one in emf.measured(message):
                if now - MAX_AGE <= one.at <= now + MAX_AHEAD:
                    self._note(context, one)
            if group.filters:
                for one in metric_filters.measured(
                    group.filters, message, event["timestamp"] / 1000
                ):
                    self._note(context, one)

    def _note(self, context: RequestContext, one: emf.Measured) -> None:
        metric = Metric(
            context.account, context.region, one.namespace, one.name, one.dimensions, one.unit
        )
        values = Distribution()
        for value in one.values:
            values.add(value)
        self._metrics.put(metric, one.at, values)
