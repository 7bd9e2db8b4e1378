"""What a node counts of itself, for Prometheus and for CloudWatch.

Two kinds of figures, both made in memory at the cost of an addition:

- `Counter`, `Gauge` and `Histogram`, children of a named family with labels, which grow for
  as long as the node runs and are shown at `/_lambent/metrics`;
- measurements under AWS's names (`Metric`), gathered by minute, which the CloudWatch service
  takes once a minute and keeps.

What is cheaper to look up than to count all along (depths, ages) is given by a `before` hook,
which runs before the figures are shown, or by an `each_minute` hook. Knows no wire format.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, Generic, NamedTuple, Protocol, TypeVar, cast

from lambent.core.distribution import Distribution

MOST_CHILDREN: Final = 5_000
"""How many label sets a family has; further ones are counted together as `OTHER`."""
OTHER: Final = "other"

SECONDS: Final = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0),
)
"""Bounds of histograms of durations."""


class Metric(NamedTuple):
    """A measurement's name as CloudWatch has it. `dimensions` are in order of their names."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()
    unit: str = "None"


class Counter:
    """Only grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def add(self, amount: float = 1.0) -> None:
        """Count."""
        self.value += amount


class Gauge:
    """Goes up and down."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def set(self, value: float) -> None:
        """It is this now."""
        self.value = value


class Histogram:
    """How often a measurement fell at or below each bound (and above the last)."""

    __slots__ = ("bounds", "buckets", "count", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.count = 0
        self.total = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count a measurement, `times` over."""
        self.buckets[bisect_left(self.bounds, value)] += times
        self.count += times
        self.total += value * times


class Child(Protocol):
    """What a family has of each label set."""


C = TypeVar("C", bound=Child, covariant=True)


class Family(Generic[C]):
    """The figures of one name, by the values of its labels."""

    def __init__(
        self, name: str, help: str, labels: Sequence[str], kind: str, make: Callable[[], C]
    ) -> None:
        self.name = name
        self.help = help
        self.labels = tuple(labels)
        self.kind = kind
        self._make = make
        self._children: dict[tuple[str, ...], C] = {}

    def child(self, *values: str) -> C:
        """The figure of these label values, in the labels' order; made when it is new."""
        found = self._children.get(values)
        if found is None:
            if len(self._children) >= MOST_CHILDREN:
                values = (OTHER,) * len(self.labels)
                if values in self._children:
                    return self._children[values]
            found = self._children[values] = self._make()
        return found

    def forget(self, *values: str) -> None:
        """Show the figures whose labels begin with these values no more."""
        for known in [k for k in self._children if k[: len(values)] == values]:
            del self._children[known]

    def clear(self) -> None:
        """Forget all, for gauges that are looked up anew."""
        self._children.clear()

    def items(self) -> Iterator[tuple[tuple[str, ...], C]]:
        """All label sets with their figures, in order of their values."""
        return iter(sorted(self._children.items(), key=lambda item: item[0]))


Before = Callable[[], Awaitable[None]]
EachMinute = Callable[[float], Awaitable[None]]
"""Gets the time, in seconds since the epoch, that it is to measure for."""
EachTake = Callable[[float], None]
"""The same, without waiting."""


class Metrics:
    """The figures of one node."""

    def __init__(self) -> None:
        self._families: dict[str, Family[Child]] = {}
        self._before: list[Before] = []
        self._each_minute: list[EachMinute] = []
        self._each_take: list[EachTake] = []
        self._minutes: dict[tuple[Metric, int], Distribution] = {}

    # What grows ------------------------------------------------------------------------

    def counter(self, name: str, help: str, *labels: str) -> Family[Counter]:
        """A family of counters; its name is shown with `_total` behind it."""
        return self._family(Family(name, help, labels, "counter", Counter))

    def gauge(self, name: str, help: str, *labels: str) -> Family[Gauge]:
        """A family of gauges."""
        return self._family(Family(name, help, labels, "gauge", Gauge))

    def histogram(
        self, name: str, help: str, *labels: str, bounds: Sequence[float] = SECONDS
    ) -> Family[Histogram]:
        """A family of histograms."""
        return self._family(Family(name, help, labels, "histogram", lambda: Histogram(bounds)))

    def _family(self, family: Family[C]) -> Family[C]:
        """The family, or the one that is there already under its name and with its labels."""
        known = self._families.setdefault(family.name, family)
        if (known.kind, known.labels) != (family.kind, family.labels):
            raise ValueError(f"There are other figures named {family.name}.")
        return cast("Family[C]", known)

    def before(self, hook: Before) -> None:
        """Run `hook` before the figures are shown."""
        self._before.append(hook)

    async def families(self) -> list[Family[Child]]:
        """All families, in order of their names, looked up where they need it."""
        for hook in self._before:
            await hook()
        return sorted(self._families.values(), key=lambda family: family.name)

    # By minute, under AWS's names ------------------------------------------------------

    def measure(self, metric: Metric, at: float, value: float, times: float = 1.0) -> None:
        """Note a measurement made `at` (seconds since the epoch)."""
        key = (metric, int(at // 60))
        found = self._minutes.get(key)
        if found is None:
            found = self._minutes[key] = Distribution()
        found.add(value, times)

    def put(self, metric: Metric, at: float, values: Distribution) -> None:
        """Note measurements made in the minute of `at`."""
        if values.count:
            self._minutes.setdefault((metric, int(at // 60)), Distribution()).merge(values)

    def each_minute(self, hook: EachMinute) -> None:
        """Run `hook` once a minute, to measure what is looked up."""
        self._each_minute.append(hook)

    async def look(self, at: float) -> None:
        """Run the hooks of the minute."""
        for hook in self._each_minute:
            await hook(at)

    def each_take(self, hook: EachTake) -> None:
        """Run `hook` before measurements are taken, to note what was counted meanwhile."""
        self._each_take.append(hook)

    def take(self, at: float) -> list[tuple[Metric, int, Distribution]]:
        """What was measured since the last time: metric, minute (since the epoch), values.
        What has no time of its own was measured `at`."""
        for hook in self._each_take:
            hook(at)
        taken, self._minutes = self._minutes, {}
        return [(metric, minute, values) for (metric, minute), values in taken.items()]
