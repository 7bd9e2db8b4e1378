"""How a limit that holds for all nodes together is divided among them: pure rules.

Each node holds some of a limit's places, written down in the store, and uses those without
asking anyone. It asks for more when it has none left; who has more than a fair share while
others want some gives back what it does not use.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

IDLE_SECONDS = 1.0
"""A node that used none for so long gives back even its fair share to those who want it."""


class Shares(msgspec.Struct, frozen=True):
    """Who holds how many places of one limit, and who was refused some, by member id."""

    held: Mapping[str, int] = {}
    wanting: tuple[str, ...] = ()

    def of(self, member: str) -> int:
        """The places that a member holds."""
        return self.held.get(member, 0)


def fair(shares: Shares, limit: int, member: str) -> int:
    """The member's part if the limit were divided among all who hold or want some."""
    parties = sorted({*shares.held, *shares.wanting, member})
    each, left = divmod(limit, len(parties))
    return each + (parties.index(member) < left)


def ask(
    shares: Shares, limit: int, member: str, least: int, alone: bool, step: int | None = None
) -> Shares:
    """What becomes of the shares when a member needs `least` places in all. It is given up to
    its fair part (with `step`: the next multiple of it), or the whole when nobody else is
    there; it is among the `wanting` after if that was not enough."""
    have = shares.of(member)
    free = max(0, limit - sum(shares.held.values()))
    part = fair(shares, limit, member) if step is None else -(-least // step) * step
    wish = limit if alone else max(least, part)
    have += min(free, max(0, wish - have))
    wanting = {*shares.wanting} - {member}
    if have < least:
        wanting.add(member)
    return _with(shares, member, have, tuple(sorted(wanting)))


def surplus(shares: Shares, limit: int, member: str, used: int, idle: float) -> int:
    """How many of its places a member is to give back, using `used` and having begun to use
    none for `idle` seconds."""
    have = shares.of(member)
    unused = max(0, have - used)
    beyond = min(unused, max(0, sum(shares.held.values()) - limit))
    if set(shares.wanting) - {member}:
        kept = 0 if idle >= IDLE_SECONDS else fair(shares, limit, member)
        beyond = max(beyond, min(unused, have - kept))
    return beyond


def give_back(shares: Shares, member: str, count: int) -> Shares:
    """With `count` of the member's places free again. Who wanted some asks again."""
    return _with(shares, member, shares.of(member) - count, () if count else shares.wanting)


def without(shares: Shares, member: str) -> Shares:
    """As it is when the member is gone."""
    return give_back(shares, member, shares.of(member))


def _with(shares: Shares, member: str, count: int, wanting: tuple[str, ...]) -> Shares:
    held = {**shares.held, member: count}
    return Shares({name: n for name, n in held.items() if n > 0}, wanting)
