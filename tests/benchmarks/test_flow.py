"""What the picture of flow control shows holds, on a smaller burst."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from benchmarks.flow_result import FLOW

from benchmarks import flow, flow_picture


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


async def test_a_burst_converges_with_flow_control_and_collapses_without() -> None:
    regulated = await flow.virtual(6000, FLOW, "with flow control")
    left_alone = await flow.virtual(6000, {}, "without", longest=40.0)
    assert regulated.summary["done"] == 6000
    assert regulated.summary["failed_share"] < 0.06
    steady = [regulated.done.get(second, 0) for second in range(26, 30)]
    assert min(steady) >= 0.75 * flow.IDEAL
    assert left_alone.summary["failed_share"] > 0.6
    assert sum(left_alone.done.get(second, 0) for second in range(20, 40)) == 0
    drawn = flow_picture.picture([regulated, left_alone], [], flow.IDEAL, 1.0)
    assert "6,000 done" in drawn
