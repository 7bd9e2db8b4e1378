"""Puts a stack operation on record and its work in the queue, in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lambent.core.context import Params, RequestContext
from lambent.services.cloudformation import records
from lambent.services.cloudformation.engine import Engine
from lambent.services.cloudformation.mail import Mail
from lambent.services.cloudformation.model import QUEUE, Kind, Operation, Phase, Stack
from lambent.services.cloudformation.session import write_stack_event
from lambent.services.contract import Platform
from lambent.store.contract import Transaction

_PATIENCE = 5.0
"""Seconds that a call waits for the operation it began. AWS answers at once and clients
then poll every 5 to 30 s; a deployment that takes less than this is over at their first
look."""

_PHASES: dict[Kind, Phase] = {"create": "forward", "update": "forward", "delete": "delete"}


def began(kind: Kind, token: str | None) -> str | None:
    """What a stack remembers of the request that set it in motion, for when it is repeated."""
    return None if token is None else f"{kind}:{token}"


class Launcher:
    """What every call that sets a stack in motion has in common."""

    def __init__(self, platform: Platform, engine: Engine, mail: Mail) -> None:
        self.platform = platform
        self.engine = engine
        self.mail = mail

    def operation(self, context: RequestContext, params: Params, kind: Kind) -> Operation:
        """A new operation on behalf of the caller."""
        return Operation(
            id=self.platform.ids.uuid(),
            kind=kind,
            phase=_PHASES[kind],
            endpoint=context.endpoint,
            principal=context.principal,
            access_key=context.access_key,
            client_token=params.get("ClientRequestToken"),
        )

    async def begin(
        self, tx: Transaction, stack: Stack, operation: Operation, status: str, reason: str | None
    ) -> None:
        """Write the stack in its new state and enqueue the operation's work.

        What an earlier operation still had to do is dropped: its work is settled, so its
        next write fails.
        """
        if stack.operation is not None and stack.operation.work:
            await tx.settle(QUEUE, stack.operation.work, None)
        operation.before = stack.status
        stack.token = began(operation.kind, operation.client_token)
        ticket = records.Ticket(stack.account, stack.region, stack.id, operation.id)
        [operation.work] = await tx.enqueue(QUEUE, [ticket.enqueued()])
        stack.operation = operation
        stack.status, stack.reason = status, reason
        await records.put_stack(tx, stack)
        await write_stack_event(tx, stack, self.platform.ids.uuid(), operation.client_token)

    async def launch(self, body: Callable[[Transaction], Awaitable[Stack | None]]) -> str:
        """Run `body`, which begins an operation (or finds none needed), and wait for the
        operation's end for a while; the stack's id."""
        stack = await self.platform.store.transact(body)
        if stack is None:
            return ""
        if stack.operation is not None:
            await self.engine.wait(stack.account, stack.region, stack.id, _PATIENCE)
        return stack.id
