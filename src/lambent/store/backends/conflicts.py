"""What is raised, by every backend alike, when a record is not at the expected version."""

from __future__ import annotations

from lambent.core.errors import Conflict
from lambent.store.contract import ABSENT


def conflict(expect: int) -> Conflict:
    """The error for a write that expected this version (`ABSENT`: none)."""
    if expect == ABSENT:
        return Conflict("There is a record under the key already.")
    return Conflict(f"The record is no longer at version {expect}.")
