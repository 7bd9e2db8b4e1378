"""How many retries there may be for the first attempts there were.

An account that first attempts and time pay into, and retries draw from when they are
scheduled. What is not in the account yet is lent by time alone: a retry without cover comes
later, when `per_second` will have paid for it. So up to any moment

    retries ≤ burst + share · first attempts + per_second · seconds

without any retry being refused. After Finagle's and Envoy's retry budgets.
"""

from __future__ import annotations

from dataclasses import dataclass

from lambent.events.flow.settings import Budget


@dataclass(frozen=True, slots=True)
class Account:
    """`balance` in retries at the time `at`; below zero, that many are lent."""

    balance: float
    at: float


def begin(rule: Budget, now: float) -> Account:
    """How a lane starts."""
    return Account(float(rule.burst), now)


def _paid(account: Account, rule: Budget, now: float, firsts: int) -> Account:
    elapsed = max(now - account.at, 0.0)
    paid = account.balance + elapsed * rule.per_second + firsts * rule.share
    return Account(min(paid, float(rule.burst)), max(now, account.at))


def attempted(account: Account, rule: Budget, firsts: int, now: float) -> Account:
    """So many items were tried for the first time."""
    return _paid(account, rule, now, firsts)


def retry(account: Account, rule: Budget, now: float) -> tuple[Account, float]:
    """Schedule one retry: the account after it, and for how many seconds it must wait."""
    account = _paid(account, rule, now, 0)
    balance = account.balance - 1.0
    return Account(balance, account.at), max(-balance, 0.0) / rule.per_second
