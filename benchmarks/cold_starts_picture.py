"""The picture of `cold_starts`: each row of its table as a line, by language."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.promises import figure


@dataclass(frozen=True)
class Row:
    """What was measured of a case at one tier; milliseconds."""

    title: str
    tier: str
    figures: dict[str, float]


COLOURS = {
    "cold": "cold",
    "cold, no sandbox": "bare",
    "warm": "warm",
    "warm, no sandbox": "plain",
    "snap-start": "snap",
    "hot": "hot",
}
LEFT, RIGHT, TOP, LINE = 140, 780, 70, 22


def spoken(milliseconds: float) -> str:
    """A duration as people write it: 0.16 ms, 28.8 ms, 283 ms, 1.08 s."""
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.3g} s"
    return f"{milliseconds:.3g} ms" if milliseconds < 100 else f"{figure(milliseconds)} ms"


def picture(rows: Sequence[Row]) -> str:
    """Each row as a line from its least to its p99 with a dot at its median; logarithmic."""
    high = max(row.figures["p99"] for row in rows)
    low = min(row.figures["least"] for row in rows)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))

    def x(value: float) -> float:
        share = (math.log10(value) - first) / (last - first)
        return round(LEFT + share * (RIGHT - LEFT), 1)

    titles = list(dict.fromkeys(row.title for row in rows))
    bottom = TOP + len(rows) * LINE + len(titles) * 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 {bottom + 40}" role="img" '
        'aria-labelledby="t" font-family="system-ui, sans-serif">',
        '<title id="t">Invocations by language and tier, in milliseconds</title>',
        "<style>text{fill:#4d5a76;font-size:12px}.h{fill:#1c2740;font-size:15px;font-weight:600}"
        ".g{stroke:#c3cde0}.cold{stroke:#3d6fd1;fill:#3d6fd1}.bare{stroke:#8b9cc0;fill:#8b9cc0}"
        ".warm{stroke:#2b8a5c;fill:#2b8a5c}.plain{stroke:#8fbfa6;fill:#8fbfa6}"
        ".snap{stroke:#8a5cc4;fill:#8a5cc4}.hot{stroke:#cf8a1d;fill:#cf8a1d}line{stroke-width:3}line.g{stroke-width:1}"
        "@media(prefers-color-scheme:dark){text{fill:#aab6d0}.h{fill:#e8edf8}"
        ".g{stroke:#3f4d6b}}</style>",
        f'<text class="h" x="{LEFT}" y="24">One invocation, by language and tier</text>',
    ]
    at = LEFT
    for tier, colour in COLOURS.items():
        parts.append(f'<circle class="{colour}" cx="{at + 5}" cy="44" r="5"/>')
        parts.append(f'<text x="{at + 16}" y="48">{escape(tier)}</text>')
        at += 40 + 8 * len(tier)
    for power in range(first, last + 1):
        place = x(10**power)
        label = spoken(10.0**power)
        parts.append(f'<line class="g" x1="{place}" x2="{place}" y1="{TOP - 8}" y2="{bottom}"/>')
        parts.append(f'<text x="{place}" y="{bottom + 18}" text-anchor="middle">{label}</text>')
    y = TOP
    for title in titles:
        own = [row for row in rows if row.title == title]
        middle = y + LINE * len(own) / 2 + 4
        parts.append(f'<text class="h" x="10" y="{middle:g}">{escape(title)}</text>')
        for row in own:
            colour, centre = COLOURS[row.tier], y + LINE / 2
            least, median, most = (x(row.figures[name]) for name in ("least", "p50", "p99"))
            parts.append(
                f'<line class="{colour}" x1="{least}" x2="{most}" y1="{centre:g}" y2="{centre:g}"/>'
                f'<circle class="{colour}" cx="{median}" cy="{centre:g}" r="5"/>'
                f'<text x="{most + 10}" y="{centre + 4:g}">{spoken(row.figures["p50"])}</text>'
            )
            y += LINE
        y += 12
    parts.append(
        f'<text x="{LEFT}" y="{bottom + 34}">dots: medians; lines: from the least to p99</text>'
    )
    return "\n".join([*parts, "</svg>", ""])
