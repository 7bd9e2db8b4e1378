"""`timed`: a node under a virtual clock, and a client for it; `virtual()`: with queues."""

from dataclasses import dataclass
from typing import Any

import pytest
from tests.services.sqs.desk import Desk

from lambent.core.clock import VirtualClock


@dataclass
class Timed:
    node: Any
    clock: VirtualClock
    sqs: Any

    def advance(self, seconds: float) -> None:
        self.node.run(self.clock.advance(seconds))


@pytest.fixture
def timed(fresh_node, connect):
    clock = VirtualClock()
    node = fresh_node(clock=clock, data_dir=None)
    return Timed(node, clock, connect(node.endpoint, "sqs"))


@pytest.fixture
def virtual(fresh_node, connect, account):
    def make(**more):
        clock = VirtualClock()
        node = fresh_node(clock=clock, data_dir=None)
        return Desk(node, clock, connect(node.endpoint, "sqs"), account, **more)

    return make
