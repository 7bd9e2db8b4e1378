"""`lambent nodes`."""

from __future__ import annotations

import json

from tests.cli.conftest import Command


def test_a_node_shows_itself(command: Command) -> None:
    ran = command("nodes", "--json")
    assert ran.status == 0
    (one,) = json.loads(ran.out)["nodes"]
    assert one["this"]
    assert one["seen"] < 10
    assert not one["draining"]
    line = command("nodes").out
    assert line.startswith(f"nodes\t{one['id']}\t")
    assert one["endpoint"] in line
