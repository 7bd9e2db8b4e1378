"""MD5: of short texts, which protocols ask for beside every message, and as headers have it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, Final

from lambent.core.errors import AwsError


def _shortest() -> Callable[[bytes], Any]:
    try:
        # Python's own: OpenSSL's is made ready in longer than a short text takes.
        own: Callable[[bytes], Any] = import_module("_md5").md5
    except ImportError:
        return partial(hashlib.md5, usedforsecurity=False)
    return own


md5: Final = _shortest()
"""An object with `hexdigest` and the like, of all the bytes."""


def content_md5(header: str) -> bytes:
    """The digest that a Content-MD5 header gives; InvalidDigest when it is none."""
    try:
        digest = base64.b64decode(header, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 16:
        raise AwsError(
            "InvalidDigest",
            "The Content-MD5 you specified was invalid.",
            400,
            {"Content-MD5": header},
        )
    return digest
