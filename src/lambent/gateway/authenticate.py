"""Who asks: from what a request claims to an identity.

`Trusting` is local mode: the node listens on loopback, every signature is taken as it is,
and an access key id of twelve digits names the account. What still holds there is the time
limit of presigned URLs, and that pages of other sites are refused. Server mode, which
believes nothing, is `Verifying` in verifying.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lambent.core.credentials import KeySource, local_principal, looks_issued
from lambent.core.settings import Settings
from lambent.gateway import browsers, presigned
from lambent.gateway.aws_chunked import Verifier
from lambent.gateway.claim import Claim, Form
from lambent.gateway.request import Request

_SESSION = "x-amz-security-token"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, for which account, in which region.

    `content_sha256` is the payload hash that was signed, in lower-case hexadecimal, when the
    body must be held to it; `chunks` checks an `aws-chunked` body's signatures. `user_id` is
    the key's.
    """

    account: str
    region: str
    principal: str
    access_key: str
    content_sha256: str | None = None
    chunks: Verifier | None = None
    user_id: str = ""


class Authenticator(Protocol):
    """Turns a claim into an identity."""

    async def authenticate(
        self, request: Request, claim: Claim, service: str, now: float
    ) -> Identity:
        """The identity; AwsError in the service's own words when the claim does not hold."""
        ...


class Trusting:
    """Local mode: the claim is the identity."""

    def __init__(self, settings: Settings, keys: KeySource) -> None:
        self._settings = settings
        self._keys = keys
        self._seen: dict[tuple[str, str, str], Identity] = {}

    async def authenticate(
        self, request: Request, claim: Claim, service: str, now: float
    ) -> Identity:
        browsers.check(request.headers, service, request.method)
        if claim.query is not None:
            presigned.check_time(claim, service, now)
        token = request.headers.get(_SESSION, "")
        known = self._seen.get((claim.access_key, claim.region, token))
        if known is not None:
            return known
        region = claim.region or self._settings.region
        access_key = claim.access_key
        if claim.form is not Form.MALFORMED and looks_issued(access_key):
            # Keys that this node's IAM or STS made act as whom they were made for.
            key = await self._keys.find(access_key)
            if key is not None:
                return Identity(key.account, region, key.principal, access_key, user_id=key.user_id)
        named = len(access_key) == 12 and access_key.isascii() and access_key.isdigit()
        account = access_key if named else self._settings.account
        principal = local_principal(account, token) or f"arn:aws:iam::{account}:root"
        identity = Identity(account, region, principal, access_key)
        if not looks_issued(access_key):
            if len(self._seen) >= 4096:
                self._seen.clear()
            self._seen[access_key, claim.region, token] = identity
        return identity
