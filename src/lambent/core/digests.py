"""MD5 of short texts, which protocols ask for beside every message."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, Final


def _shortest() -> Callable[[bytes], Any]:
    try:
        # Python's own: OpenSSL's is made ready in longer than a short text takes.
        own: Callable[[bytes], Any] = import_module("_md5").md5
    except ImportError:
        return partial(hashlib.md5, usedforsecurity=False)
    return own


md5: Final = _shortest()
"""An object with `hexdigest` and the like, of all the bytes."""
