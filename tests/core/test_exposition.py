"""The text that Prometheus reads."""

from __future__ import annotations

import pytest

from lambent.core import exposition, metrics
from lambent.core.metrics import Metrics


async def shown(figures: Metrics, openmetrics: bool = False) -> str:
    return exposition.text(await figures.families(), openmetrics).decode()


async def test_labels_and_help_are_escaped() -> None:
    figures = Metrics()
    figures.gauge("depth", "How\\deep\nit is", "queue").child('a"b\\c\nd').set(2.5)
    assert await shown(figures) == (
        '# HELP depth How\\\\deep\\nit is\n# TYPE depth gauge\ndepth{queue="a\\"b\\\\c\\nd"} 2.5\n'
    )


async def test_counters_are_named_as_each_format_wants() -> None:
    figures = Metrics()
    figures.counter("sent", "Sent.").child().add(3)
    assert (
        await shown(figures) == "# HELP sent_total Sent.\n# TYPE sent_total counter\nsent_total 3\n"
    )
    assert await shown(figures, openmetrics=True) == (
        "# HELP sent Sent.\n# TYPE sent counter\nsent_total 3\n# EOF\n"
    )


async def test_a_histogram_counts_at_or_below_each_bound() -> None:
    figures = Metrics()
    seconds = figures.histogram("s", "S.", "q", bounds=(0.1, 1.0)).child("x")
    for value in (0.1, 0.5, 7.0):
        seconds.observe(value)
    assert (await shown(figures)).splitlines()[2:] == [
        's_bucket{q="x",le="0.1"} 1',
        's_bucket{q="x",le="1"} 2',
        's_bucket{q="x",le="+Inf"} 3',
        's_sum{q="x"} 7.6',
        's_count{q="x"} 3',
    ]


async def test_a_hook_looks_up_what_is_not_counted() -> None:
    figures = Metrics()
    gauge = figures.gauge("g", "G.")

    async def look() -> None:
        gauge.child().set(4)

    figures.before(look)
    assert "g 4\n" in await shown(figures)


async def test_label_sets_beyond_the_limit_are_counted_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "MOST_CHILDREN", 20)
    figures = Metrics()
    family = figures.counter("n", "N.", "q")
    for number in range(metrics.MOST_CHILDREN + 10):
        family.child(str(number)).add()
    assert family.child("one more").value == 10
