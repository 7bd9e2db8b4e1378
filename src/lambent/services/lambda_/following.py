"""Keeps what this node runs as the store's definitions are, whichever node changed them.

Records of functions and event source mappings tell the news of the cluster when they change
(`records`); here lanes are made and ended, old environments drained and provisioned ones
kept accordingly. The node that made a change has done the same at once, so hearing of it
again changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from lambent.core.errors import AwsError, StoreError
from lambent.services.contract import Platform
from lambent.services.lambda_ import flow_subjects, records
from lambent.services.lambda_.durable.lanes import DurableLanes
from lambent.services.lambda_.invoking import Runner
from lambent.services.lambda_.keeping import Keeping
from lambent.services.lambda_.lanes import Lanes
from lambent.services.lambda_.model import Function
from lambent.services.lambda_.names import Reference

_log = logging.getLogger(__name__)


class Following:
    """Follows the definitions from `start` to `stop`."""

    def __init__(
        self,
        platform: Platform,
        runner: Runner,
        lanes: Lanes,
        durable: DurableLanes,
        keeping: Keeping,
    ) -> None:
        self._store = platform.store
        self._runner = runner
        self._lanes = lanes
        self._durable = durable
        self._keeping = keeping
        self._tasks: set[asyncio.Task[None]] = set()
        self._following = False
        news = platform.cluster.news
        news.on(records.FUNCTIONS, lambda key: self._spawn(self._function(key)))
        news.on(records.MAPPINGS, lambda key: self._spawn(self._mapping(key)))
        platform.cluster.membership.on_change(lambda: self._spawn(self._keeping.share_out()))

    async def start(self) -> None:
        """Run what is stored, and follow what changes."""
        self._following = True
        await self._lanes.start()
        await self._durable.start()
        await self._keeping.start()

    async def stop(self) -> None:
        """Follow no more, and return once nothing runs: the lanes' calls and the callers'."""
        self._following = False
        if self._tasks:
            await asyncio.wait(set(self._tasks))
        await self._keeping.stop()
        await self._lanes.stop()
        await self._durable.stop()
        await self._runner.drained()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if not self._following:
            work.close()
            return
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (AwsError, StoreError) as error:
            _log.warning("a change of definitions cannot be followed: %s", error)
        except Exception:
            _log.exception("a change of definitions cannot be followed")

    async def _function(self, key: str) -> None:
        account, region, name = key.split("/")
        reference = Reference(account, region, name)
        function = await self._find(reference)
        if function is None:
            self._lanes.forget(reference)
            self._durable.forget(reference)
            await self._runner.replaced(reference, None)
            return
        self._lanes.serve(reference)
        self._durable.follow(reference, function)
        self._lanes.regulate(flow_subjects.of_function(reference, function))
        await self._runner.replaced(reference, function.latest.build)
        try:
            await self._keeping.follow(reference, function)
        except AwsError:
            # Deleted meanwhile, which is news of its own.
            if await self._find(reference) is not None:
                raise

    async def _find(self, reference: Reference) -> Function | None:
        return await self._store.transact(lambda tx: records.find_function(tx, reference))

    async def _mapping(self, key: str) -> None:
        await self._lanes.look(*key.split("/"))
