"""Producers and consumers go on while the node is killed: nothing lost, order kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.conftest import ClientFactory
from tests.crash.crowd import Crowd, during
from tests.crash.killing import killed_at, moments
from tests.support.nodes import ProcessNode

pytestmark = pytest.mark.crash


@pytest.mark.parametrize(
    "kills", [3, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_nothing_is_lost_and_order_is_kept_whenever_the_node_is_killed(
    node_process: Callable[..., ProcessNode], connect: ClientFactory, kills: int
) -> None:
    node = node_process()
    crowds = [Crowd(connect, [node], fifo=fifo) for fifo in (True, False)]
    during(killed_at(node, moments(kills, kills, 0.6)), *crowds)
