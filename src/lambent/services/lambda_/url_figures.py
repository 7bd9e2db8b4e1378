"""What requests to function URLs are counted for, under AWS's names in AWS/Lambda.

Source: Lambda Developer Guide, "Monitoring Lambda function URLs".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lambent.core.distribution import Distribution, of
from lambent.core.metrics import Metric, Metrics
from lambent.services.lambda_.names import LATEST, Reference

_Key = tuple[Reference, str]
"""The function with the URL's alias, and the version that was called."""


@dataclass(slots=True)
class _Requested:
    """The requests since they were last taken. Latencies in milliseconds."""

    refused: int = 0
    failed: int = 0
    latencies: Distribution = field(default_factory=Distribution)


class UrlFigures:
    """The figures of all function URLs of a node."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._requested: dict[_Key, _Requested] = {}
        metrics.each_take(self._tell)

    def answered(self, reference: Reference, version: str, status: int, seconds: float) -> None:
        """A request was answered with an HTTP status, after so long."""
        one = self._requested.setdefault((reference, version), _Requested())
        one.refused += 400 <= status < 500
        one.failed += status >= 500
        one.latencies.add(seconds * 1000)

    def _tell(self, at: float) -> None:
        for (reference, version), one in self._requested.items():
            count = one.latencies.count
            for dimensions in _dimensions(reference, version):
                for name, unit, values in (
                    ("UrlRequestCount", "Count", of({1.0: count})),
                    ("Url4xxCount", "Count", of({1.0: one.refused, 0.0: count - one.refused})),
                    ("Url5xxCount", "Count", of({1.0: one.failed, 0.0: count - one.failed})),
                    ("UrlRequestLatency", "Milliseconds", one.latencies),
                ):
                    place = reference.account, reference.region
                    metric = Metric(*place, "AWS/Lambda", name, dimensions, unit)
                    self._metrics.put(metric, at, values)
        self._requested.clear()


def _dimensions(reference: Reference, version: str) -> Iterator[tuple[tuple[str, str], ...]]:
    """Of the function's URLs together, of this one, and of the version it called."""
    function = ("FunctionName", reference.name)
    resource = ("Resource", f"{reference.name}:{reference.qualifier or LATEST}")
    yield (function,)
    yield (function, resource)
    yield (("ExecutedVersion", version), function, resource)
