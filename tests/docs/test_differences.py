"""What the documents say is not built is not built."""

from __future__ import annotations

import re
from pathlib import Path

from docs import services

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "differences.md"


def test_operations_that_are_said_to_be_missing_are_missing() -> None:
    section = GUIDE.read_text("utf-8").partition("## Not built")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([A-Z]\w+)`", section)) - {"NotImplemented"}
    built = services.built()
    assert named - {name for service in built for name in service.missing} == set()
    assert len(named) > 10
