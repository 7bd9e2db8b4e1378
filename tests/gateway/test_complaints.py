"""The log stays short however many requests are refused, and says how many there were."""

from __future__ import annotations

import logging

import pytest

from lambent.core.clock import VirtualClock
from lambent.core.errors import StoreUnavailable
from lambent.gateway.complaints import EVERY_SECONDS, Complaints


async def test_refusals_of_one_kind_are_one_line_in_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    clock = VirtualClock()
    complaints = Complaints(clock)
    for number in range(1000):
        complaints.store_unavailable("sqs", f"r{number}", StoreUnavailable("full"))
    assert [record.getMessage() for record in caplog.records] == [
        "sqs r0: the store is not available: full"
    ]
    complaints.store_unavailable("s3", "r", StoreUnavailable("full"))
    complaints.store_unavailable("sqs", "r", StoreUnavailable("gone"))
    assert len(caplog.records) == 3
    await clock.advance(EVERY_SECONDS)
    complaints.store_unavailable("sqs", "later", StoreUnavailable("full"))
    assert caplog.records[-1].getMessage() == (
        "sqs later: the store is not available: full (999 requests more were told so before)"
    )


async def test_kinds_are_forgotten_when_there_are_many() -> None:
    complaints = Complaints(VirtualClock())
    for number in range(1000):
        complaints.store_unavailable("sqs", "r", StoreUnavailable(str(number)))
    assert len(complaints._told) <= 100
