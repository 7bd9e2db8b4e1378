"""Counts requests by service and operation: how many, how they ended, how long they took."""

from __future__ import annotations

from lambent.core.metrics import Counter, Histogram, Metrics

_OUTCOMES = {1: "informed", 2: "ok", 3: "redirected", 4: "refused", 5: "failed"}


class Requests:
    """The figures of a node's requests."""

    def __init__(self, metrics: Metrics) -> None:
        self._total = metrics.counter(
            "lambent_requests",
            "Requests answered, by how: ok, redirected, refused (4xx), failed (5xx).",
            "service",
            "operation",
            "outcome",
        )
        self._seconds = metrics.histogram(
            "lambent_request_seconds",
            "From a request's head to its answer, long polls included.",
            "service",
            "operation",
        )
        self._known: dict[tuple[str, str], tuple[dict[int, Counter], Histogram]] = {}

    def answered(self, service: str, operation: str, status: int, seconds: float) -> None:
        """Count a request; what names no operation of ours is counted together."""
        if operation == "-":
            service = "-"
        known = self._known.get((service, operation))
        if known is None:
            known = ({}, self._seconds.child(service, operation))
            self._known[service, operation] = known
        counters, histogram = known
        counter = counters.get(status)
        if counter is None:
            outcome = _OUTCOMES.get(status // 100, "failed")
            counter = counters[status] = self._total.child(service, operation, outcome)
        counter.value += 1
        histogram.observe(seconds)
