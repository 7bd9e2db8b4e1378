"""Asks the rules on one lane's behalf, holds their state, and writes decisions down.

The one place where rules meet: `grant` asks, in this order, whether the mapping is parked,
the limit, the circuit, the rate, and last the shared places (so that nobody waits for a place
that another rule would keep it from). It implements `events.control.Control`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lambent.core.clock import Clock
from lambent.core.ids import Ids
from lambent.events.contract import Batch
from lambent.events.control import Grant
from lambent.events.flow import backoff, budget, circuit, deadline, limit, places, rate, storm
from lambent.events.flow.decisions import Decisions
from lambent.events.flow.settings import OFF, Flow, Rate
from lambent.events.flow.state import FlowState
from lambent.events.policy import Aside, Attempt, Verdict

MOST_DELAY = 43_200.0
"""Seconds; the longest that SQS hides a message."""


@dataclass(frozen=True, slots=True)
class Past:
    """What an item has behind it: how often it was claimed (1: for the first time), when it
    was sent (seconds since the epoch), how often its chain of events came by here."""

    attempts: int
    sent: float
    depth: int


class Regulator:
    """Flow control of one mapping. Outlives its lanes, and changes of its settings.

    `past` reads an item's record; `park` is called when a rule parks the mapping, with
    the reason, to write it down.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        ids: Ids,
        state: FlowState,
        mapping: str,
        function: str,
        past: Callable[[Mapping[str, Any]], Past],
        park: Callable[[str], None],
    ) -> None:
        self.decisions = Decisions()
        self.settings = OFF
        self.parked: str | None = None
        self._clock = clock
        self._ids = ids
        self._state = state
        self._mapping = mapping
        self._function = function
        self._past = past
        self._park = park
        self._wake: Callable[[], None] = _nobody
        self._wait: float | None = None
        self._held = ""
        self._limit: limit.Limit | None = None
        self._account: budget.Account | None = None
        self._empty_at = 0.0
        self._portion = 1.0
        self._rate: Rate | None = None
        self._arrivals: storm.Arrivals | None = None

    # Settings and state ------------------------------------------------------------------

    def configure(self, settings: Flow) -> None:
        """Go on with these settings; what rules that stay have learned is kept."""
        before, self.settings = self.settings, settings
        now = self._clock.now()
        one = settings.concurrency
        if one is None:
            self._limit = None
        elif self._limit is None or one != before.concurrency:
            self._limit = limit.begin(one)
        retries = settings.retry.budget if settings.retry else None
        if retries is None:
            self._account = None
        elif self._account is None or before.retry is None or before.retry.budget != retries:
            self._account = budget.begin(retries, now)
        if settings.storm is None:
            self._arrivals = None
        elif self._arrivals is None:
            self._arrivals = storm.begin(now)
        self._divide()
        if before != settings:
            self._held = ""
            self.decisions.add(now, "settings", "changed", "they were set")
        self.attach(self._wake)
        self._state.changed(self._function)
        self._wake()

    def _divide(self) -> None:
        """Take this node's part of what is limited for all nodes."""
        portion = self._portion = self._state.portion
        one, share = self.settings.rate, self.settings.priority
        self._rate = (
            None if one is None else Rate(per_second=one.per_second * portion, burst=one.burst)
        )
        sharers = self._state.sharers(self._function)
        if share is None:
            sharers.pop(self._mapping, None)
            return
        running = sharers[self._mapping].running if self._mapping in sharers else 0
        sharers[self._mapping] = places.Sharer(
            share.level, max(int(share.places * portion), 1), int(share.reserve * portion), running
        )

    def stop_claiming(self, reason: str, rule: str = "parked", **inputs: Any) -> None:
        """Park the mapping: claim no more until it is resumed."""
        if self.parked is None:
            self.decisions.add(self._clock.now(), rule, "parked", reason, **inputs)
        self.parked = reason

    def resume(self) -> None:
        """Claim again, if it was parked."""
        if self.parked is None:
            return
        now = self._clock.now()
        self.decisions.add(now, "parked", "resumed", "it was asked for")
        self.parked = None
        if self._arrivals is not None:
            self._arrivals = storm.begin(now)
        self._wake()

    def close(self) -> None:
        """The mapping is gone."""
        self._state.sharers(self._function).pop(self._mapping, None)
        self._state.ignore(self._function, self._mapping)
        self._state.changed(self._function)

    def shown(self, scale: int, running: int) -> dict[str, Any]:
        """The state now, for people; `scale` is the lane's own limit by AWS's rule."""
        now = self._clock.now()
        own = self._limit
        found: dict[str, Any] = {
            "limit": scale if own is None else min(scale, self._places(own)),
            "running": running,
            "state": self._state_name(),
            "held_by": self._held,
            "parked": self.parked,
        }
        if own is not None:
            found["concurrency"] = {
                "limit": round(own.value, 2),
                "usual_seconds_per_item": own.usual,
                "ceiling": own.ceiling,
                "ceiling_held_for": max(own.held_until - now, 0.0) if own.ceiling else 0.0,
            }
        if self.settings.circuit is not None:
            one = self._state.circuit(self._function)
            found["circuit"] = {
                "state": one.state,
                "calls": one.calls,
                "failures": one.failures,
                "probe_in": circuit.opens_in(one, now),
            }
        if self._account is not None:
            found["retry_balance"] = round(self._account.balance, 2)
        if self._rate is not None:
            found["rate_room"] = rate.allowed(self._empty_at, self._rate, now)
        sharer = self._state.sharers(self._function).get(self._mapping)
        if sharer is not None:
            found["places"] = {"running": sharer.running, "waits": sharer.waits}
        if self._arrivals is not None:
            found["arrivals"] = {
                "this_minute": self._arrivals.count,
                "usual": self._arrivals.usual,
            }
        return found

    def _state_name(self) -> str:
        if self.parked is not None:
            return "parked"
        if self.settings.circuit is not None:
            state = self._state.circuit(self._function).state
            if state != "closed":
                return f"circuit {state}"
        return "running"

    # Before a claim ----------------------------------------------------------------------

    @property
    def adapts(self) -> bool:
        """Whether the limit is learned."""
        return self._limit is not None

    @property
    def screens(self) -> bool:
        """Whether items are looked at one by one."""
        return self.settings.deadline is not None or self.settings.loop is not None

    def attach(self, wake: Callable[[], None]) -> None:
        """Wake this lane."""
        self._wake = wake
        level = self.settings.priority.level if self.settings.priority else 0
        self._state.listen(self._function, self._mapping, level, self._elsewhere)

    def _elsewhere(self) -> None:
        """Something of the function changed: of use to a lane that was refused for it alone,
        as two idle ones would otherwise wake each other for ever."""
        if self._held in ("circuit", "priority"):
            self._wake()

    def detach(self, wake: Callable[[], None]) -> None:
        """Wake this lane no more."""
        if self._wake == wake:
            self._wake = _nobody
            self.withdraw()

    def grant(self, items: int, running: int) -> Grant | None:
        """See `Control.grant`."""
        self.withdraw()
        now = self._clock.now()
        settings, state, function = self.settings, self._state, self._function
        if self.parked is not None:
            return self._hold("parked", self.parked, None)
        own = self._limit
        if own is not None and running >= self._places(own):
            # Not a decision: the limit that was decided is in use.
            self._held, self._wait = "limit", None
            return None
        if self._portion != state.portion:
            self._divide()
        if self._rate is not None:
            items = min(items, rate.allowed(self._empty_at, self._rate, now))
            if items <= 0:
                wait = rate.wait(self._empty_at, self._rate, now)
                return self._hold("rate", "the bucket is full", wait)
        before = after = state.circuit(function)
        if settings.circuit is not None:
            after, allowed = circuit.ask(before, now)
            if not allowed:
                return self._hold("circuit", before.state, circuit.opens_in(before, now))
        if settings.priority is not None:
            sharers = state.sharers(function)
            sharer = sharers[self._mapping]
            if not places.free(sharer, (one for one in sharers.values() if one is not sharer)):
                sharer.waits = True
                return self._hold("priority", "no place is free", None)
            sharer.running += 1
        if after is not before:
            self._change(before, after, now, "its time is over")
        self._held = ""
        probe = after.probing
        return Grant(1 if probe else items, probe, settings.priority is not None)

    def _hold(self, rule: str, why: str, wait: float | None) -> Grant | None:
        if self._held != rule:
            self._held = rule
            inputs = {"wait": wait} if wait is not None else {}
            self.decisions.add(self._clock.now(), rule, "holds", why, **inputs)
        self._wait = wait
        return None

    def _places(self, own: limit.Limit) -> int:
        # What is learned is learned per node; the most is the most of all together.
        rule = self.settings.concurrency
        most = own.places if rule is None else int(rule.maximum * self._portion)
        return max(min(own.places, most), 1)

    def wait(self) -> float | None:
        """See `Control.wait`."""
        return self._wait

    def withdraw(self) -> None:
        """See `Control.withdraw`."""
        if self.settings.priority is None:
            return
        sharer = self._state.sharers(self._function).get(self._mapping)
        if sharer is not None:
            sharer.waits = False

    def more(self, grant: Grant, items: int) -> int:
        """See `Control.more`."""
        self._wait = None
        if grant.probe:
            return 0
        if self._rate is None:
            return items
        now = self._clock.now()
        allowed = min(items, rate.allowed(self._empty_at, self._rate, now))
        if allowed <= 0:
            # Not one by one, which would be a claim for each; nor all that fit, as what runs
            # over while the lane wakes is lost.
            some = min(items, (self._rate.burst + 1) // 2)
            self._wait = rate.wait(self._empty_at, self._rate, now, some)
        return allowed

    def took(self, batch: Batch, now: float) -> None:
        """Pour the items into the bucket, and count those that are tried for the first time."""
        settings = self.settings
        if self._rate is not None:
            self._empty_at = rate.took(self._empty_at, self._rate, len(batch.tickets), now)
        account, arrivals = self._account, self._arrivals
        if account is None and arrivals is None:
            return
        firsts = sum(self._past(record).attempts <= 1 for record in batch.records)
        if account is not None and settings.retry is not None and settings.retry.budget is not None:
            self._account = budget.attempted(account, settings.retry.budget, firsts, now)
        if arrivals is not None and settings.storm is not None:
            self._arrivals = arrivals = storm.arrived(arrivals, firsts, now)
            if self.parked is None and storm.is_storm(arrivals, settings.storm):
                reason = f"{arrivals.count} events arrived within a minute"
                self.stop_claiming(
                    reason, "storm", usual=arrivals.usual, bound=settings.storm.per_minute
                )
                self._park(reason)

    def screen(self, record: Mapping[str, Any], now: float) -> tuple[str, str, bool] | None:
        """Whether the item's time is over, or it came by here too often."""
        past = self._past(record)
        loop, due = self.settings.loop, self.settings.deadline
        if loop is not None and past.depth >= loop.depth:
            reason = f"it reached the function through itself {past.depth} times"
            self.decisions.add(now, "loop", "parked", reason, depth=past.depth)
            return "loop", reason, True
        if due is not None and deadline.passed(due, past.sent, now):
            return "deadline", self._late(past, now), False
        return None

    def _late(self, past: Past, now: float) -> str:
        reason = "its deadline is over"
        self.decisions.add(
            now, "deadline", "put aside", reason, age=now - past.sent, tries=past.attempts
        )
        return reason

    # After a call ------------------------------------------------------------------------

    def ended(self, attempt: Attempt, verdict: Verdict, running: int) -> Verdict:
        """Learn from a call, and say when what failed comes again."""
        outcome, items = attempt.outcome, len(attempt.batch.tickets)
        failed = items if outcome.error is not None else len(verdict.again)
        now = attempt.now
        began = now - attempt.seconds
        if self._limit is not None:
            took = attempt.seconds if outcome.seconds is None else outcome.seconds
            self._learn(limit.Sample(began, took, items, failed, running), now)
        if self.settings.circuit is not None and outcome.error != "Throttled":
            self._count(failed == items, began, now)
        if not verdict.again or (self.settings.retry is None and self.settings.deadline is None):
            return verdict
        return self._again(attempt, verdict, now)

    def _learn(self, sample: limit.Sample, now: float) -> None:
        before, rule = self._limit, self.settings.concurrency
        if before is None or rule is None:
            return
        after, why = limit.ended(before, rule, sample, now)
        self._limit = after
        if after.places != before.places:
            self.decisions.add(
                now,
                "limit",
                f"{before.places} to {after.places}",
                why,
                items=before.items + sample.items,
                failed=before.failed + sample.failed,
                seconds_per_item=(before.seconds + sample.seconds)
                / max(before.items + sample.items, 1),
                usual=before.usual,
                busiest=max(before.busiest, sample.running),
                ceiling=after.ceiling,
            )

    def _count(self, failed: bool, began: float, now: float) -> None:
        rule = self.settings.circuit
        if rule is None:
            return
        before = self._state.circuit(self._function)
        after = circuit.ended(before, rule, failed, began, now)
        if after is not before:
            self._change(before, after, now, "calls failed" if failed else "probes went well")

    def _change(
        self, before: circuit.Circuit, after: circuit.Circuit, now: float, why: str
    ) -> None:
        if before.state != after.state:
            self.decisions.add(
                now,
                "circuit",
                f"{before.state} to {after.state}",
                why,
                calls=after.calls,
                failures=after.failures,
                open_for=after.opened_for,
            )
        self._state.change_circuit(self._function, after)

    def _again(self, attempt: Attempt, verdict: Verdict, now: float) -> Verdict:
        batch = attempt.batch
        by_ticket = {id(one): index for index, one in enumerate(batch.tickets)}
        again: list[tuple[Any, float | None]] = []
        aside = list(verdict.aside)
        left = max(attempt.claimed + attempt.lease - now, 0.0)
        for ticket, given in verdict.again:
            # A policy with one item a batch may give its ticket back changed.
            past = self._past(batch.records[by_ticket.get(id(ticket), 0)])
            delay = self._delay(past, now) if self.settings.retry is not None else given
            due = self.settings.deadline
            at = now + (left if delay is None else delay)
            if due is not None and deadline.passed(due, past.sent, at):
                aside.append(Aside(ticket, "deadline", self._late(past, now)))
            else:
                again.append((ticket, delay))
        return replace(verdict, again=again, aside=aside)

    def _delay(self, past: Past, now: float) -> float:
        rule = self.settings.retry
        assert rule is not None, "asked only when retries have a rule"
        delay = backoff.delay(rule, past.attempts, self._ids.random())
        if self._account is not None and rule.budget is not None:
            self._account, wait = budget.retry(self._account, rule.budget, now)
            if wait > delay:
                self.decisions.add(
                    now,
                    "budget",
                    "postpones",
                    "more retries than the budget covers",
                    balance=self._account.balance,
                    backoff=delay,
                    wait=wait,
                )
            delay = max(delay, wait)
        return min(delay, MOST_DELAY)

    def release(self, grant: Grant) -> None:
        """See `Control.release`."""
        if grant.probe:
            before = self._state.circuit(self._function)
            self._state.change_circuit(self._function, circuit.give_back(before))
        sharer = self._state.sharers(self._function).get(self._mapping)
        if grant.placed and sharer is not None:
            sharer.running = max(sharer.running - 1, 0)
            self._state.changed(self._function)


def _nobody() -> None:
    """There is no lane to wake."""
