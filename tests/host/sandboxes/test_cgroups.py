"""Control groups: nodes of one process do not share theirs, and what the dead left goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambent.host.sandboxes.cgroups import Cgroups, open_cgroups
from lambent.host.sandboxes.contract import Limits

LIMITS = Limits(memory=128, ephemeral=512)


def opened() -> Cgroups:
    groups = open_cgroups()
    if groups is None:
        pytest.skip("this machine lets nobody make control groups here")
    return groups


def test_a_node_that_closes_leaves_the_groups_of_another_in_its_process() -> None:
    first, second = opened(), opened()
    try:
        first.make("one", LIMITS).remove()
        first.close()
        group = second.make("two", LIMITS)
        assert group.used() >= 0
        group.remove()
    finally:
        second.close()


def test_groups_of_a_node_that_is_gone_are_removed_by_the_next() -> None:
    groups = opened()
    folder = next(iter(groups._folders.values()))
    left = folder.parent / "lambent-999999999-1"
    (left / "environment").mkdir(parents=True)
    try:
        opened().close()
        assert not left.exists()
        assert Path(folder).exists()
    finally:
        groups.close()
