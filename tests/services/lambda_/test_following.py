"""A node follows definitions that change, whatever happens to them meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.services.lambda_.conftest import Make, until
from tests.support.nodes import ThreadNode

from lambent.services.lambda_.following import Following
from lambent.services.lambda_.keeping import Keeping
from lambent.services.lambda_.model import Function
from lambent.services.lambda_.names import Reference


def test_nothing_is_said_of_a_function_that_is_deleted_while_it_is_followed(
    node: ThreadNode,
    account: str,
    functions: Any,
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    follow = Keeping.follow
    deleted = asyncio.Event()
    followed: list[str] = []

    async def late(self: Keeping, reference: Reference, function: Function) -> None:
        if reference.account == account:
            await deleted.wait()
            followed.append(reference.name)
        await follow(self, reference, function)

    monkeypatch.setattr(Keeping, "follow", late)
    make("f", Publish=True)
    functions.delete_function(FunctionName="f")
    node.call(deleted.set)
    until(lambda: followed)
    node.run(_settled())
    assert Following.__module__ not in {record.name for record in caplog.records}


async def _settled() -> None:
    """Once what follows on the node's loop is done."""
    mine = asyncio.current_task()
    others = [
        task
        for task in asyncio.all_tasks()
        if task is not mine and "Following" in getattr(task.get_coro(), "__qualname__", "")
    ]
    if others:
        await asyncio.wait(others)
