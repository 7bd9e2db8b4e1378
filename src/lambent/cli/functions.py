"""`lambent functions`: how each function does: rates, percentiles, cold starts, cost."""

from __future__ import annotations

from typing import Any

import click

from lambent.cli.client import NodeClient, calls_node, endpoint_option, json_option, print_json
from lambent.cli.table import print_table

_COLUMNS = {
    "name": "name",
    "busy": "busy",
    "idle": "idle",
    "tier": "tier",
    "zygotes": "zygotes",
    "last_hour": "last hour",
    "per_minute": "per minute",
    "errors": "errors",
    "cold_share": "cold starts",
    "p50_ms": "p50 ms",
    "p95_ms": "p95 ms",
    "p99_ms": "p99 ms",
    "queue_p99_ms": "queue p99 ms",
    "memory_peak_mib": "MiB",
    "cost_per_million": "USD per million",
}


@click.command()
@endpoint_option
@json_option
@calls_node
def command(endpoint: str, as_json: bool) -> None:
    """Show how each function did in the last hour, and what it would cost on AWS.

    \b
    Examples:
      lambent functions
      lambent functions --json
    """
    found = figures(NodeClient(endpoint).ask("functions"))
    if as_json:
        print_json(found)
        return
    rows = [[_cell(name, one[name]) for name in _COLUMNS] for one in found]
    columns = list(_COLUMNS.values())
    print_table("functions", columns, rows, columns[1:], "No function has run on this node.")


def figures(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The node's answer as a list, the busiest function first."""
    found = [{"name": arn.split(":function:")[-1], "arn": arn, **answer[arn]} for arn in answer]
    return sorted(found, key=lambda one: (-one["last_hour"], one["name"]))


def _cell(name: str, value: Any) -> str:
    if name == "cold_share":
        return f"{value:.1%}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
