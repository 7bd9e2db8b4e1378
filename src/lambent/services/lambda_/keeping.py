"""Has the host keep ready what functions ask for: environments for provisioned concurrency
and the hot tier, zygotes for the warm tier and SnapStart.

Environments are asked of the cluster: each node keeps its part. Zygotes are each node's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from lambent.cluster.members import Membership
from lambent.host.contract import FunctionHost, FunctionSpec
from lambent.services.lambda_ import own_settings, records, snapshots
from lambent.services.lambda_.invoking import Resolved, Runner
from lambent.services.lambda_.model import Function
from lambent.services.lambda_.names import LATEST, Reference
from lambent.store.contract import Store, Transaction


def part(count: int, nodes: int, rank: int) -> int:
    """How many of `count` environments the node of that rank keeps."""
    each, left = divmod(count, nodes)
    return each + (rank < left)


class Keeping:
    """The provisioned concurrency of one node."""

    def __init__(
        self, store: Store, runner: Runner, host: FunctionHost, membership: Membership
    ) -> None:
        self._store = store
        self._runner = runner
        self._host = host
        self._membership = membership
        self._provisioned: dict[str, Reference] = {}
        self._taken: set[str] = set()
        self._making: set[asyncio.Task[None]] = set()

    def part(self, count: int) -> int:
        """This node's part of so many environments."""
        return part(count, max(1, len(self._membership.members)), self._membership.rank)

    async def start(self) -> None:
        """Keep what every stored function asks for."""
        for reference, function in await self._store.transact(records.all_functions):
            await self.follow(reference, function)

    async def follow(self, reference: Reference, function: Function) -> None:
        """Keep what a function asks for now, if it does or did ask for any."""
        if function.provisioned or reference.arn in self._provisioned:
            await self.settle(reference)
        if function.published or own_settings.of(function.latest.settings).get("Tier"):
            await self._ready(reference)

    async def take_snapshot(self, reference: Reference, number: str) -> None:
        """Initialise a version, if it has SnapStart; the one that is still pending then is so no
        more. A node does so once; one whose initialisation failed stays so."""
        one = Reference(reference.account, reference.region, reference.name, number)
        resolved = await self._runner.resolve(one)
        version = resolved.version
        state = (version.snapshot or snapshots.ACTIVE).state
        if snapshots.applies(version) and version.build not in self._taken and state != "Failed":
            self._taken.add(version.build)
            spec = await self._runner.spec(one, resolved)
            self._spawn(self._snapshot(one, spec))

    async def stop(self) -> None:
        """Make nothing ready any more."""
        while self._making:
            for task in self._making:
                task.cancel()
            await asyncio.wait(set(self._making))

    async def _ready(self, reference: Reference) -> None:
        """Make ready what the tier of the function's versions asks for: of $LATEST, and of
        those that an alias names."""
        bare = Reference(reference.account, reference.region, reference.name)
        every = await self._runner.resolve_all(bare)
        for qualifier, one in every.items():
            if qualifier == one.version.number:
                await self.take_snapshot(bare, qualifier)
        named = {
            one.version.number
            for qualifier, one in every.items()
            if qualifier != one.version.number and one.version.number != LATEST
        }
        every[LATEST] = await self._runner.resolve(bare)
        for number in (LATEST, *sorted(named)):
            await self._keep_tier(bare, every[number], wanted=True)
        for number, one in every.items():
            # Versions that were never used have nothing to let go of.
            if number.isdigit() and number not in named and one.spec is not None:
                await self._keep_tier(bare, one, wanted=False)

    async def _keep_tier(self, reference: Reference, one: Resolved, wanted: bool) -> None:
        tier = own_settings.of(one.version.settings).get("Tier", "cold")
        if tier == "cold" or snapshots.applies(one.version):
            return
        spec = await self._runner.spec(reference, one)
        if tier == "warm":
            self._spawn(self._host.prime(spec if wanted else replace(spec, tier="cold")))
        elif not one.function.provisioned:
            await self._host.keep(spec, int(wanted))

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._making.add(task)
        task.add_done_callback(self._making.discard)

    async def _snapshot(self, reference: Reference, spec: FunctionSpec) -> None:
        """Have the snapshot taken, and write down how that went."""
        fault = await self._host.prime(spec)
        taken = snapshots.failed(*fault) if fault else snapshots.ACTIVE

        async def body(tx: Transaction) -> None:
            version = await records.find_version(tx, reference, spec.version)
            if version is not None and version.snapshot == snapshots.PENDING:
                version.snapshot = taken
                await records.put_version(tx, reference, version)

        await self._store.transact(body)

    async def share_out(self) -> None:
        """There are more nodes now, or fewer: keep this node's part."""
        for reference in list(self._provisioned.values()):
            await self.settle(reference)

    async def settle(self, reference: Reference) -> None:
        """Keep what the function's configurations ask for now, version by version: what an
        alias has goes to the version that it points to."""
        bare = Reference(reference.account, reference.region, reference.name)
        resolved = await self._runner.resolve_all(bare)
        wanted: dict[str, int] = {}
        for qualifier, one in resolved.items():
            config = one.function.provisioned.get(qualifier)
            number = one.version.number
            wanted[number] = wanted.get(number, 0) + (config.requested if config else 0)
        if any(wanted.values()):
            self._provisioned[bare.arn] = bare
        else:
            self._provisioned.pop(bare.arn, None)
        for number, count in wanted.items():
            # A version whose code was never made ready has nothing to let go of.
            if count or resolved[number].spec is not None:
                spec = await self._runner.spec(bare, resolved[number])
                await self._host.keep(spec, self.part(count))
