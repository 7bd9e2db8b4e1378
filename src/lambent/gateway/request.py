"""A request as the server hands it on: read from the wire, not yet understood."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lambent.gateway.body import IncomingBody
from lambent.protocol.contract import WireResponse


@dataclass(slots=True)
class Request:
    """One HTTP request.

    `path` is percent-encoded as it came; `query` is the raw query string. Header names are
    in lower case, repeated headers are joined by a comma; header bytes are read as Latin-1,
    so that encoding them back gives what was signed. `body` is complete when it is bytes.
    `client` is the peer's address.
    The one who handles the request sets `abandonable` while nothing would be lost if its
    client went away.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes | IncomingBody
    client: str = ""
    abandonable: bool = False


Handler = Callable[[Request], Awaitable[WireResponse]]
"""Answers a request. Whatever it raises becomes a bare 500."""
