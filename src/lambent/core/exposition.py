"""A node's figures as text for Prometheus.

Source: Prometheus documentation, "Exposition formats" (text format 0.0.4), and the
OpenMetrics 1.0 specification, which differs in the names of counters' metadata and its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lambent.core.metrics import Child, Counter, Family, Gauge, Histogram

PLAIN: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def wants_openmetrics(accept: str) -> bool:
    """Whether an Accept header asks for OpenMetrics before the older text."""
    return "application/openmetrics-text" in accept


def text(families: Iterable[Family[Child]], openmetrics: bool = False) -> bytes:
    """The figures, in either format."""
    lines: list[str] = []
    for family in families:
        name = family.name
        shown = f"{name}_total" if family.kind == "counter" and not openmetrics else name
        lines.append(f"# HELP {shown} {_help(family.help, openmetrics)}")
        lines.append(f"# TYPE {shown} {family.kind}")
        for values, child in family.items():
            labels = [
                f'{label}="{_label(value)}"'
                for label, value in zip(family.labels, values, strict=True)
            ]
            if isinstance(child, Histogram):
                lines.extend(_histogram(name, labels, child))
            elif isinstance(child, Counter):
                lines.append(f"{name}_total{_braced(labels)} {_number(child.value)}")
            elif isinstance(child, Gauge):
                lines.append(f"{name}{_braced(labels)} {_number(child.value)}")
    if openmetrics:
        lines.append("# EOF")
    lines.append("")
    return "\n".join(lines).encode()


def _histogram(name: str, labels: list[str], child: Histogram) -> Iterable[str]:
    below = 0
    for bound, count in zip((*child.bounds, float("inf")), child.buckets, strict=True):
        below += count
        edge = "+Inf" if bound == float("inf") else _number(float(bound))
        within = _braced([*labels, f'le="{edge}"'])
        yield f"{name}_bucket{within} {below}"
    yield f"{name}_sum{_braced(labels)} {_number(child.total)}"
    yield f"{name}_count{_braced(labels)} {child.count}"


def _braced(labels: list[str]) -> str:
    return "{" + ",".join(labels) + "}" if labels else ""


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _label(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _help(value: str, openmetrics: bool) -> str:
    plain = value.replace("\\", "\\\\").replace("\n", "\\n")
    return plain.replace('"', '\\"') if openmetrics else plain
