"""The one error tree.

    LambentError
    ├── AwsError            an AWS API error: code, message, status; `protocol` gives it wire form
    ├── StartupError        the node or a command cannot start: one sentence for the user
    └── StoreError
        ├── Conflict        an expected version or absence did not hold
        └── StoreUnavailable  nothing was done; the caller may try again

Operations raise `AwsError` and nothing else on purpose; any other exception that reaches
the gateway is a defect and becomes the service's InternalFailure (status 500).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class LambentError(Exception):
    """Base of all errors that Lambent raises on purpose."""


class AwsError(LambentError):
    """An error that an AWS API answers with.

    `code` is the error shape's name in botocore's model ("QueueDoesNotExist") or a common
    error ("ValidationException"). When `status` is None the model's own HTTP status for the
    shape is used, or 400. `members` are further members of the error shape. Codes and
    messages follow AWS's documentation word for word where it gives them.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status: int | None = None,
        members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members: Mapping[str, Any] = members or {}
        self.headers: Mapping[str, str] = headers or {}


class StartupError(LambentError):
    """The node or a command cannot start; the message is one clear sentence for the user."""


class StoreError(LambentError):
    """The store could not do what was asked; nothing was changed."""


class Conflict(StoreError):
    """A conditional write did not find what it expected; nothing was changed."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or is full; nothing was changed, and a retry may succeed."""
