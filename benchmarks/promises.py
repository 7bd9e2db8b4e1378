"""What was promised beside what was measured, for the parts that stand alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """A figure and its bound, in the unit; `least` turns the bound around."""

    title: str
    value: float
    bound: float
    unit: str
    least: bool = False

    @property
    def kept(self) -> bool:
        """Whether it holds."""
        return self.value >= self.bound if self.least else self.value <= self.bound


def table(promises: Sequence[Promise]) -> str:
    """As Markdown."""
    lines = ["| promised | measured | to be | |", "| --- | ---: | ---: | --- |"]
    for each in promises:
        bound = f"at {'least' if each.least else 'most'} {each.bound:,g} {each.unit}"
        kept = "kept" if each.kept else "**not kept**"
        lines.append(f"| {each.title} | {figure(each.value)} {each.unit} | {bound} | {kept} |")
    return "\n".join(lines)


def figure(value: float) -> str:
    """With as many digits as say something: 0.158, 3.65, 28.8, 283, 1,080."""
    digits = max(0, 2 - len(str(int(value))) + (1 if value >= 1 else 2))
    return f"{value:,.{min(digits, 3)}f}"
