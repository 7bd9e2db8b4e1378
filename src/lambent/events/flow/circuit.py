"""Whether a function is called at all while it keeps failing.

    closed ──share of failures──▶ open ──its time is over──▶ half-open
       ▲                            ▲                            │
       │                            └──a probe fails: longer─────┤
       └───────────────as many probes in a row went well─────────┘

While it is open nothing is claimed, so what waits keeps its receive count. While it is
half-open one call at a time probes. A throttle says nothing of the function's health and is
not counted; function errors and system errors are, and a batch of which only some items
failed went well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from lambent.events.flow import settings

State = Literal["closed", "open", "half-open"]
SLICES = 10
"""Into how many pieces the window is cut; the oldest falls out as time goes on."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """`slices` are (number of the slice, calls, failures), the newest last. Times in seconds
    since the epoch."""

    state: State = "closed"
    slices: tuple[tuple[int, int, int], ...] = ()
    until: float = 0.0
    """While open: when the first probe may be made. Calls that began before it, or before the
    circuit closed, say nothing any more."""
    opened_for: float = 0.0
    successes: int = 0
    probing: bool = False

    @property
    def calls(self) -> int:
        """Calls within the window."""
        return sum(calls for _, calls, _ in self.slices)

    @property
    def failures(self) -> int:
        """Failures within the window."""
        return sum(failures for _, _, failures in self.slices)


CLOSED = Circuit()


def ask(circuit: Circuit, now: float) -> tuple[Circuit, bool]:
    """Whether a call may be made now; a probe is taken and must be ended or given back."""
    if circuit.state == "closed":
        return circuit, True
    if circuit.state == "open":
        if now < circuit.until:
            return circuit, False
        circuit = replace(circuit, state="half-open", successes=0, probing=False)
    if circuit.probing:
        return circuit, False
    return replace(circuit, probing=True), True


def give_back(circuit: Circuit) -> Circuit:
    """There was nothing to probe with, or it says nothing."""
    return replace(circuit, probing=False) if circuit.probing else circuit


def ended(
    circuit: Circuit, rule: settings.Circuit, failed: bool, began: float, now: float
) -> Circuit:
    """After a call that began at `began`."""
    if circuit.state == "open" or began < circuit.until:
        return circuit
    if circuit.state == "half-open":
        return _probed(circuit, rule, failed, now)
    number = int(now * SLICES / rule.window)
    slices = [one for one in circuit.slices if number - SLICES < one[0] <= number]
    if slices and slices[-1][0] == number:
        _, calls, failures = slices.pop()
    else:
        calls = failures = 0
    slices.append((number, calls + 1, failures + failed))
    circuit = replace(circuit, slices=tuple(slices))
    if (
        failed
        and circuit.calls >= rule.minimum_calls
        and circuit.failures >= rule.failure_share * circuit.calls
    ):
        return _open(circuit, rule.open, now)
    return circuit


def _probed(circuit: Circuit, rule: settings.Circuit, failed: bool, now: float) -> Circuit:
    if not circuit.probing:
        return circuit
    if failed:
        return _open(circuit, min(circuit.opened_for * 2, rule.maximum_open), now)
    successes = circuit.successes + 1
    if successes >= rule.probes:
        return Circuit(until=now)
    return replace(circuit, successes=successes, probing=False)


def _open(circuit: Circuit, seconds: float, now: float) -> Circuit:
    return Circuit("open", circuit.slices, until=now + seconds, opened_for=seconds)


def opens_in(circuit: Circuit, now: float) -> float | None:
    """Seconds until a call may be asked for again; None when another call must end first."""
    return max(circuit.until - now, 0.0) if circuit.state == "open" else None
