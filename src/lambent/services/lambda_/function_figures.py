"""What each function is counted for, for Prometheus and under AWS's names in AWS/Lambda.

An invocation costs a few additions in memory. Under AWS's names figures come for a function,
for the version or alias that was asked for, and for all functions of an account together.
Source: Lambda Developer Guide, "Types of metrics for Lambda functions" and "Using CloudWatch
metrics with Lambda" (dimensions).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lambent.core.clock import Clock
from lambent.core.distribution import Distribution, of
from lambent.core.metrics import Counter, Gauge, Histogram, Metric, Metrics
from lambent.events.contract import Batch, Event
from lambent.events.observer import Observer
from lambent.events.policy import Attempt, Verdict
from lambent.host.contract import FunctionSpec, InvocationResult
from lambent.host.figures import cost
from lambent.services.lambda_.names import LATEST, Reference

_LABELS: Final = ("account", "region", "function")
_MIB: Final = 1024 * 1024
_COUNTS: Final = {
    "throttles": "Throttles",
    "received": "AsyncEventsReceived",
    "dropped": "AsyncEventsDropped",
    "recursive": "RecursiveInvocationsDropped",
    "dead_letter_errors": "DeadLetterErrors",
    "destination_errors": "DestinationDeliveryFailures",
    "unsigned": "SignatureValidationErrors",
}


@dataclass(slots=True)
class Called:
    """The figures of one function as one version or alias of it is called, since they were
    last taken (`most`: the most that ran at once; `kept`: how many environments provisioned
    concurrency is to keep for it, of whose invocations some may have spilled over)."""

    invocations: int = 0
    errors: int = 0
    running: int = 0
    most: int = 0
    kept: int = 0
    spilled: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    durations: Distribution = field(default_factory=Distribution)
    ages: Distribution = field(default_factory=Distribution)

    def count(self, name: str) -> None:
        """One more of `_COUNTS`."""
        self.counts[name] = self.counts.get(name, 0) + 1

    def begin(self) -> None:
        """An invocation begins."""
        self.running += 1
        self.most = max(self.most, self.running)

    def end(self) -> None:
        """It has ended, however."""
        self.running -= 1


_Key = tuple[str, str, str, str | None, str]
"""Account, region, function, qualifier, executed version ("" where none was)."""


@dataclass(frozen=True, slots=True)
class _Ran:
    """What each invocation of one function counts in."""

    seconds: Histogram
    waited: Histogram
    billed: Counter
    cost: Counter
    memory: Gauge
    ended: dict[tuple[str, str], Counter] = field(default_factory=dict)
    """Invocations, by the environment's tier and how they ended."""


class FunctionFigures:
    """The figures of all functions of a node."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._called: dict[_Key, Called] = {}
        self._regions: dict[tuple[str, str], Called] = {}
        self._ran: dict[tuple[str, str, str], _Ran] = {}
        self._invocations = metrics.counter(
            "lambent_function_invocations",
            "Invocations, by the tier of the environment and how they ended.",
            *_LABELS,
            "tier",
            "outcome",
        )
        self._seconds = metrics.histogram(
            "lambent_function_seconds", "How long invocations ran.", *_LABELS
        )
        self._waited = metrics.histogram(
            "lambent_function_queue_seconds",
            "How long invocations waited for an environment.",
            *_LABELS,
        )
        self._init = metrics.histogram(
            "lambent_function_init_seconds", "How long initialisations took.", *_LABELS
        )
        self._billed = metrics.counter(
            "lambent_function_billed_seconds", "Seconds that AWS would bill.", *_LABELS
        )
        self._cost = metrics.counter(
            "lambent_function_cost_usd", "What AWS would charge, in US dollars.", *_LABELS
        )
        self._memory = metrics.gauge(
            "lambent_function_memory_bytes", "Memory that the last invocation used.", *_LABELS
        )
        self._running = metrics.gauge(
            "lambent_function_running", "Invocations that run now.", *_LABELS
        )
        self._retries = metrics.counter(
            "lambent_function_retries", "Invocations of events that were tried before.", *_LABELS
        )
        self._counted = {
            name: metrics.counter(f"lambent_function_{name}", f"AWS's {aws}.", *_LABELS)
            for name, aws in _COUNTS.items()
        }
        metrics.before(self._show)
        metrics.each_take(self._tell)

    def begin(self, reference: Reference, version: str, kept: int = 0) -> Called:
        """An invocation begins; `end` it. `kept` as provisioned concurrency says."""
        called = self._of(reference, version)
        called.kept = kept
        called.begin()
        self._region(reference).begin()
        return called

    def end(self, reference: Reference, called: Called) -> None:
        """It has ended, however."""
        called.end()
        self._region(reference).end()

    def invoked(
        self, called: Called, spec: FunctionSpec, result: InvocationResult, retries: int
    ) -> None:
        """An invocation that ran, and how it went."""
        called.invocations += 1
        called.durations.add(result.duration * 1000)
        failed = result.error is not None
        called.errors += failed
        if called.kept and result.tier != "hot":
            called.spilled += 1
        labels = (spec.account, spec.region, spec.name)
        known = self._ran.get(labels)
        if known is None:
            known = self._ran[labels] = _Ran(
                self._seconds.child(*labels),
                self._waited.child(*labels),
                self._billed.child(*labels),
                self._cost.child(*labels),
                self._memory.child(*labels),
            )
        ended = (result.tier, "failed" if failed else "ok")
        counter = known.ended.get(ended)
        if counter is None:
            counter = known.ended[ended] = self._invocations.child(*labels, *ended)
        counter.value += 1
        known.seconds.observe(result.duration)
        known.waited.observe(result.waited)
        known.billed.value += result.billed
        known.cost.value += cost(result.billed, spec.memory, spec.architecture)
        known.memory.value = result.memory_peak * _MIB
        if result.init is not None:
            self._init.child(*labels).observe(result.init)
        if retries:
            self._retries.child(*labels).value += 1

    def count(self, reference: Reference, name: str) -> None:
        """One more of `_COUNTS`."""
        self._of(reference, "").count(name)
        labels = (reference.account, reference.region, reference.name)
        self._counted[name].child(*labels).value += 1

    def aged(self, reference: Reference, seconds: float) -> None:
        """An asynchronous event is tried this long after it was accepted."""
        self._of(reference, "").ages.add(seconds * 1000)

    def forget(self, reference: Reference) -> None:
        """The function is gone; what was counted of it is not."""
        self._tell(self._clock.now())
        gone = (reference.account, reference.region, reference.name)
        for key in [key for key in self._called if key[:3] == gone]:
            del self._called[key]
        self._ran.pop(gone, None)
        for family in (
            *(self._invocations, self._seconds, self._waited, self._init, self._billed),
            *(self._cost, self._memory, self._retries, *self._counted.values()),
        ):
            family.forget(*gone)

    def _of(self, reference: Reference, version: str) -> Called:
        key = (
            reference.account,
            reference.region,
            reference.name,
            reference.qualifier,
            version,
        )
        found = self._called.get(key)
        if found is None:
            found = self._called[key] = Called()
        return found

    def _region(self, reference: Reference) -> Called:
        key = (reference.account, reference.region)
        found = self._regions.get(key)
        if found is None:
            found = self._regions[key] = Called()
        return found

    async def _show(self) -> None:
        self._running.clear()
        for (account, region, name, _, _), called in self._called.items():
            self._running.child(account, region, name).value += called.running

    def _tell(self, at: float) -> None:
        for key, called in list(self._called.items()):
            for name, unit, values in _taken(called):
                for dimensions in _dimensions(*key[2:]):
                    metric = Metric(key[0], key[1], "AWS/Lambda", name, dimensions, unit)
                    self._metrics.put(metric, at, values)
            if key[3] is not None and not called.running:
                # Versions come and go; their figures are told, and begin anew when called.
                del self._called[key]
        for (account, region), together in self._regions.items():
            if together.most:
                for name in ("ConcurrentExecutions", "UnreservedConcurrentExecutions"):
                    metric = Metric(account, region, "AWS/Lambda", name, (), "Count")
                    self._metrics.measure(metric, at, together.most)
                together.most = together.running


def _taken(called: Called) -> Iterator[tuple[str, str, Distribution]]:
    """What is to be told of a function, which then begins anew."""
    if called.invocations:
        good = called.invocations - called.errors
        yield "Invocations", "Count", of({1.0: called.invocations})
        yield "Errors", "Count", of({1.0: called.errors, 0.0: good})
        yield "Duration", "Milliseconds", called.durations
        throttles = called.counts.pop("throttles", 0)
        yield "Throttles", "Count", of({1.0: throttles, 0.0: called.invocations})
        if called.kept:
            spilled = float(called.spilled)
            name = "ProvisionedConcurrencySpilloverInvocations"
            yield name, "Count", of({1.0: spilled, 0.0: called.invocations - spilled})
            hot = float(called.invocations - called.spilled)
            yield "ProvisionedConcurrencyInvocations", "Count", of({hot: 1.0})
            most = min(called.most, called.kept)
            yield "ProvisionedConcurrentExecutions", "Count", of({float(most): 1.0})
            yield "ProvisionedConcurrencyUtilization", "None", of({most / called.kept: 1.0})
        called.invocations = called.errors = called.spilled = 0
        called.durations = Distribution()
    if called.most:
        yield "ConcurrentExecutions", "Count", of({float(called.most): 1.0})
        called.most = called.running
    if called.ages.count:
        yield "AsyncEventAge", "Milliseconds", called.ages
        called.ages = Distribution()
    for name, count in called.counts.items():
        yield _COUNTS[name], "Count", of({1.0: count})
    called.counts.clear()


def _dimensions(
    name: str, qualifier: str | None, version: str
) -> Iterator[tuple[tuple[str, str], ...]]:
    """Of all functions, of this one, and of what was called of it."""
    yield ()
    yield (("FunctionName", name),)
    resource = name if qualifier is None else f"{name}:{qualifier}"
    yield (("FunctionName", name), ("Resource", resource))
    if qualifier is not None and version and qualifier not in (version, LATEST):
        yield (("ExecutedVersion", version), ("FunctionName", name), ("Resource", resource))


class AsyncObserver(Observer):
    """Counts a function's asynchronous events."""

    def __init__(self, figures: FunctionFigures, reference: Reference) -> None:
        self._figures = figures
        self._reference = reference

    def claimed(self, batch: Batch, filtered: int, at: float) -> None:
        for ticket in batch.tickets:
            self._figures.aged(self._reference, max(0.0, at - ticket.created))

    def ended(self, attempt: Attempt, verdict: Verdict, seconds: float) -> None:
        if attempt.outcome.error is not None and verdict.done:
            self._figures.count(self._reference, "dropped")

    def refused(self, event: Event) -> None:
        # A dead-letter queue gets attributes with the event, a destination does not.
        name = "dead_letter_errors" if event.attributes else "destination_errors"
        self._figures.count(self._reference, name)
