"""`lambent nodes`: who serves the store, how busy each is, and when it was last heard of."""

from __future__ import annotations

from typing import Any

import click

from lambent.cli.client import NodeClient, calls_node, endpoint_option, json_option, print_json
from lambent.cli.table import print_table

_COLUMNS = ("node", "name", "state", "version", "endpoint", "running", "environments", "seen")


@click.command()
@endpoint_option
@json_option
@calls_node
def command(endpoint: str, as_json: bool) -> None:
    """Show the nodes that serve one store together: load, state, last sign of life.

    \b
    Examples:
      lambent nodes
      lambent nodes --json
    """
    answer = NodeClient(endpoint).ask("nodes")
    if as_json:
        print_json(answer)
        return
    print_table("nodes", _COLUMNS, [_row(one) for one in answer["nodes"]], _COLUMNS[5:])


def _row(one: dict[str, Any]) -> list[object]:
    state = "draining" if one["draining"] else "up"
    return [
        one["id"],
        one["name"] + (" (this one)" if one["this"] else ""),
        state,
        one["version"],
        one["endpoint"],
        one["load"].get("running", 0),
        one["load"].get("environments", 0),
        f"{one['seen']:.1f} s ago",
    ]
