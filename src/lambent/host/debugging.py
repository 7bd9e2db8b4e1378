"""A debugged function: its invocations wait for a debugger, one after another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from lambent.host.contract import FunctionSpec, Invocation, InvocationResult
from lambent.host.debug_door import Door
from lambent.host.environment import Environment, EnvironmentGone

Otherwise = Callable[[], Awaitable[InvocationResult]]


class Session:
    """One debugged function: its invocations run one after another, in one environment that
    waits for a debugger before it loads the function's code."""

    def __init__(self, door: Door, make: Callable[[FunctionSpec, Door], Environment]) -> None:
        self.door = door
        self._make = make
        self._turn = asyncio.Lock()
        self._environment: Environment | None = None
        self._closed = False

    async def invoke(
        self, spec: FunctionSpec, invocation: Invocation, otherwise: Otherwise
    ) -> InvocationResult:
        """Run an invocation when it is its turn; by `otherwise` once the session is over."""
        async with self._turn:
            while not self._closed:
                environment = await self._fitting(spec)
                try:
                    return await environment.invoke(invocation)
                except EnvironmentGone:
                    continue
        return await otherwise()

    async def retire(self, keep_revision: str | None) -> None:
        """The function is another one now: a debugger that comes waits for that one. What
        runs goes on."""
        present = self._environment
        if not self._turn.locked() and present and present.spec.revision != keep_revision:
            await self._leave(present)

    async def close(self) -> None:
        """End the environment, whatever runs in it, and the door."""
        self._closed = True
        if self._environment is not None:
            await self._environment.end()
        await self.door.close()

    async def _fitting(self, spec: FunctionSpec) -> Environment:
        """The environment, made anew when the code changed or it ended."""
        present = self._environment
        if present is not None and present.usable and present.spec.revision == spec.revision:
            return present
        if present is not None:
            await self._leave(present)
        self._environment = self._make(spec, self.door)
        return self._environment

    async def _leave(self, environment: Environment) -> None:
        self._environment = None
        await environment.end()
        self.door.renew()
