"""What a running deployment holds on to: its stack's records, and the right to change them.

Every write extends the lease on the operation's work in the same transaction, so a
deployment that was overtaken by another (its lease ran out) changes nothing any more.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from lambent.core.context import RequestContext
from lambent.core.resources import ResourceRequest
from lambent.services.cloudformation import mail, records
from lambent.services.cloudformation.model import (
    QUEUE,
    Leftover,
    Operation,
    Resource,
    Stack,
    StackEvent,
)
from lambent.services.cloudformation.names import physical_name
from lambent.services.contract import Platform
from lambent.store.contract import Transaction, Work

T = TypeVar("T")

LEASE = 3.0
"""Seconds that a deployment's work stays claimed without a sign of life: how long a stack
rests after a crash."""

STACK_TYPE = "AWS::CloudFormation::Stack"


class Overtaken(Exception):
    """Someone else has claimed the operation; this run must change nothing any more."""


def timestamp(time: float) -> str:
    """`2026-01-31T09:30:00.123Z`."""
    moment = datetime.datetime.fromtimestamp(time, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


async def write_stack_event(
    tx: Transaction, stack: Stack, event_id: str, token: str | None
) -> None:
    """Add the stack's present status to its history."""
    await records.put_event(
        tx,
        stack.id,
        StackEvent(
            event_id,
            tx.now,
            stack.name,
            stack.id,
            STACK_TYPE,
            stack.status,
            stack.reason,
            None,
            token,
        ),
    )


class Session:
    """One claim of one operation. `stack` and `resources` mirror what is stored."""

    def __init__(
        self,
        platform: Platform,
        work: Work,
        stack: Stack,
        operation: Operation,
        resources: dict[str, Resource],
        leftovers: list[Leftover],
    ) -> None:
        self.platform = platform
        self.work = work
        self.stack = stack
        self.operation = operation
        self.resources = resources
        self.leftovers = leftovers

    async def write(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `body` in a transaction that holds only while the claim does."""

        async def fenced(tx: Transaction) -> T:
            if not await tx.extend(QUEUE, self.work.id, self.work.token, LEASE):
                raise Overtaken
            return await body(tx)

        return await self.platform.store.transact(fenced)

    async def set_stack(self, status: str, reason: str | None = None) -> None:
        """Give the stack a status, and its history a line."""
        self.stack.status, self.stack.reason = status, reason

        async def body(tx: Transaction) -> None:
            await self._put_stack(tx)

        await self.write(body)

    async def _put_stack(self, tx: Transaction) -> None:
        if self.stack.status == "DELETE_COMPLETE":
            self.stack.deleted = tx.now
        await records.put_stack(tx, self.stack)
        await write_stack_event(
            tx, self.stack, self.platform.ids.uuid(), self.operation.client_token
        )

    async def finish(
        self,
        status: str,
        reason: str | None = None,
        *,
        keep_operation: bool = False,
        also: Callable[[Transaction], Awaitable[None]] | None = None,
    ) -> None:
        """The operation is over: its end and the settling of its work are one commit."""
        self.stack.status, self.stack.reason = status, reason
        self.stack.operation = self.operation if keep_operation else None

        async def body(tx: Transaction) -> None:
            if also is not None:
                await also(tx)
            deleted = self.stack.status == "DELETE_COMPLETE"
            await mail.discard_all(tx, self.stack.id, "" if deleted else "answer\0")
            await self._put_stack(tx)
            if not await tx.settle(QUEUE, self.work.id, self.work.token):
                raise Overtaken

        await self.write(body)

    async def put(
        self,
        resource: Resource,
        *,
        events: tuple[tuple[str, str | None], ...] = (),
        leftover: Leftover | None = None,
        reused: Leftover | None = None,
    ) -> None:
        """Write a resource and lines for its history (status, reason).

        `leftover` is put out of use by this; `reused` comes into use again.
        """

        async def body(tx: Transaction) -> None:
            resource.updated = tx.now
            await records.put_resource(tx, self.stack.id, resource)
            if leftover is not None:
                await records.put_leftover(tx, self.stack.id, leftover)
            if reused is not None:
                await records.delete_leftover(tx, self.stack.id, reused)
            for status, reason in events:
                await self.write_event(tx, resource, status, reason)

        await self.write(body)
        self.resources[resource.logical_id] = resource
        if leftover is not None:
            self.leftovers.append(leftover)
        if reused is not None:
            self.leftovers = [
                one
                for one in self.leftovers
                if (one.logical_id, one.physical_id) != (reused.logical_id, reused.physical_id)
            ]

    async def write_event(
        self,
        tx: Transaction,
        resource: Resource | Leftover,
        status: str,
        reason: str | None,
    ) -> None:
        """Add a line about a resource to the stack's history."""
        event_id = self.platform.ids.uuid()
        pending = resource.pending if isinstance(resource, Resource) else None
        # Two lines with one status in one millisecond still need ids of their own.
        mark = f"{status}-{timestamp(tx.now)}" if reason is None else event_id
        source = pending or resource
        shown = source.properties if source.shown is None else source.shown
        await records.put_event(
            tx,
            self.stack.id,
            StackEvent(
                f"{resource.logical_id}-{mark}",
                tx.now,
                resource.logical_id,
                resource.physical_id,
                resource.type,
                status,
                reason,
                json.dumps(shown, separators=(",", ":")),
                self.operation.client_token,
            ),
        )

    def context(self) -> RequestContext:
        """The context of calls that are made for this operation."""
        return RequestContext(
            account=self.stack.account,
            region=self.stack.region,
            request_id=self.platform.ids.uuid(),
            now=self.platform.clock.now(),
            endpoint=self.operation.endpoint,
            principal=self.operation.principal,
            access_key=self.operation.access_key,
        )

    def _tags(self) -> dict[str, str]:
        """The tags that resources are to carry: on the way back, those of before."""
        previous = self.operation.previous
        if self.operation.phase == "rollback" and previous is not None:
            return previous.tags
        return self.stack.definition.tags

    def request(
        self,
        logical_id: str,
        generation: int,
        metadata: dict[str, Any],
        *,
        kind: str,
        resumed: bool = False,
        creation_policy: dict[str, Any] | None = None,
    ) -> ResourceRequest:
        """What a resource type is told."""
        return ResourceRequest(
            context=self.context(),
            logical_id=logical_id,
            default_name=physical_name(self.stack.id, self.stack.name, logical_id, generation),
            stack_name=self.stack.name,
            stack_id=self.stack.id,
            metadata=metadata,
            tags=self._tags(),
            resumed=resumed,
            step=f"{self.operation.id}/{self.operation.phase}",
            kind=kind,
            creation_policy=creation_policy or {},
        )
