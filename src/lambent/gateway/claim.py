"""What a request says of its signer: read from it, not yet believed.

Source: AWS General Reference, "Signature Version 4 signing process". Three forms count: the
Authorization header, the presigned query, and Signature Version 2, which is only recognised
(to name an account in local mode, to be refused in server mode).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from urllib.parse import unquote_plus

import msgspec

ALGORITHM = "AWS4-HMAC-SHA256"


class Form(Enum):
    """Where and how a request carries its signature."""

    NONE = "none"
    HEADER = "header"
    QUERY = "query"
    OLD_HEADER = "version 2 header"
    OLD_QUERY = "version 2 query"
    MALFORMED = "malformed"


class Claim(msgspec.Struct, frozen=True):
    """The signer as claimed. `date`, `region` and `service` are the credential scope's.

    `signed_headers` and `signature` are as they came. `query` holds the decoded query of
    the two query forms, and is empty otherwise.
    """

    form: Form
    access_key: str = ""
    date: str = ""
    region: str = ""
    service: str = ""
    signed_headers: str = ""
    signature: str = ""
    query: Mapping[str, str] | None = None
    raw: str = ""


NOBODY = Claim(Form.NONE)


def read(headers: Mapping[str, str], query: str) -> Claim:
    """The claim of a request with these (lower-case) headers and this raw query."""
    authorization = headers.get("authorization")
    if authorization is not None:
        return _from_header(authorization)
    if query:
        if "X-Amz-Credential=" in query or "X-Amz-Signature=" in query:
            return _from_query(query)
        if "AWSAccessKeyId=" in query and "Signature=" in query:
            values = _decoded(query)
            return Claim(Form.OLD_QUERY, values["AWSAccessKeyId"], service="s3", query=values)
    return NOBODY


def _from_header(value: str) -> Claim:
    if not value.startswith(ALGORITHM):
        if value.startswith("AWS "):
            return Claim(Form.OLD_HEADER, value[4:].partition(":")[0], service="s3", raw=value)
        return Claim(Form.MALFORMED, raw=value)
    beginning, _, signature = value.rpartition("Signature=")
    if "," in signature:
        # In another order than every SDK's.
        signature = signature.partition(",")[0]
        beginning = value
    known = _signer(beginning)
    if known is None:
        return Claim(Form.MALFORMED, raw=value)
    return Claim(Form.HEADER, *known, signature.strip(), None, value)


@lru_cache(maxsize=4096)
def _signer(header: str) -> tuple[str, str, str, str, str] | None:
    """The scope and the signed headers of an Authorization header, which one client says
    again and again before its signature."""
    parts: dict[str, str] = {}
    for part in header[len(ALGORITHM) :].split(","):
        name, _, content = part.strip().partition("=")
        parts[name] = content
    scope = _scope(parts.get("Credential", ""))
    return (*scope, parts.get("SignedHeaders", "")) if scope else None


def _from_query(query: str) -> Claim:
    values = _decoded(query)
    scope = _scope(values.get("X-Amz-Credential", ""))
    if scope is None:
        return Claim(Form.MALFORMED, query=values)
    return Claim(
        Form.QUERY,
        *scope,
        values.get("X-Amz-SignedHeaders", ""),
        values.get("X-Amz-Signature", ""),
        values,
    )


@lru_cache(maxsize=4096)
def _scope(credential: str) -> tuple[str, str, str, str] | None:
    """access key, date, region, service of `KEY/DATE/REGION/SERVICE/aws4_request`."""
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or parts[4] != "aws4_request" or not parts[0]:
        return None
    return parts[0], parts[1], parts[2], parts[3]


def _decoded(query: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in query.split("&"))
    return {unquote_plus(name): unquote_plus(value) for name, _, value in pairs}
