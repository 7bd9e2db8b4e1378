"""Lists in pages: a plain function of all items, in an order, and where to go on."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from lambent.services.lambda_ import errors

T = TypeVar("T")


def page(
    items: Sequence[T],
    key: Callable[[T], str],
    marker: str | None,
    limit: int | None,
    most: int = 50,
) -> tuple[list[T], str | None]:
    """One page and the next page's marker (None at the end).

    `items` are in ascending order of `key`; a page begins after the key that its marker
    holds, so that deleting an item between two pages skips none.
    """
    size = min(limit or most, most)
    start = 0
    if marker:
        try:
            after = base64.urlsafe_b64decode(marker.encode()).decode()
        except (ValueError, binascii.Error):
            raise errors.invalid("Invalid marker provided.") from None
        start = next((i for i, item in enumerate(items) if key(item) > after), len(items))
    chosen = list(items[start : start + size])
    if start + size >= len(items):
        return chosen, None
    return chosen, base64.urlsafe_b64encode(key(chosen[-1]).encode()).decode()
