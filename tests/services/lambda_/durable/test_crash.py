"""A node that is killed goes on with its executions, and does nothing twice that was done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import Queue
from tests.services.lambda_.durable.conftest import Flows


@pytest.mark.crash
def test_a_killed_node_goes_on_where_its_executions_were(
    node_process: Callable[..., Any],
    connect: Callable[..., Any],
    flows_of: Callable[[str], Flows],
) -> None:
    node = node_process()
    flows = flows_of(node.endpoint)
    queue = Queue(connect(node.endpoint, "sqs"), "done")
    flows.make(DurableConfig={"ExecutionTimeout": 300})
    arn = flows.start("counted", execution="order-1", queue=queue.url, seconds=3, lingers=2)
    assert queue.receive(20)["Body"] == "counted"
    flows.asleep(arn)
    node.kill()  # while it waits
    node.start()
    assert queue.receive(20)["Body"] == "slow"
    node.kill()  # while a step runs
    node.start()
    assert queue.receive(20)["Body"] == "slow"  # at least once: it had not been checkpointed
    ended = flows.ended(arn)
    assert ended["Status"] == "SUCCEEDED"
    assert queue.left() == (0, 0)  # and the first step never again
    again = flows.start("counted", execution="order-1", queue=queue.url, seconds=3, lingers=2)
    assert again == arn
