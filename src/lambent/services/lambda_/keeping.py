"""Has the host keep the environments that provisioned concurrency asks for.

What is asked for is asked of the cluster: each node keeps its part.
"""

from __future__ import annotations

from lambent.cluster.members import Membership
from lambent.host.contract import FunctionHost
from lambent.services.lambda_ import records
from lambent.services.lambda_.invoking import Runner
from lambent.services.lambda_.model import Function
from lambent.services.lambda_.names import Reference
from lambent.store.contract import Store


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
