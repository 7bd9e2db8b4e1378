"""Signature Version 4: canonical form, string to sign, signatures. Pure.

Source: AWS General Reference, "Create a signed AWS API request"; Amazon S3 API Reference,
"Signature calculations for the Authorization header". S3 signs the path as it is, decoded
and encoded once; every other service signs the normalised path, encoded once more.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from lambent.gateway.claim import ALGORITHM, Claim

UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_SPACES = re.compile(" +")


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature is made over."""

    canonical_request: str
    string_to_sign: str
    signature: str


def scope(claim: Claim) -> str:
    """The credential scope: `20130524/us-east-1/s3/aws4_request`."""
    return f"{claim.date}/{claim.region}/{claim.service}/aws4_request"


def sign(
    claim: Claim,
    secret: str,
    time: str,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    payload_hash: str,
) -> Signed:
    """The signature that the claimed signer's secret gives.

    `time` is the request's own, as it wrote it; `path` and `query` are percent-encoded as
    they came; header names are in lower case and values were read as Latin-1.
    """
    names = claim.signed_headers.split(";")
    canonical = "\n".join(
        (
            method,
            _plain_path(path) if claim.service == "s3" else _normal_path(path),
            canonical_query(query),
            *(f"{name}:{_trimmed(headers.get(name, ''))}" for name in names),
            "",
            claim.signed_headers,
            payload_hash,
        )
    )
    digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    to_sign = f"{ALGORITHM}\n{time}\n{scope(claim)}\n{digest}"
    key = signing_key(secret, claim.date, claim.region, claim.service)
    return Signed(canonical, to_sign, hmac.digest(key, to_sign.encode(), "sha256").hex())


@lru_cache(maxsize=1024)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key derived for one day, region and service."""
    key = hmac.digest(b"AWS4" + secret.encode(), date.encode(), "sha256")
    for part in (region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def canonical_query(query: str) -> str:
    """The query sorted and encoded anew, without the signature itself."""
    if not query:
        return ""
    pairs = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if part and name != "X-Amz-Signature":
            pairs.append((_encoded(name), _encoded(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe="-_.~")


def _plain_path(path: str) -> str:
    return quote(unquote_to_bytes(path), safe="/-_.~")


def _normal_path(path: str) -> str:
    """Without `.`, `..` and empty segments, encoded once more."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in ("", "."):
            kept.append(segment)
    normal = "/" + "/".join(kept)
    if kept and path.endswith("/"):
        normal += "/"
    return quote(normal, safe="/-_.~")


def _trimmed(value: str) -> str:
    return _SPACES.sub(" ", value.strip(" \t")) if "  " in value else value.strip(" \t")
