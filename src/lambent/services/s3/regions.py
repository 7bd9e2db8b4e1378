"""Which regions a bucket may be made in: those that AWS has, by botocore's own list."""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path


@cache
def known() -> frozenset[str]:
    """The names of all regions of all partitions."""
    found = find_spec("botocore")
    assert found is not None and found.origin is not None, "it holds all services' models"
    listed = Path(found.origin).parent / "data" / "partitions.json"
    partitions = json.loads(listed.read_bytes())["partitions"]
    return frozenset(
        name
        for partition in partitions
        for name in partition["regions"]
        if not name.endswith("-global")
    )
