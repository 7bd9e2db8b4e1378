"""CORS headers on S3's answers to pages of other origins.

Whether there are any is the bucket's CORS configuration's to say, which the service knows;
that every answer carries them, errors too, is seen to here.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

import msgspec

from lambent.core.context import RequestContext
from lambent.core.errors import StoreUnavailable
from lambent.core.registry import Registry
from lambent.gateway.identify import bucket_of
from lambent.gateway.request import Request
from lambent.protocol.contract import WireResponse

OPEN: Final = frozenset({"PreflightBucket", "PreflightObject"})
"""Operations that a browser asks without credentials, and may."""

_HEADERS: Final = {
    "AllowOrigin": "Access-Control-Allow-Origin",
    "AllowMethods": "Access-Control-Allow-Methods",
    "ExposeHeaders": "Access-Control-Expose-Headers",
    "MaxAge": "Access-Control-Max-Age",
    "AllowCredentials": "Access-Control-Allow-Credentials",
    "Vary": "Vary",
}


async def shared(
    registry: Registry, request: Request, response: WireResponse, now: float
) -> WireResponse:
    """The response with the CORS headers that its bucket allows it."""
    origin = request.headers.get("origin")
    named = request.path.lstrip("/").partition("/")[0]
    bucket = bucket_of(request.headers.get("host", "")) or unquote(named)
    if origin is None or not bucket or request.method == "OPTIONS":
        return response
    if registry.operation("s3", "CorsHeaders") is None:
        return response
    try:
        allowed = await registry.call(
            RequestContext("", "", "", now, ""),
            "s3",
            "CorsHeaders",
            {"Bucket": bucket, "Origin": origin, "Method": request.method},
        )
    except StoreUnavailable:
        return response
    added = [(_HEADERS[name], str(value)) for name, value in allowed.items()]
    return msgspec.structs.replace(response, headers=[*response.headers, *added])
