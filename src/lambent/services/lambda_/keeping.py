"""Has the host keep the environments that provisioned concurrency asks for."""

from __future__ import annotations

from lambent.host.contract import FunctionHost
from lambent.services.lambda_.invoking import Runner
from lambent.services.lambda_.names import Reference


async def settle(runner: Runner, host: FunctionHost, reference: Reference) -> None:
    """Keep what the function's configurations ask for now, version by version: what an alias
    has goes to the version that it points to."""
    bare = Reference(reference.account, reference.region, reference.name)
    resolved = await runner.resolve_all(bare)
    wanted: dict[str, int] = {}
    for qualifier, one in resolved.items():
        config = one.function.provisioned.get(qualifier)
        number = one.version.number
        wanted[number] = wanted.get(number, 0) + (config.requested if config else 0)
    for number, count in wanted.items():
        # A version whose code was never made ready has nothing to let go of.
        if count or resolved[number].spec is not None:
            await host.keep(await runner.spec(bare, resolved[number]), count)
