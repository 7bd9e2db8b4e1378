"""What to say of a name that nothing here has: which names there are, and which was meant. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def member(place: str, name: str, known: Collection[str]) -> str:
    """One sentence, or two: `place` ("Flow.Retry") has no such member, but these."""
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(str(name).lower(), by_lower, n=1)
    meant = f" Did you mean {by_lower[near[0]]}?" if near else ""
    return f"{place} has no member {name}, but {_listed(sorted(known))}.{meant}"


def _listed(names: list[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
