"""The frozen context that every operation is called with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from lambent.core.arns import Arn

Params = dict[str, Any]
"""An operation's input: members by their botocore names. Blobs are bytes, timestamps are
seconds since the epoch (float), a streaming body is a `core.streams.Body`; absent members
are absent."""

Result = dict[str, Any] | None
"""An operation's output: members by their botocore names. Timestamps may be float or int
seconds since the epoch. None members are left out."""


class RequestContext(msgspec.Struct, frozen=True):
    """Who asks, for what, when, and where.

    `endpoint` is the node's base URL as the client reached it ("http://localhost:4566"),
    for results that carry URLs. `principal` is the caller's ARN, and `user_id` the
    unique id that the caller's key carries ("AIDA…", "AROA…:session", the account for its
    root; "" when the key is none of this node). `now` is seconds since the
    epoch when the request arrived. `headers` are the request's own, in lower case, and `client`
    the peer's address (both empty for calls from inside).
    """

    account: str
    region: str
    request_id: str
    now: float
    endpoint: str
    principal: str = ""
    access_key: str = ""
    trace: str | None = None
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    user_id: str = ""
    client: str = ""

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource in this account and region."""
        return str(Arn(service, self.region, self.account, resource))


Operation = Callable[[RequestContext, Params], Awaitable[Result]]
