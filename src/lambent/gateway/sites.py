"""Plain HTTP for the services that answer it: found by host or path, signer on demand."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Final

from lambent.core.errors import AwsError, StoreUnavailable
from lambent.core.ids import Ids
from lambent.core.web import PREFIX, Caller, Site, WebRequest
from lambent.gateway import claim as claims
from lambent.gateway.authenticate import Authenticator
from lambent.gateway.claim import Form
from lambent.gateway.request import Request
from lambent.protocol.contract import WireResponse

_log = logging.getLogger("lambent.gateway")
_WEBSITE: Final = "s3-website"
_JSON: Final = (("Content-Type", "application/json"),)


@lru_cache(maxsize=4096)
def labels_of(host: str) -> tuple[str, str] | None:
    """The id and the label of a host `ID.LABEL.REGION.…`; None for shorter names.

    S3's websites have `ID.s3-website-REGION.…` too, and `ID.s3-website.localhost` serves all
    regions; the id may have dots.
    """
    name = host.lower()
    bucket, found, _ = name.partition(f".{_WEBSITE}")
    if found and bucket:
        return bucket, _WEBSITE
    parts = name.split(".", 3)
    return (parts[0], parts[1]) if len(parts) == 4 else None


Found = tuple[str, Site, str, str]
"""What requests are signed for, the site, the id that is asked for and the path there."""


class Sites:
    """Every service's site."""

    def __init__(self, authenticator: Authenticator, ids: Ids) -> None:
        self._authenticator = authenticator
        self._ids = ids
        self._by_label: dict[str, tuple[str, Site]] = {}
        self._by_path: list[tuple[str, str, Site]] = []

    def add(self, service: str, site: Site) -> None:
        """Answer for a service; `service` is what requests are signed for."""
        self._by_label[site.label] = (service, site)
        self._by_path.append((f"{PREFIX}{site.path}/", service, site))

    def find(self, request: Request) -> Found | None:
        """The site that the request is for; None when it is for none."""
        path = request.path
        if path.startswith(PREFIX):
            for beginning, service, site in self._by_path:
                if path.startswith(beginning):
                    id, _, rest = path[len(beginning) :].partition("/")
                    return service, site, id, f"/{rest}"
            return None
        named = labels_of(request.headers.get("host", ""))
        found = self._by_label.get(named[1]) if named is not None else None
        return (*found, named[0], path) if named is not None and found is not None else None

    async def answer(self, request: Request, now: float, found: Found) -> WireResponse:
        """The response of the site that `find` found."""
        service, site, id, path = found
        request_id = self._ids.uuid()
        try:
            body = await _body(request, site.limit)
            if body is None:
                answer = site.too_large()
            else:
                asked = WebRequest(
                    id,
                    request.method,
                    path,
                    request.query,
                    request.headers,
                    body,
                    request_id,
                    now,
                    request.client,
                    request.headers.get("host", ""),
                    lambda: self._sign_in(request, service, now),
                )
                answer = await site.answer(asked)
        except StoreUnavailable:
            return WireResponse(503, _JSON, b'{"Message":"Service Unavailable"}')
        except AwsError as error:
            return WireResponse(error.status or 400, _JSON, b'{"Message":"Bad Request"}')
        except Exception:
            _log.exception("%s %s failed (request %s)", request.method, request.path, request_id)
            return WireResponse(500, _JSON, b'{"Message":"Internal Server Error"}')
        headers = [*answer.headers, ("x-amzn-RequestId", request_id)]
        return WireResponse(answer.status, headers, answer.body)

    async def _sign_in(self, request: Request, service: str, now: float) -> Caller | None:
        claim = claims.read(request.headers, request.query)
        if claim.form is Form.NONE:
            return None
        identity = await self._authenticator.authenticate(request, claim, service, now)
        return Caller(identity.account, identity.principal, identity.access_key)


async def _body(request: Request, limit: int) -> bytes | None:
    """The whole body, which the request keeps; None when it is longer than `limit`."""
    if not isinstance(request.body, bytes):
        try:
            request.body = await request.body.read(limit)
        except AwsError as error:
            if error.code == "EntityTooLarge":
                return None
            raise
    return request.body if len(request.body) <= limit else None
