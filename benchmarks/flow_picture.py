"""The picture of `benchmarks.flow`: throughput over time, with flow control and without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_WIDTH, _HEIGHT = 880, 640
_LEFT, _PANEL_WIDTH, _PANEL_HEIGHT = 64, 796, 210
_GOOD, _BAD, _LIMIT = "#1a7f64", "#c2410c", "#64748b"


def picture(virtual: Sequence[Any], real: Sequence[Any], ideal: float, real_ideal: float) -> str:
    """An SVG; above the large run in virtual time, below the small one in real time."""
    height = _HEIGHT if real else 330
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#334155">',
        "<title>Throughput of a function whose dependency breaks down above a number of "
        "concurrent calls, with flow control and without</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    parts += _panel(virtual, ideal, 40, f"{virtual[0].messages:,} messages, virtual time")
    if real:
        parts += _panel(real, real_ideal, 350, f"{real[0].messages:,} messages, real functions")
    return "\n".join([*parts, "</svg>", ""])


def _panel(results: Sequence[Any], ideal: float, top: float, title: str) -> list[str]:
    ends = max(results[0].seconds * 1.25, 60.0)
    most = ideal * 1.15
    bottom = top + _PANEL_HEIGHT

    def x(second: float) -> float:
        return _LEFT + min(second / ends, 1.0) * _PANEL_WIDTH

    def y(rate: float) -> float:
        return bottom - min(rate / most, 1.0) * _PANEL_HEIGHT

    parts = [
        f'<text x="{_LEFT}" y="{top - 14}" font-size="14" font-weight="600">{title}</text>',
        f'<line x1="{_LEFT}" y1="{y(ideal):.1f}" x2="{_LEFT + _PANEL_WIDTH}" y2="{y(ideal):.1f}" '
        f'stroke="{_LIMIT}" stroke-dasharray="4 4"/>',
        f'<text x="{_LEFT + _PANEL_WIDTH}" y="{y(ideal) - 5:.1f}" text-anchor="end" '
        f'fill="{_LIMIT}">what the dependency can take: {ideal:,.0f}/s</text>',
        f'<line x1="{_LEFT}" y1="{bottom}" x2="{_LEFT + _PANEL_WIDTH}" y2="{bottom}" '
        'stroke="#94a3b8"/>',
        f'<text x="{_LEFT - 8}" y="{bottom + 4}" text-anchor="end">0</text>',
        f'<text x="{_LEFT - 8}" y="{y(ideal) + 4:.1f}" text-anchor="end">{ideal:,.0f}</text>',
        f'<text x="{_LEFT - 8}" y="{y(ideal / 2) + 4:.1f}" text-anchor="end">'
        f"{ideal / 2:,.0f}</text>",
        f'<text x="{_LEFT - 8}" y="{top - 14}" text-anchor="end" fill="{_LIMIT}">done/s</text>',
    ]
    for step in range(1, 5):
        second = ends * step / 4
        parts.append(
            f'<text x="{x(second):.1f}" y="{bottom + 18}" text-anchor="'
            f'{"end" if step == 4 else "middle"}">{second:,.0f} s</text>'
        )
    window = max(int(ends / 120), 1)
    for result, colour, row in zip(results, (_GOOD, _BAD), (0, 1), strict=True):
        points = " ".join(
            f"{x(second):.1f},{y(rate):.1f}"
            for second, rate in _rates(result.done, min(result.seconds, ends), window)
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        parts.append(_words(result, colour, bottom + 40 + row * 18))
    return parts


def _words(result: Any, colour: str, y: float) -> str:
    found = result.summary
    name = result.name.partition(",")[0]
    waits = found["messages"] - found["done"] - found["dead"]
    rest = f", {waits:,} still waiting" if waits > 0 else ""
    return (
        f'<text x="{_LEFT}" y="{y:.0f}"><tspan fill="{colour}" font-weight="600">{name}: '
        f"{found['done']:,} done in {found['seconds']:,.0f} s</tspan>, {found['dead']:,} "
        f"dead-lettered{rest}; {found['failed_share']:.1%} of the calls to the dependency "
        "failed</text>"
    )


def _rates(counts: Mapping[int, int], seconds: float, window: int) -> list[tuple[float, float]]:
    """(middle of the window, done per second in it)."""
    return [
        (begin + window / 2, sum(counts.get(s, 0) for s in range(begin, begin + window)) / window)
        for begin in range(0, max(int(seconds), 1), window)
    ]
