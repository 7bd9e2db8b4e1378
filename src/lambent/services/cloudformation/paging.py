"""Pages of a list that is at hand whole. Pure."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TypeVar

from lambent.services.cloudformation.template import invalid

T = TypeVar("T")


def page(items: Sequence[T], token: str | None, size: int = 100) -> tuple[list[T], str | None]:
    """The items after `token`, at most `size`, and the token of the next page."""
    start = 0
    if token:
        try:
            start = int(base64.urlsafe_b64decode(token.encode()).decode())
        except ValueError:
            raise invalid("Invalid NextToken") from None
    end = start + size
    following = base64.urlsafe_b64encode(str(end).encode()).decode()
    return list(items[start:end]), following if end < len(items) else None
