"""The time limits of presigned URLs.

Source: Amazon S3 API Reference, "Authenticating requests: using query parameters". Both
modes enforce them.
"""

from __future__ import annotations

from calendar import timegm
from datetime import UTC, datetime
from time import strptime
from typing import Final

from lambent.core.errors import AwsError
from lambent.gateway.claim import Claim, Form

_WEEK: Final = 7 * 24 * 3600
_SKEW: Final = 15 * 60
_NEEDED: Final = frozenset(
    f"X-Amz-{name}"
    for name in ("Algorithm", "Credential", "Signature", "Date", "SignedHeaders", "Expires")
)
_INCOMPLETE: Final = (
    "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
    "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
)


def amz_time(text: str) -> float | None:
    """Seconds since the epoch of `20130524T000000Z`; None when it is no such time."""
    try:
        return float(timegm(strptime(text, "%Y%m%dT%H%M%SZ")))
    except ValueError:
        return None


def amz_format(time: float) -> str:
    """The form that `amz_time` reads."""
    return datetime.fromtimestamp(int(time), UTC).strftime("%Y%m%dT%H%M%SZ")


def iso(time: float) -> str:
    """`2013-05-24T00:00:00Z`."""
    return datetime.fromtimestamp(int(time), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def check_time(claim: Claim, service: str, now: float) -> None:
    """AwsError when the presigned request's time has passed, has not come, or is no time."""
    query = claim.query
    if query is None:
        return
    if claim.form is Form.OLD_QUERY:
        _check_old(query.get("Expires", ""), now)
        return
    if service == "s3" and not query.keys() >= _NEEDED:
        raise _bad_query(_INCOMPLETE)
    signed = amz_time(query.get("X-Amz-Date", ""))
    if signed is None:
        raise _bad_query("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    lifetime = _lifetime(query.get("X-Amz-Expires"))
    if service != "s3":
        if now > signed + lifetime:
            raise AwsError(
                "SignatureDoesNotMatch",
                f"Signature expired: {amz_format(signed)} is now earlier than "
                f"{amz_format(now - lifetime)} ({amz_format(now)} - {int(lifetime // 60)} min.)",
                403,
            )
        return
    if now > signed + lifetime:
        raise AwsError(
            "AccessDenied",
            "Request has expired",
            403,
            {
                "X-Amz-Expires": str(int(lifetime)),
                "Expires": iso(signed + lifetime),
                "ServerTime": iso(now),
            },
        )
    if signed > now + _SKEW:
        raise AwsError(
            "AccessDenied",
            "Request is not valid yet",
            403,
            {"X-Amz-Date": query["X-Amz-Date"], "ServerTime": iso(now)},
        )


def _lifetime(text: str | None) -> float:
    if text is None:
        return _SKEW
    try:
        seconds = int(text)
    except ValueError:
        raise _bad_query("X-Amz-Expires should be a number") from None
    if seconds < 0:
        raise _bad_query("X-Amz-Expires must be non-negative")
    if seconds > _WEEK:
        raise _bad_query(
            f"X-Amz-Expires must be less than a week (in seconds); that is, the given "
            f"X-Amz-Expires must be less than {_WEEK} seconds"
        )
    return seconds


def _check_old(text: str, now: float) -> None:
    if not (text.isdecimal() and len(text) < 12):
        raise AwsError("AccessDenied", "Invalid date (should be seconds since epoch): " + text, 403)
    if now > int(text):
        raise AwsError(
            "AccessDenied",
            "Request has expired",
            403,
            {"Expires": iso(int(text)), "ServerTime": iso(now)},
        )


def _bad_query(message: str) -> AwsError:
    return AwsError("AuthorizationQueryParametersError", message, 400)
