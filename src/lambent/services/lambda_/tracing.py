"""The X-Ray trace header that an invocation gets: plain rules.

    Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1

One root goes on from the producer to whatever its consumers send. Source: X-Ray Developer
Guide, "Tracing header" and "Tracing event-driven applications"; Lambda Developer Guide,
"Visualize Lambda function invocations using AWS X-Ray" (Active and PassThrough).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from lambent.core.ids import Ids
from lambent.services.lambda_ import lineage

_ROOT: Final = re.compile(r"1-[0-9a-fA-F]{8}-[0-9a-fA-F]{24}")
_SPAN: Final = re.compile(r"[0-9a-fA-F]{16}")
_PART: Final = re.compile(r"[A-Za-z0-9_-]{1,64}=[A-Za-z0-9_.:|/+-]{1,512}")
_MOST_PARTS: Final = 16


def new(ids: Ids, now: float) -> str:
    """The header of a trace that begins now (seconds since the epoch); whether it is sampled
    is left to the first function."""
    return f"Root={_new_root(ids, now)};Parent={ids.hex(16)}"


def header(given: str | None, active: bool, ids: Ids, now: float) -> str:
    """The header for an invocation that came with `given`.

    The root is kept, or made when there is no good one. What upstream decided about sampling
    holds; else an `active` function samples and any other does not. A sampled active function
    is a segment of its own, and so the parent of what it sends. Other well-formed parts are
    kept; nothing else of what came gets through.
    """
    if given is None:
        return f"{new(ids, now)};Sampled={'1' if active else '0'}"
    parts = _parts(given)
    root, parent = parts.pop("Root", ""), parts.pop("Parent", "")
    sampled = parts.pop("Sampled", "")
    if not _ROOT.fullmatch(root):
        root, parent = _new_root(ids, now), ""
    if sampled not in ("0", "1"):
        sampled = "1" if active else "0"
    if (active and sampled == "1") or not _SPAN.fullmatch(parent):
        parent = ids.hex(16)
    rest = [f"{name}={value}" for name, value in parts.items()]
    return ";".join([f"Root={root}", f"Parent={parent}", f"Sampled={sampled}", *rest])


def together(headers: Sequence[str]) -> str | None:
    """The header of a batch, given those of its messages: with one root among them that trace
    goes on, with several a new one begins. Either way no message's lineage is forgotten."""
    if not headers:
        return None
    first = headers[0]
    if all(other == first for other in headers):
        return first
    several = [_parts(one) for one in headers]
    roots = {parts["Root"] for parts in several if "Root" in parts}
    entries = lineage.merged([parts["Lineage"] for parts in several if "Lineage" in parts])
    kept = {} if len(roots) > 1 else next((p for p in several if "Root" in p), {})
    shown = [f"{name}={value}" for name, value in kept.items() if name != "Lineage"]
    if entries:
        shown.append(f"Lineage={entries}")
    return ";".join(shown) or None


def _parts(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in text.split(";")[:_MOST_PARTS]:
        if _PART.fullmatch(part.strip()):
            name, _, value = part.strip().partition("=")
            found.setdefault(name, value)
    return found


def _new_root(ids: Ids, now: float) -> str:
    return f"1-{int(now):08x}-{ids.hex(24)}"
