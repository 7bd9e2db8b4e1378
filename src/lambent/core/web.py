"""Plain HTTP that a service answers itself, outside any AWS API: function URLs and the like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from lambent.core.streams import StreamingResult


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
