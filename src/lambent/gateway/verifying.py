"""Server mode: nothing is believed before the stored key's signature is found to match.

The order of the checks is AWS's: form, key, token, time, scope, signature. A body is read,
where the signature covers it, only for a key that exists and a time that is near.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from calendar import timegm
from email.utils import parsedate
from typing import Final

from lambent.core.credentials import AccessKey, KeySource
from lambent.core.settings import Settings
from lambent.gateway import identify, presigned, refusals, sigv4, streaming
from lambent.gateway.authenticate import Identity
from lambent.gateway.claim import Claim, Form
from lambent.gateway.request import Request

_PAYLOADS: Final = frozenset(
    {
        sigv4.UNSIGNED,
        streaming.SIGNED,
        streaming.SIGNED_TRAILER,
        streaming.UNSIGNED_TRAILER,
    }
)
_SHA256: Final = re.compile("[0-9a-f]{64}")
_MAX_SIGNED_BODY: Final = 128 * 1024 * 1024


class Verifying:
    """Server mode (an `Authenticator`)."""

    def __init__(self, settings: Settings, keys: KeySource) -> None:
        self._settings = settings
        self._keys = keys

    async def authenticate(
        self, request: Request, claim: Claim, service: str, now: float
    ) -> Identity:
        _check_form(claim, service)
        key = await self._keys.find(claim.access_key)
        if key is None or not key.active:
            raise refusals.unknown_key(service, claim.access_key)
        _check_token(request, claim, key, service, now)
        time = _check_time(request, claim, service, now)
        _check_scope(request, claim, service, time)
        payload = await _payload_hash(request, claim, service)
        signed = sigv4.sign(
            claim,
            key.secret,
            time,
            request.method,
            request.path,
            request.query,
            request.headers,
            payload,
        )
        provided = claim.signature.encode("utf-8", "replace")
        if not hmac.compare_digest(signed.signature.encode(), provided):
            raise refusals.mismatch(service, claim, signed)
        return Identity(
            key.account,
            claim.region or self._settings.region,
            key.principal,
            key.id,
            payload if service == "s3" and len(payload) == 64 else None,
            _chain(claim, key, time, payload),
            key.user_id,
        )


def _check_form(claim: Claim, service: str) -> None:
    if claim.form is Form.NONE:
        raise refusals.unsigned(service)
    if claim.form in (Form.OLD_HEADER, Form.OLD_QUERY):
        raise refusals.old_version()
    if claim.form is Form.MALFORMED and claim.query is not None and service == "s3":
        raise refusals.malformed_query(
            "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; "
            'expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
        )
    if claim.form is Form.MALFORMED or not claim.signature or not claim.signed_headers:
        raise refusals.malformed(service, claim.raw)


def _check_token(request: Request, claim: Claim, key: AccessKey, service: str, now: float) -> None:
    values = request.headers if claim.query is None else claim.query
    name = "x-amz-security-token" if claim.query is None else "X-Amz-Security-Token"
    token = values.get(name, "")
    if not hmac.compare_digest(token.encode("utf-8", "replace"), key.session_token.encode()):
        raise refusals.wrong_token(service, token)
    if key.expires is not None and now >= key.expires:
        raise refusals.expired_token(service)


def _check_time(request: Request, claim: Claim, service: str, now: float) -> str:
    """The request's own time, as the string to sign has it."""
    if claim.query is not None:
        presigned.check_time(claim, service, now)
        return claim.query["X-Amz-Date"]
    text = request.headers.get("x-amz-date")
    time = presigned.amz_time(text) if text is not None else None
    if text is None:
        date = parsedate(request.headers.get("date", ""))
        time = float(timegm(date)) if date else None
        text = presigned.amz_format(time) if time is not None else ""
    if time is None:
        raise refusals.no_time(service)
    if abs(now - time) > refusals.SKEW:
        raise refusals.skewed(service, text, time, now)
    return text


def _check_scope(request: Request, claim: Claim, service: str, time: str) -> None:
    if not identify.may_sign(claim.service, request.path, service):
        raise refusals.wrong_scope(
            service, f"Credential should be scoped to correct service: '{service}'."
        )
    if claim.date != time[:8]:
        raise refusals.wrong_scope(
            service,
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "
            f"from HTTP: '{claim.date}' != '{time[:8]}', from '{time}'.",
        )
    signed = claim.signed_headers.split(";")
    if "host" not in signed:
        raise refusals.wrong_scope(
            service, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        )
    if service == "s3":
        left_out = [n for n in request.headers if n.startswith("x-amz-") and n not in signed]
        if left_out and left_out != ["x-amz-content-sha256"]:
            raise refusals.unsigned_headers(left_out)


async def _payload_hash(request: Request, claim: Claim, service: str) -> str:
    """What the signature covers in the body's place."""
    if service == "s3":
        given = request.headers.get("x-amz-content-sha256")
        if claim.query is not None and "x-amz-content-sha256" not in claim.signed_headers:
            given = claim.query.get("X-Amz-Content-Sha256", sigv4.UNSIGNED)
        if given is None:
            raise refusals.missing_payload_hash()
        if given not in _PAYLOADS and not _SHA256.fullmatch(given):
            raise refusals.bad_payload_hash(given)
        return given
    if not isinstance(request.body, bytes):
        request.body = await request.body.read(_MAX_SIGNED_BODY)
    return hashlib.sha256(request.body).hexdigest()


def _chain(
    claim: Claim, key: AccessKey, time: str, payload: str
) -> streaming.SignatureChain | None:
    if payload not in (streaming.SIGNED, streaming.SIGNED_TRAILER):
        return None
    return streaming.SignatureChain(
        sigv4.signing_key(key.secret, claim.date, claim.region, claim.service),
        time,
        sigv4.scope(claim),
        claim.signature,
        payload == streaming.SIGNED_TRAILER,
    )
