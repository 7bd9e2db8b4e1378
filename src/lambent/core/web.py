"""HTTP that a service answers itself, outside any AWS API.

- `Route`: Lambent's own API in JSON, below `/_lambent/` (`Asked` in, status and value out);
- `Site`: plain HTTP, as function URLs are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from lambent.core.context import RequestContext
from lambent.core.streams import StreamingResult

PREFIX: Final = "/_lambent/"
"""Where Lambent's own API begins."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to a route: the context as operations get it, the rest as it came."""

    context: RequestContext
    method: str
    path: str
    query: Mapping[str, str]
    body: bytes


class Document(msgspec.Struct, frozen=True):
    """An answer that is not JSON: its content type and its bytes."""

    kind: str
    body: bytes


Route = Callable[[Asked], Awaitable[tuple[int, Any]]]
"""Gives the status and what becomes the JSON body (bytes are sent as they are, a `Document`
as its own type). May raise AwsError, whose status, code and message become the answer."""


class Caller(msgspec.Struct, frozen=True):
    """Who signed a request."""

    account: str
    principal: str
    access_key: str


class WebRequest(msgspec.Struct, frozen=True):
    """A request to what a service named `id` in a host or a path.

    `path` (from "/" on) is percent-encoded as it came; header names are in lower case.
    `client` is the peer's address, `host` the name the request was sent to. `sign_in` gives
    who signed it, None when nobody did; AwsError when the signature does not hold.
    """

    id: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    request_id: str
    now: float
    client: str
    host: str
    sign_in: Callable[[], Awaitable[Caller | None]]


class WebAnswer(msgspec.Struct, frozen=True):
    """The response; header names as they are to be sent."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes | StreamingResult = b""


class Site(msgspec.Struct, frozen=True):
    """How a service answers plain HTTP, by the host `ID.LABEL.REGION.…` and below the path
    `/_lambent/PATH/ID/`. A body over `limit` bytes is answered by `too_large`."""

    label: str
    path: str
    limit: int
    answer: Callable[[WebRequest], Awaitable[WebAnswer]]
    too_large: Callable[[], WebAnswer]
