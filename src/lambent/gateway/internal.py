"""Lambent's own API under `/_lambent/`: a small router for JSON answers.

`GET /_lambent/health` is open to all; every other route is for administrators in server
mode, who sign their requests, unless it says that any principal of an account may call it;
one with a token of its own takes that too, from clients that cannot sign. `app.py` and the
services contribute the routes.
"""

from __future__ import annotations

import hmac
import json
import logging
from typing import Any, Final
from urllib.parse import parse_qsl

from lambent.core.context import RequestContext
from lambent.core.errors import AwsError, StoreUnavailable
from lambent.core.ids import Ids
from lambent.core.web import PREFIX, Asked, Document, Route
from lambent.gateway import claim as claims
from lambent.gateway import failures
from lambent.gateway.authenticate import Authenticator
from lambent.gateway.body import IncomingBody
from lambent.gateway.request import Request
from lambent.protocol.contract import WireResponse

_log = logging.getLogger("lambent.gateway")

SERVICE: Final = "lambent"
"""The signing name of this API."""

_MAX_BODY: Final = 128 * 1024 * 1024


class InternalRoutes:
    """Routes by path. One that ends in `/` takes every path below it."""

    def __init__(self, authenticator: Authenticator, ids: Ids, administrators_only: bool) -> None:
        self._authenticator = authenticator
        self._ids = ids
        self._administrators_only = administrators_only
        self._exact: dict[str, Route] = {}
        self._below: dict[str, Route] = {}
        self._open: set[str] = set()
        self._for_principals: set[str] = set()
        self._tokens: dict[str, str] = {}

    def add(
        self,
        path: str,
        route: Route,
        *,
        open_to_all: bool = False,
        principals: bool = False,
        token: str | None = None,
    ) -> None:
        """Serve a path (without the prefix): to administrators, with `principals` to whoever
        signs, with `token` also to its bearer."""
        whole = PREFIX + path
        (self._below if path.endswith("/") else self._exact)[whole] = route
        if open_to_all:
            self._open.add(whole)
        if principals:
            self._for_principals.add(whole)
        if token is not None:
            self._tokens[whole] = token

    async def answer(self, request: Request, now: float) -> WireResponse:
        """The response, whatever happens."""
        request_id = self._ids.uuid()
        try:
            status, value = await self._route(request, now, request_id)
        except AwsError as error:
            status, value = error.status or 400, {"code": error.code, "message": error.message}
        except StoreUnavailable:
            unavailable = failures.unavailable(SERVICE)
            status, value = 503, {"code": unavailable.code, "message": unavailable.message}
        except Exception:
            _log.exception("%s %s failed (request %s)", request.method, request.path, request_id)
            internal = failures.internal(SERVICE)
            status, value = 500, {"code": internal.code, "message": internal.message}
        if isinstance(value, Document):
            kind, body = value.kind, value.body
        elif isinstance(value, bytes):
            kind, body = "application/octet-stream", value
        else:
            kind, body = "application/json", json.dumps(value, default=str).encode()
        headers = (("Content-Type", kind), ("x-amzn-RequestId", request_id))
        return WireResponse(status, headers, body)

    async def _route(self, request: Request, now: float, request_id: str) -> tuple[int, Any]:
        path = request.path
        served = path
        route = self._exact.get(path)
        if route is None:
            beginnings = (path[: i + 1] for i in range(len(path) - 1, 0, -1) if path[i] == "/")
            served = next((b for b in beginnings if b in self._below), path)
            route = self._below.get(served)
        if route is not None and (served in self._open or self._bears(served, request)):
            context = RequestContext("", "", request_id, now, "", headers=request.headers)
            return await route(Asked(context, request.method, path, {}, b""))
        claim = claims.read(request.headers, request.query)
        identity = await self._authenticator.authenticate(request, claim, SERVICE, now)
        restricted = self._administrators_only and served not in self._for_principals
        if restricted and not identity.principal.endswith(":root"):
            raise AwsError("AccessDenied", "Only an administrator may do this.", 403)
        if route is None:
            raise AwsError("NotFound", f"There is nothing at {path}.", 404)
        body = request.body
        if isinstance(body, IncomingBody):
            body = await body.read(_MAX_BODY)
        context = RequestContext(
            identity.account,
            identity.region,
            request_id,
            now,
            "http://" + request.headers.get("host", ""),
            identity.principal,
            identity.access_key,
            None,
            request.headers,
        )
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        return await route(Asked(context, request.method, path, query, body))

    def _bears(self, served: str, request: Request) -> bool:
        """Whether the request carries the route's own token."""
        token = self._tokens.get(served)
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if token is None or kind.lower() != "bearer":
            return False
        return hmac.compare_digest(given.strip().encode(), token.encode())
