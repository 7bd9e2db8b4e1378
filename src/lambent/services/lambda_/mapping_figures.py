"""What each event source mapping is counted for, told by its lane as an observer.

For Prometheus all of it; under AWS's names, in AWS/Lambda, the event counts of mappings whose
MetricsConfig asks for them. Source: Lambda Developer Guide, "Event source mapping metrics".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping as Document
from collections.abc import Sequence
from typing import Any, Final

from lambent.core.arns import Arn
from lambent.core.distribution import Distribution
from lambent.core.metrics import Metric, Metrics
from lambent.events.contract import Batch
from lambent.events.delivery import Lane
from lambent.events.flow.regulator import Regulator
from lambent.events.observer import Observer
from lambent.events.policy import Attempt, Verdict
from lambent.services.lambda_.model import Mapping
from lambent.services.lambda_.names import from_arn

MINUTES: Final = 60
"""How many minutes of latencies are kept."""
MOST_FINGERPRINTS: Final = 20
"""How many kinds of failure a mapping has figures of; the rest are counted together."""
_OTHER: Final = "other"
LABELS: Final = ("account", "region", "mapping", "function", "source")
"""What tells mappings apart in Prometheus; see `labels_of`."""
_COUNTED: Final = {
    "polled": ("PolledEventCount", "Events that were taken from the source."),
    "invoked": ("InvokedEventCount", "Events that the function was called with."),
    "filtered": ("FilteredOutEventCount", "Events that no filter wanted."),
    "failed": ("FailedInvokeEventCount", "Events whose call failed."),
    "deleted": ("DeletedEventCount", "Events that were done, and deleted."),
    "dropped": ("DroppedEventCount", "Events that were given up."),
    "delivered": (
        "OnFailureDestinationDeliveredEventCount",
        "Events that were sent to the on-failure destination.",
    ),
    "dead_lettered": ("", "Events that the claim moved to the dead-letter queue."),
    "suppressed": ("", "Duplicates that nobody was to see."),
    "retried": ("", "Events that were taken again."),
    "throttled": ("", "Calls for which there was no place."),
    "calls": ("", "Calls of the function."),
}


class MappingFigures:
    """The figures of all mappings of a node."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._known: dict[str, MappingObserver] = {}
        self.counters = {
            name: metrics.counter(f"lambent_mapping_{name}", help, *LABELS)
            for name, (_, help) in _COUNTED.items()
        }
        self.failures = metrics.counter(
            "lambent_mapping_failures",
            "Events that failed, by the error's fingerprint (see `lambent dlq`).",
            *LABELS,
            "fingerprint",
            "type",
        )
        self.latency = metrics.histogram(
            "lambent_mapping_latency_seconds",
            "From when an event was sent until it was done.",
            *LABELS,
        )
        self._running = metrics.gauge("lambent_mapping_running", "Calls that run now.", *LABELS)
        self._limit = metrics.gauge(
            "lambent_mapping_limit", "How many calls may run at once now.", *LABELS
        )
        self._state = metrics.gauge(
            "lambent_mapping_state",
            "1 for the state that the flow control is in, circuit states among them.",
            *LABELS,
            "state",
        )
        metrics.before(self._show)
        metrics.each_take(self._tell)

    def follow(self, mapping: Mapping) -> MappingObserver:
        """The observer of a mapping as it is now; what was counted before goes on."""
        known = self._known.get(mapping.uuid)
        if known is None or known.labels != labels_of(mapping):
            self.forget(mapping.uuid)
            known = self._known[mapping.uuid] = MappingObserver(self, mapping)
        wanted = (mapping.settings.get("MetricsConfig") or {}).get("Metrics") or ()
        known.told_to_aws = "EventCount" in wanted
        return known

    def attach(self, uuid: str, lane: Lane, regulator: Regulator | None) -> None:
        """What runs the mapping now."""
        if uuid in self._known:
            self._known[uuid].lane = lane
            self._known[uuid].regulator = regulator

    def forget(self, uuid: str) -> None:
        """The mapping is gone."""
        known = self._known.pop(uuid, None)
        if known is not None:
            for family in (*self.counters.values(), self.failures, self.latency):
                family.forget(*known.labels)

    def count(self, uuid: str, name: str) -> int:
        """One of a mapping's counts since the node started."""
        known = self._known.get(uuid)
        return known.counts[name] if known is not None else 0

    def summary(self, now: float) -> dict[str, dict[str, Any]]:
        """The last hour of each mapping, by UUID."""
        return {uuid: one.summary(now) for uuid, one in self._known.items()}

    async def _show(self) -> None:
        for gauge in (self._running, self._limit, self._state):
            gauge.clear()
        for one in self._known.values():
            for name, family in self.counters.items():
                family.child(*one.labels).value = one.counts[name]
            lane = one.lane
            if lane is None:
                continue
            limit: float = lane.places
            if one.regulator is not None:
                shown = one.regulator.shown(lane.places, lane.in_flight)
                limit = shown["limit"]
                self._state.child(*one.labels, str(shown["state"])).set(1)
            self._running.child(*one.labels).set(lane.in_flight)
            self._limit.child(*one.labels).set(limit)

    def _tell(self, at: float) -> None:
        for uuid, one in self._known.items():
            for name, (aws_name, _) in _COUNTED.items():
                count, told = one.counts[name], one.told[name]
                one.told[name] = count
                if aws_name and one.told_to_aws and count != told:
                    dimensions = (("EventSourceMappingUUID", uuid),)
                    account, region = one.labels[:2]
                    metric = Metric(account, region, "AWS/Lambda", aws_name, dimensions, "Count")
                    self._metrics.measure(metric, at, count - told)


def labels_of(mapping: Mapping) -> tuple[str, str, str, str, str]:
    """What tells a mapping's figures apart."""
    function = from_arn(Arn.parse(mapping.function))
    source = Arn.parse(mapping.source).resource
    return function.account, function.region, mapping.uuid, function.name, source


class MappingObserver(Observer):
    """Hears one mapping's lane."""

    def __init__(self, figures: MappingFigures, mapping: Mapping) -> None:
        self.labels = labels_of(mapping)
        self.counts = dict.fromkeys(_COUNTED, 0)
        self.told = dict.fromkeys(_COUNTED, 0)
        self.told_to_aws = False
        self.lane: Lane | None = None
        self.regulator: Regulator | None = None
        self._latency = figures.latency.child(*self.labels)
        self._failures = figures.failures
        self._fingerprints: set[str] = set()
        self._minutes: deque[tuple[int, Distribution]] = deque(maxlen=MINUTES)

    def claimed(self, batch: Batch, filtered: int, at: float) -> None:
        counts = self.counts
        counts["polled"] += len(batch.records) + filtered
        counts["filtered"] += filtered
        for record in batch.records:
            if _attribute(record, "ApproximateReceiveCount", "1") != "1":
                counts["retried"] += 1

    def dead_lettered(self, count: int, at: float) -> None:
        self.counts["dead_lettered"] += count

    def suppressed(self, count: int, at: float) -> None:
        self.counts["suppressed"] += count

    def called(self, batch: Batch, at: float) -> None:
        self.counts["calls"] += 1
        self.counts["invoked"] += len(batch.records)

    def ended(self, attempt: Attempt, verdict: Verdict, seconds: float) -> None:
        outcome = attempt.outcome
        if outcome.error == "Throttled":
            self.counts["throttled"] += 1
        failed = len(attempt.batch.records) if outcome.error is not None else len(verdict.again)
        if failed:
            self.counts["failed"] += failed
            if verdict.failure is not None:
                self._failed(verdict.failure.fingerprint, verdict.failure.type, failed)

    def _failed(self, fingerprint: str, kind: str, count: int) -> None:
        if fingerprint not in self._fingerprints:
            if len(self._fingerprints) >= MOST_FINGERPRINTS:
                fingerprint = kind = _OTHER
            else:
                self._fingerprints.add(fingerprint)
        self._failures.child(*self.labels, fingerprint, kind).value += count

    def settled(self, batch: Batch, verdict: Verdict, at: float) -> None:
        done = verdict.done
        self.counts["deleted"] += len(done)
        self.counts["dropped"] += len(verdict.aside)
        self.counts["delivered"] += len(verdict.sends)
        if not done:
            return
        records = batch.records
        if len(done) != len(records):
            kept = set(done)
            records = [
                record
                for record, ticket in zip(batch.records, batch.tickets, strict=True)
                if ticket in kept
            ]
        self._took(records, at)

    def _took(self, records: Sequence[Document[str, Any]], at: float) -> None:
        minute = int(at // 60)
        if not self._minutes or self._minutes[-1][0] != minute:
            self._minutes.append((minute, Distribution()))
        spread = self._minutes[-1][1]
        for record in records:
            sent = _attribute(record, "SentTimestamp", "")
            if sent:
                seconds = max(0.0, at - int(sent) / 1000)
                self._latency.observe(seconds)
                spread.add(seconds)

    def summary(self, now: float) -> dict[str, Any]:
        """The last hour in one line; durations in milliseconds."""
        whole = Distribution()
        for minute, spread in self._minutes:
            if minute > now // 60 - MINUTES:
                whole.merge(spread)
        p50, p95, p99 = (round(one * 1000, 3) for one in whole.quantiles((0.5, 0.95, 0.99)))
        lane = self.lane
        return {
            "done_last_hour": int(whole.count),
            "latency_p50_ms": p50,
            "latency_p95_ms": p95,
            "latency_p99_ms": p99,
            "running": lane.in_flight if lane is not None else 0,
            **self.counts,
        }


def _attribute(record: Document[str, Any], name: str, default: str) -> str:
    attributes = record.get("attributes")
    return str(attributes.get(name, default)) if isinstance(attributes, Document) else default
