"""A source without duplicates: what has a key that is done is settled unseen.

`OnceSource` stands between a mapping's lane and its source. In the transaction that claims a
message its key is begun (`events.idempotency`), in the one that settles it the outcome is
written, in the one that lets it come again the key is given up. A duplicate

- of what is done is settled in the claim;
- of another in the same claim shares that one's fate, unless its payload is another: then it
  comes again later;
- of what is in progress elsewhere comes again later, and the claim does not count as a receive.

In a FIFO queue, what comes after one that is held back in its group is held back with it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import msgspec

from lambent.core import unknown
from lambent.core.arns import Arn
from lambent.events import fingerprint, idempotency, paths
from lambent.events.contract import Batch, Keeping, Kept, Postponing, Remembering, Source
from lambent.events.history import Failure
from lambent.events.idempotency import State
from lambent.events.tickets import Keyed, plain
from lambent.store.contract import Transaction

KEEP_SECONDS = 3600
"""For how long an outcome is remembered unless the mapping says otherwise, as Powertools."""

MOST_SECONDS = 366 * 86_400

LOOK_AGAIN = 5.0
"""Seconds until a duplicate of what is in progress elsewhere is looked at again, at most."""

_MEMBERS = ("Key", "Expires", "Payload")
_ROUNDS = 10
"""How often a claim that met duplicates claims more in their place."""


class InvalidIdempotency(ValueError):
    """The settings cannot be; the message says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What makes a duplicate: the value at `key`, remembered for `keep` seconds. With
    `payload`, one that has the same key and another value there is an error."""

    key: paths.Path
    keep: float
    payload: paths.Path | None = None


def parse(document: Mapping[str, Any]) -> Rule:
    """The rule that settings (`Key`, `Expires`, `Payload`) describe; InvalidIdempotency."""
    for name in document:
        if name not in _MEMBERS:
            raise InvalidIdempotency(unknown.member("Idempotency", name, _MEMBERS))
    keep = document.get("Expires", KEEP_SECONDS)
    if isinstance(keep, str) and keep.isascii() and keep.isdecimal():
        keep = int(keep)  # CloudFormation lets numbers be text
    if not isinstance(keep, int) or isinstance(keep, bool) or not 1 <= keep <= MOST_SECONDS:
        raise InvalidIdempotency(
            f"Idempotency.Expires is a number of seconds from 1 to {MOST_SECONDS}."
        )
    key = _path(document, "Key")
    if key is None:
        raise InvalidIdempotency("Idempotency needs a Key.")
    return Rule(key, float(keep), _path(document, "Payload"))


def _path(document: Mapping[str, Any], name: str) -> paths.Path | None:
    text = document.get(name)
    if text is None:
        return None
    if not isinstance(text, str) or not text:
        raise InvalidIdempotency(f"Idempotency.{name} is a JSONPath or JMESPath.")
    try:
        return paths.parse(text)
    except paths.InvalidPath as error:
        raise InvalidIdempotency(f"Idempotency.{name}: {error}") from None


def key_of(rule: Rule, view: Mapping[str, Any]) -> str | None:
    """A record's key; None when it has none, and nothing is a duplicate of it. Pure."""
    value = rule.key(view)
    if value is None or value == "":
        return None
    if isinstance(value, list) and all(part is None for part in value):
        return None
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def digest_of(rule: Rule, view: Mapping[str, Any]) -> str:
    """The digest of what must be the same in duplicates; "" when nothing must. Pure."""
    if rule.payload is None:
        return ""
    text = json.dumps(rule.payload(view), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@runtime_checkable
class Rich(Source, Remembering, Keeping, Postponing, Protocol):
    """What a source must be able to do for its duplicates to be suppressed."""


@dataclass(frozen=True, slots=True)
class _Leader:
    """The first of a key in a claim: which it is, its group, and its payload's digest."""

    index: int
    group: str | None
    digest: str


@dataclass(slots=True)
class _Sieve:
    """What one claim gave, as it is gone through."""

    records: list[Mapping[str, Any]] = field(default_factory=list)
    identifiers: list[str] = field(default_factory=list)
    tickets: list[Keyed] = field(default_factory=list)
    leaders: dict[str, _Leader] = field(default_factory=dict)
    stuck: set[str] = field(default_factory=set)
    done: list[Any] = field(default_factory=list)
    suppressed: int = 0
    following: int = 0

    def add(self, record: Mapping[str, Any], identifier: str, ticket: Keyed) -> None:
        self.records.append(record)
        self.identifiers.append(identifier)
        self.tickets.append(ticket)

    def follow(self, key: str, ticket: Any, group: str | None) -> None:
        """It repeats one of this claim."""
        first = self.leaders[key]
        leader = self.tickets[first.index]
        self.tickets[first.index] = replace(leader, followers=(*leader.followers, ticket))
        self.following += 1
        if group is not None and group != first.group:
            # Should that one fail, this one must still come before the rest of its group.
            self.stuck.add(group)


class OnceSource:
    """See `events.contract.Source`; tickets are `Keyed`.

    `wants` and `view` are the mapping's: which records the function is to see, and a record
    as filters see it. `scope` is within which keys are the same.
    """

    def __init__(
        self,
        source: Rich,
        rule: Rule,
        scope: str,
        *,
        wants: Callable[[Mapping[str, Any]], bool],
        view: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    ) -> None:
        self._source = source
        self._rule = rule
        self._scope = scope
        self._wants = wants
        self._view = view

    async def claim(self, tx: Transaction, arn: Arn, limit: int, lease: float | None) -> Batch:
        described = await self._source.describe(tx, arn)
        hold = float(described["visibility_timeout"]) if lease is None else lease
        sieve = _Sieve()
        dead_lettered = 0
        for _ in range(_ROUNDS):
            wanted = limit - len(sieve.tickets)
            batch = await self._source.claim(tx, arn, wanted, lease)
            dead_lettered += batch.dead_lettered
            before = sieve.suppressed + sieve.following
            await self._sift(tx, arn, batch, sieve, hold, bool(described.get("fifo")))
            if len(batch.tickets) < wanted or sieve.suppressed + sieve.following == before:
                break
        await self._source.settle(tx, arn, sieve.done)
        return Batch(
            sieve.records,
            sieve.identifiers,
            sieve.tickets,
            dead_lettered,
            sieve.suppressed,
            sieve.following,
        )

    async def _sift(
        self, tx: Transaction, arn: Arn, batch: Batch, sieve: _Sieve, hold: float, fifo: bool
    ) -> None:
        for record, identifier, ticket in zip(
            batch.records, batch.identifiers, batch.tickets, strict=True
        ):
            group = record["attributes"].get("MessageGroupId") if fifo else None
            if group in sieve.stuck:
                await self._source.postpone(tx, arn, [ticket], 0.0)
                continue
            view = self._view(record)
            key = key_of(self._rule, view) if self._wants(record) else None
            if key is None:
                sieve.add(record, identifier, Keyed(ticket))
                continue
            digest = digest_of(self._rule, view)
            first = sieve.leaders.get(key)
            if first is not None and first.digest == digest:
                sieve.follow(key, ticket, group)
                continue
            if first is not None:
                # Another payload: what it is depends on how the first one ends.
                await self._source.postpone(tx, arn, [ticket], min(hold, LOOK_AGAIN))
                if group is not None:
                    sieve.stuck.add(group)
                continue
            holder = msgspec.json.encode([identifier, ticket]).decode()
            state, entry = await idempotency.begin(
                tx,
                self._scope,
                key,
                owner=f"{arn}/{identifier}",
                holder=holder,
                hold=hold,
                keep=self._rule.keep,
                digest=digest,
            )
            if state is State.STARTED:
                sieve.leaders[key] = _Leader(len(sieve.tickets), group, digest)
                sieve.add(record, identifier, Keyed(ticket, key, holder))
            elif state is State.DONE:
                sieve.done.append(ticket)
                sieve.suppressed += 1
            elif state is State.MISMATCH:
                # Left until its lease ends, as what fails is; its receives bring it to the
                # dead-letter queue, with the reason.
                await self._source.remember(tx, arn, [ticket], _mismatch(key, tx.now))
            else:
                left = (entry.deadline or tx.now) - tx.now
                await self._source.postpone(tx, arn, [ticket], min(left, LOOK_AGAIN))
            if group is not None and state in (State.IN_PROGRESS, State.MISMATCH):
                sieve.stuck.add(group)

    async def settle(self, tx: Transaction, arn: Arn, tickets: Sequence[Keyed]) -> None:
        await self._source.settle(tx, arn, plain(tickets))
        for one in tickets:
            if one.key is not None:
                await idempotency.finish(tx, self._scope, one.key, one.holder, self._rule.keep)

    async def fail(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Keyed], delay: float | None
    ) -> None:
        await self._source.fail(tx, arn, plain(tickets), delay)
        await self._give_up(tx, tickets)

    async def postpone(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Keyed], delay: float
    ) -> None:
        await self._source.postpone(tx, arn, plain(tickets), delay)
        await self._give_up(tx, tickets)

    async def extend(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Keyed], lease: float
    ) -> None:
        await self._source.extend(tx, arn, plain(tickets), lease)
        for one in tickets:
            if one.key is not None:
                await idempotency.prolong(tx, self._scope, one.key, one.holder, lease)

    async def remember(
        self, tx: Transaction, arn: Arn, tickets: Sequence[Keyed], failure: Failure
    ) -> None:
        await self._source.remember(tx, arn, plain(tickets), failure)

    async def dead_letter(self, tx: Transaction, arn: Arn, tickets: Sequence[Keyed]) -> bool:
        moved = await self._source.dead_letter(tx, arn, plain(tickets))
        if moved:
            await self._give_up(tx, tickets)
        return moved

    async def take_out(self, tx: Transaction, arn: Arn, tickets: Sequence[Keyed]) -> list[Kept]:
        await self._give_up(tx, tickets)
        return await self._source.take_out(tx, arn, plain(tickets))

    async def put_back(self, tx: Transaction, arn: Arn, values: Sequence[bytes]) -> None:
        await self._source.put_back(tx, arn, values)

    async def _give_up(self, tx: Transaction, tickets: Sequence[Keyed]) -> None:
        for one in tickets:
            if one.key is not None:
                await idempotency.abandon(tx, self._scope, one.key, one.holder)

    def arrived(self, arn: Arn) -> asyncio.Event:
        return self._source.arrived(arn)

    async def next_due(self, tx: Transaction, arn: Arn) -> float | None:
        return await self._source.next_due(tx, arn)

    async def describe(self, tx: Transaction, arn: Arn) -> Mapping[str, Any]:
        return await self._source.describe(tx, arn)


def _mismatch(key: str, now: float) -> Failure:
    kind = "IdempotencyMismatch"
    message = f"A message with the key {key} and another payload was done before."
    return Failure(now, "", "", "", kind, message[:1024], (), fingerprint.of(kind, ""))
