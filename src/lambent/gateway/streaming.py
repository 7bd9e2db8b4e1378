"""The chain of signatures over an `aws-chunked` body.

Source: Amazon S3 API Reference, "Signature calculations: transferring payload in multiple
chunks", and "… including trailing headers". Each chunk's signature covers the one before it;
the request's own is the seed.
"""

from __future__ import annotations

import hashlib
import hmac

from lambent.gateway import refusals
from lambent.gateway.sigv4 import EMPTY_SHA256

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


class SignatureChain:
    """Checks the chunks of one body (an `aws_chunked.Verifier`)."""

    def __init__(self, key: bytes, time: str, scope: str, seed: str, trailer: bool) -> None:
        self._key = key
        self._place = f"{time}\n{scope}"
        self._previous = seed
        self._claimed = ""
        self._hash = hashlib.sha256()
        self._trailer_due = trailer

    def begin(self, signature: str) -> None:
        self._claimed = signature
        self._hash = hashlib.sha256()

    def update(self, data: bytes) -> None:
        self._hash.update(data)

    def end(self) -> None:
        self._check(
            f"AWS4-HMAC-SHA256-PAYLOAD\n{self._place}\n{self._previous}\n{EMPTY_SHA256}\n"
            f"{self._hash.hexdigest()}",
            self._claimed,
        )

    def trailer(self, lines: bytes, signature: str) -> None:
        if self._trailer_due:
            digest = hashlib.sha256(lines).hexdigest()
            self._check(
                f"AWS4-HMAC-SHA256-TRAILER\n{self._place}\n{self._previous}\n{digest}", signature
            )

    def _check(self, to_sign: str, claimed: str) -> None:
        signature = hmac.digest(self._key, to_sign.encode(), "sha256").hex()
        if not hmac.compare_digest(signature.encode(), claimed.encode("utf-8", "replace")):
            raise refusals.chunk_signature(to_sign, claimed)
        self._previous = signature
