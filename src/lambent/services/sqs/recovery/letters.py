"""A dead letter as people look at it: why it died, when, and the groups it falls into. Pure."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lambent.core.arns import Arn
from lambent.events.history import NOTHING, Failure, History
from lambent.services.sqs.model import Message, decode_message
from lambent.services.sqs.recovery.returns import origin
from lambent.store.contract import Work

UNEXPLAINED = "-"
"""The fingerprint of a message of which no failure is known."""

_HOUR = 3600.0
_SHORT = 200


@dataclass(frozen=True, slots=True)
class Letter:
    """A message of a dead-letter queue."""

    work: Work
    message: Message

    @property
    def history(self) -> History:
        return self.message.history or NOTHING

    @property
    def last(self) -> Failure | None:
        """The failure that explains it."""
        failures = self.history.failures
        return failures[-1] if failures else None

    @property
    def arrived(self) -> float:
        """When it came to this queue, in seconds since the epoch."""
        died = self.history.died
        return self.work.created if died is None else max(died, self.work.created)

    @property
    def fingerprint(self) -> str:
        return self.last.fingerprint if self.last else UNEXPLAINED

    @property
    def function(self) -> str:
        """The ARN of the function that failed; "" when it is not known."""
        last = self.last
        return (last.function if last else "") or self.history.origin or ""

    @property
    def version(self) -> str:
        return self.last.version if self.last else ""

    def held(self, now: float) -> bool:
        """Whether someone has it in hand, or it is delayed."""
        return self.work.leased or self.work.due > now


def letter(work: Work) -> Letter:
    """The letter that an item of a queue is."""
    return Letter(work, decode_message(work.payload))


def short_function(arn: str) -> str:
    """A function's name, and qualifier, out of its ARN."""
    try:
        return Arn.parse(arn).resource.removeprefix("function:")
    except ValueError:
        return arn


def wire(one: Letter, now: float) -> dict[str, Any]:
    """A letter as the API shows it, with all its attempts. Times in seconds since the epoch."""
    message, work = one.message, one.work
    return {
        "id": message.id,
        "body": message.body,
        "attributes": {
            name: base64.b64encode(value.binary).decode()
            if value.binary is not None
            else value.text
            for name, value in message.attributes.items()
        },
        "group": message.group,
        "source": message.source or one.history.origin,
        "arrived": one.arrived,
        "age_seconds": round(max(now - one.arrived, 0.0), 3),
        "sent": work.created,
        "in_flight": one.held(now),
        "receives": message.receives + work.attempts,
        "replays": one.history.replays,
        "fingerprint": one.fingerprint,
        "function": one.function,
        "version": one.version,
        "attempts": [_failure(failure) for failure in one.history.failures],
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "time": failure.time,
        "function": failure.function,
        "version": failure.version,
        "request_id": failure.request_id,
        "error": failure.type,
        "message": failure.message,
        "stack": list(failure.stack),
        "fingerprint": failure.fingerprint,
        "duration_ms": round(failure.seconds * 1000, 3),
        "log_group": failure.log,
    }


@dataclass(slots=True)
class Group:
    """Letters of one fingerprint, function and version."""

    fingerprint: str
    function: str
    version: str
    error: str
    message: str
    count: int = 0
    first: float = 0.0
    last: float = 0.0
    last_hour: int = 0


@dataclass(slots=True)
class Overview:
    """What lies in a dead-letter queue. `last_hour` are those that came within it; `fates`
    counts letters by how often they were replayed and whether they have somewhere to go back
    to."""

    count: int = 0
    in_flight: int = 0
    replayed: int = 0
    oldest: float | None = None
    last_hour: int = 0
    groups: dict[tuple[str, str, str], Group] = field(default_factory=dict)
    fates: Counter[tuple[int, bool]] = field(default_factory=Counter)

    def add(self, letters: Iterable[Letter], now: float) -> None:
        """Count these too."""
        for one in letters:
            arrived = one.arrived
            recent = arrived > now - _HOUR
            self.count += 1
            self.in_flight += one.held(now)
            self.replayed += one.history.replays > 0
            self.last_hour += recent
            self.fates[one.history.replays, origin(one.message) is not None] += 1
            self.oldest = arrived if self.oldest is None else min(self.oldest, arrived)
            key = (one.fingerprint, one.function, one.version)
            group = self.groups.get(key)
            if group is None:
                group = self.groups[key] = _group(one)
            group.count += 1
            group.last_hour += recent
            group.first = min(group.first, arrived)
            group.last = max(group.last, arrived)

    def left(self, cap: int | None, to: str | None) -> dict[str, int]:
        """How many a replay would leave where they are: those that were replayed `cap` times,
        and of the others those without a way back, unless all go `to` one place."""
        left = {"capped": 0, "unroutable": 0}
        for (replays, has_origin), count in self.fates.items():
            if cap is not None and replays >= cap:
                left["capped"] += count
            elif to is None and not has_origin:
                left["unroutable"] += count
        return left

    def wire(self, now: float) -> dict[str, Any]:
        """As the API shows it: the largest group first."""
        ordered = sorted(self.groups.values(), key=lambda one: (-one.count, one.first))
        return {
            "count": self.count,
            "in_flight": self.in_flight,
            "replayed_before": self.replayed,
            "oldest_seconds": None if self.oldest is None else round(now - self.oldest, 3),
            "last_hour": self.last_hour,
            "groups": [
                {
                    "fingerprint": one.fingerprint,
                    "function": one.function,
                    "version": one.version,
                    "error": one.error,
                    "message": one.message,
                    "count": one.count,
                    "first": one.first,
                    "last": one.last,
                    "oldest_seconds": round(max(now - one.first, 0.0), 3),
                    "last_hour": one.last_hour,
                }
                for one in ordered
            ],
        }


def _group(one: Letter) -> Group:
    last, arrived = one.last, one.arrived
    return Group(
        one.fingerprint,
        one.function,
        one.version,
        last.type if last else "",
        last.message[:_SHORT] if last else "",
        first=arrived,
        last=arrived,
    )
