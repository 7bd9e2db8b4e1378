"""What can be set of a mapping's flow control, and the messages for what cannot be.

The document stands under `Metadata: Lambent: Flow:` in a template and is what
`/_lambent/flow/UUID` takes. A rule that is not named is off. Times in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

import msgspec

from lambent.core import unknown

Positive = Annotated[float, msgspec.Meta(gt=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=43_200)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class InvalidFlow(ValueError):
    """The document cannot be; the message says where and why."""


class _Part(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True, kw_only=True):
    """A part of the document."""


class Concurrency(_Part, frozen=True, kw_only=True):
    """Adaptive concurrency. `Algorithm` is Gradient (latency and errors) or AIMD (errors, and
    latency only against `Latency`, in seconds per item). `ErrorShare` is the share of items
    in a round of calls that may fail before the limit is cut to `Backoff` of itself.
    `Tolerance` is how many times slower than usual is still usual."""

    algorithm: Literal["Gradient", "AIMD"] = "Gradient"
    initial: Count = 5
    minimum: Count = 1
    maximum: Count = 1_250
    error_share: Share = 0.1
    backoff: Annotated[float, msgspec.Meta(ge=0.1, lt=1)] = 0.8
    tolerance: Annotated[float, msgspec.Meta(ge=1, le=100)] = 1.5
    latency: Positive | None = None


class Circuit(_Part, frozen=True, kw_only=True):
    """Circuit breaker. Opens when at least `FailureShare` of at least `MinimumCalls` calls
    within `Window` seconds failed; stays open for `Open` seconds, twice as long each time a
    probe fails, up to `MaximumOpen`; closes after `Probes` calls in a row that went well."""

    failure_share: Share = 0.5
    minimum_calls: Count = 10
    window: Positive = 30.0
    open: Positive = 30.0
    maximum_open: Positive = 600.0
    probes: Count = 3


class Budget(_Part, frozen=True, kw_only=True):
    """Retry budget: `Share` of a retry for each first attempt, and `PerSecond` at least."""

    share: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.2
    per_second: Annotated[float, msgspec.Meta(gt=0, le=10_000)] = 10.0
    burst: Count = 10


class Retry(_Part, frozen=True, kw_only=True):
    """When failed items come again: after a random time up to `Base` · 2^(failures - 1)
    seconds, at most `Maximum`; in place of the queue's visibility timeout."""

    base: Annotated[float, msgspec.Meta(gt=0, le=43_200)] = 1.0
    maximum: Annotated[float, msgspec.Meta(gt=0, le=43_200)] = 300.0
    budget: Budget | None = None


class Deadline(_Part, frozen=True, kw_only=True):
    """Until when an event may be tried: `Seconds` after it was sent."""

    seconds: Annotated[float, msgspec.Meta(gt=0, le=1_209_600)]


class Rate(_Part, frozen=True, kw_only=True):
    """Leaky bucket: `PerSecond` items, and `Burst` at once after a pause."""

    per_second: Annotated[float, msgspec.Meta(gt=0, le=1_000_000)]
    burst: Count = 10


class Priority(_Part, frozen=True, kw_only=True):
    """How mappings share a function: together they have `Places` calls at once; this one
    always finds `Reserve` of them free from those of a lower `Level`."""

    level: Annotated[int, msgspec.Meta(ge=0, le=9)] = 0
    places: Count
    reserve: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0


class Loop(_Part, frozen=True, kw_only=True):
    """Events that reached the function through itself `Depth` times are parked."""

    depth: Annotated[int, msgspec.Meta(ge=1, le=16)] = 16


class Storm(_Part, frozen=True, kw_only=True):
    """More than `PerMinute` first attempts within a minute, and more than `Factor` times the
    usual, park the mapping."""

    per_minute: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)]
    factor: Annotated[float, msgspec.Meta(ge=1, le=1_000_000)] = 1.0


class Flow(_Part, frozen=True, kw_only=True):
    """The whole document."""

    concurrency: Concurrency | None = None
    circuit: Circuit | None = None
    retry: Retry | None = None
    deadline: Deadline | None = None
    rate: Rate | None = None
    priority: Priority | None = None
    loop: Loop | None = None
    storm: Storm | None = None


OFF = Flow()


def parse(document: Mapping[str, Any]) -> Flow:
    """The settings that a document means; numbers may be text, as in templates. InvalidFlow
    when they cannot be."""
    _refuse_unknown("Flow", document, Flow)
    try:
        flow = msgspec.convert(document, Flow, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidFlow(_message(str(error))) from None
    _check(flow)
    return flow


def shown(flow: Flow) -> dict[str, Any]:
    """The document that means these settings, with every default spelled out."""
    whole: dict[str, Any] = msgspec.to_builtins(flow)
    return {name: part for name, part in whole.items() if part is not None}


def _refuse_unknown(place: str, document: object, part: type[_Part]) -> None:
    """InvalidFlow, with what there is, for a member that a part of the document has not."""
    if not isinstance(document, Mapping):
        return
    known = {field.encode_name: field.type for field in msgspec.structs.fields(part)}
    for name, value in document.items():
        if name not in known:
            raise InvalidFlow(unknown.member(place, name, known))
        for inner in get_args(known[name]):
            if isinstance(inner, type) and issubclass(inner, _Part):
                _refuse_unknown(f"{place}.{name}", value, inner)


def _check(flow: Flow) -> None:
    one = flow.concurrency
    if one is not None and not one.minimum <= one.initial <= one.maximum:
        raise InvalidFlow(
            f"Flow.Concurrency: Minimum {one.minimum}, Initial {one.initial} and Maximum "
            f"{one.maximum} must not decrease."
        )
    if flow.circuit is not None and flow.circuit.maximum_open < flow.circuit.open:
        raise InvalidFlow("Flow.Circuit: MaximumOpen must be at least Open.")
    if flow.retry is not None and flow.retry.maximum < flow.retry.base:
        raise InvalidFlow("Flow.Retry: Maximum must be at least Base.")
    if flow.priority is not None and flow.priority.reserve >= flow.priority.places:
        # Those of a lower level would never run.
        raise InvalidFlow("Flow.Priority: Reserve must be less than Places.")


def _message(text: str) -> str:
    """ "Expected `float` <= 1.0 - at `$.circuit`" as "Flow.Circuit: Expected ..."."""
    what, _, where = text.partition(" - at `")
    place = where.rstrip("`").removeprefix("$")
    return f"Flow{place}: {what}."
