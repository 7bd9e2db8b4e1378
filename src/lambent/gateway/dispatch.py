"""One request, top to bottom: identify, authenticate, authorise, parse, call, serialise.

Every error leaves through one place, in the wire form of the service that was asked.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from typing import Final, Protocol

from lambent.core.clock import Clock
from lambent.core.context import RequestContext
from lambent.core.errors import AwsError, StoreUnavailable
from lambent.core.ids import Ids
from lambent.core.registry import Registry
from lambent.core.streams import Body
from lambent.core.web import PREFIX
from lambent.gateway import claim as claims
from lambent.gateway import cross_origin, digests, failures, identify, packed
from lambent.gateway.authenticate import Authenticator, Identity
from lambent.gateway.body import BytesBody
from lambent.gateway.complaints import Complaints
from lambent.gateway.internal import InternalRoutes
from lambent.gateway.payload import HashedBody, check_hash, is_chunked, plain_headers, unchunked
from lambent.gateway.request import Request
from lambent.gateway.requests import Requests
from lambent.gateway.sites import Sites
from lambent.protocol.contract import (
    OperationCodec,
    ServiceCodec,
    WireRequest,
    WireResponse,
)

_log = logging.getLogger("lambent.gateway")
_access = logging.getLogger("lambent.access")

MAX_BODY: Final = 20 * 1024 * 1024
"""Bytes of a body that is not streamed; every operation's own limit lies below. Parsing one
takes the node's only thread, so it is kept to a fraction of a second."""

_LARGER: Final = {"lambda": 128 * 1024 * 1024}
"""Where archives come inside of documents."""

_CBOR: Final = "smithy-rpc-v2-cbor"


_ALSO_QUERY: Final = frozenset({"sqs", "cloudwatch"})
"""Services whose older query protocol is still spoken beside the one with a target header."""


class Codecs(Protocol):
    """The wire forms of the services that AWS has."""

    def service(self, name: str, protocol: str | None = None) -> ServiceCodec:
        """The codec of the service of that botocore name, in one of its protocols (None: the
        preferred one). KeyError when there is none."""
        ...


_ANYONE: Final = Identity("", "", "", "")
"""Who asks what needs no credentials."""

Authorize = Callable[[Identity, str, str], None]
"""Identity, service, operation: raises AwsError when it may not."""


class Dispatcher:
    """Answers requests with the operations of a node."""

    def __init__(
        self,
        registry: Registry,
        codecs: Codecs,
        authenticator: Authenticator,
        authorize: Authorize,
        internal: InternalRoutes,
        sites: Sites,
        clock: Clock,
        ids: Ids,
        requests: Requests,
    ) -> None:
        self._requests = requests
        self._registry = registry
        self._codecs = codecs
        self._authenticator = authenticator
        self._authorize = authorize
        self._internal = internal
        self._sites = sites
        self._clock = clock
        self._complaints = Complaints(clock)
        self._ids = ids
        self._endpoints: dict[str, str] = {}

    async def __call__(self, request: Request) -> WireResponse:
        """The response, whatever happens."""
        now = self._clock.now()
        began = self._clock.monotonic()
        service = operation = "-"
        site = self._sites.find(request)
        if site is not None:
            response = await self._sites.answer(request, now, site)
        elif request.path.startswith(PREFIX):
            response = await self._internal.answer(request, now)
        else:
            response, service, operation = await self._answer(request, now)
            seconds = self._clock.monotonic() - began
            self._requests.answered(service, operation, response.status, seconds)
            if service == "s3" and "origin" in request.headers:
                response = await cross_origin.shared(self._registry, request, response, now)
        if _access.isEnabledFor(logging.DEBUG):
            _access.debug(
                "%s %s %d %s %s %.1fms",
                request.method,
                request.path,
                response.status,
                service,
                operation,
                (self._clock.now() - now) * 1000,
            )
        return response

    async def _answer(self, request: Request, now: float) -> tuple[WireResponse, str, str]:
        headers = request.headers
        claim = claims.read(headers, request.query)
        service = identify.service(headers, request.path, request.query, claim)
        if service is None:
            service = await _told_by_form(request)
        request_id = self._ids.hex(16).upper() if service == "s3" else self._ids.uuid()
        operation: OperationCodec | None = None
        codec = self._codec(service, request)
        if codec is None:
            codec = self._codecs.service("s3")
            error = failures.no_service(service)
        else:
            try:
                wire = self._addressed(request, service)
                target = headers.get("x-amz-target")
                if target is not None:
                    operation = codec.operation(target.rpartition(".")[2])
                    if operation is None:
                        raise failures.unknown_operation(target)
                else:
                    operation = await self._operation(request, wire, service, codec)
                implementation = self._registry.operation(service, operation.name)
                if implementation is None:
                    raise failures.not_implemented(service, operation.name)
                identity = _ANYONE
                if operation.name not in cross_origin.OPEN:
                    identity = await self._authenticator.authenticate(request, claim, service, now)
                    self._authorize(identity, service, operation.name)
                # A body that arrived while the operation was looked for is not in `wire` yet.
                arrived = wire.body is request.body
                if operation.streaming_input or not (arrived and _is_plain(request, identity)):
                    wire = await self._payload(wire, request, service, operation, identity)
                context = RequestContext(
                    identity.account,
                    identity.region,
                    request_id,
                    now,
                    self._endpoint(headers.get("host", ""), service),
                    identity.principal,
                    identity.access_key,
                    _trace(headers.get("x-amzn-trace-id")),
                    wire.headers,
                    identity.user_id,
                    request.client,
                )
                if service == "s3" and isinstance(wire.body, bytes) and wire.body:
                    digests.check(operation.name, wire.headers, wire.body)
                params = operation.parse(wire)
                request.abandonable = getattr(implementation, "abandonable", False)
                result = await implementation(context, params)
                return operation.serialize(result, request_id), service, operation.name
            except AwsError as raised:
                error = raised
            except StoreUnavailable as raised:
                self._complaints.store_unavailable(service, request_id, raised)
                error = failures.unavailable(service)
            except Exception:
                _log.exception(
                    "%s %s failed (request %s)",
                    service,
                    operation.name if operation else request.method,
                    request_id,
                )
                error = failures.internal(service)
        response = codec.serialize_error(error, request_id, operation)
        return response, service, operation.name if operation else "-"

    def _codec(self, service: str, request: Request) -> ServiceCodec | None:
        """The wire form that the request speaks; None for a service that AWS does not have."""
        try:
            if request.headers.get("smithy-protocol") == "rpc-v2-cbor":
                return self._codecs.service(service, _CBOR)
            if service in _ALSO_QUERY and "x-amz-target" not in request.headers:
                return self._codecs.service(service, "query")
            return self._codecs.service(service)
        except KeyError:
            return None

    def _addressed(self, request: Request, service: str) -> WireRequest:
        """The request with S3's virtual-host form turned into path style."""
        path = request.path
        if service == "s3":
            bucket = identify.bucket_of(request.headers.get("host", ""))
            if bucket is not None:
                path = f"/{bucket}{path}"
        body = request.body
        return WireRequest(
            request.method,
            path,
            request.query,
            request.headers,
            body if isinstance(body, bytes) else b"",
        )

    async def _operation(
        self, request: Request, wire: WireRequest, service: str, codec: ServiceCodec
    ) -> OperationCodec:
        """The operation that a request without a target names; AwsError when there is none."""
        found = codec.route(wire)
        if found is not None and not identify.is_stray(found.name, wire.query):
            return found
        form = wire.query.encode("latin-1")
        action = identify.parameter("Action", form)
        if action is None and service == "s3":
            raise failures.no_such_method(request.method, wire.path)
        if action is None:
            form = await _complete(request, service)
            action = identify.parameter("Action", form)
        if action is None:
            raise failures.unknown_operation(None)
        found = codec.operation(action)
        if found is None:
            raise failures.unknown_action(service, action, identify.parameter("Version", form))
        return found

    async def _payload(
        self,
        wire: WireRequest,
        request: Request,
        service: str,
        operation: OperationCodec,
        identity: Identity,
    ) -> WireRequest:
        """The request with the body as the operation takes it, decoded."""
        headers = request.headers
        body: bytes | Body = request.body
        if is_chunked(headers):
            body = unchunked(headers, body, identity.chunks)
            headers = plain_headers(headers)
        elif identity.content_sha256 is not None:
            if isinstance(body, bytes):
                check_hash(identity.content_sha256, hashlib.sha256(body).hexdigest())
            else:
                body = HashedBody(body, identity.content_sha256)
        if operation.streaming_input:
            if isinstance(body, bytes):
                body = BytesBody(body)
        else:
            if not isinstance(body, bytes):
                body = await _whole(body, service)
            if packed.is_packed(headers, service):
                body = _unpacked(body, service)
        return WireRequest(wire.method, wire.path, wire.query, headers, body)

    def _endpoint(self, host: str, service: str) -> str:
        """The node's base URL as the client reached it."""
        known = self._endpoints.get(host)
        if known is None:
            bucket = identify.bucket_of(host) if service == "s3" else None
            known = "http://" + (host[len(bucket) + 1 :] if bucket else host)
            if len(self._endpoints) >= 1024:
                self._endpoints.clear()
            self._endpoints[host] = known
        return known


def _trace(header: str | None) -> str | None:
    """The trace header as it was before botocore quoted it, with what parts functions in its
    Lineage: without that a circle of several functions is never seen."""
    return header if header is None else header.replace("%7C", "|")


def _is_plain(request: Request, identity: Identity) -> bool:
    """Whether the body is what it is, without any framing, packing or hash."""
    headers = request.headers
    return (
        identity.content_sha256 is None
        and isinstance(request.body, bytes)
        and "content-encoding" not in headers
        and not is_chunked(headers)
    )


async def _told_by_form(request: Request) -> str:
    """The service that a posted form names; S3 when it names none or does not arrive."""
    try:
        return identify.from_form(request.path, await _complete(request, "")) or "s3"
    except AwsError:
        return "s3"


async def _complete(request: Request, service: str) -> bytes:
    """The whole body, unpacked; the request keeps it as it came."""
    if not isinstance(request.body, bytes):
        request.body = await _whole(request.body, service)
    if packed.is_packed(request.headers, service):
        return _unpacked(request.body, service)
    return request.body


async def _whole(body: Body, service: str) -> bytes:
    limit = _LARGER.get(service, MAX_BODY)
    try:
        return await body.read(limit)
    except AwsError as error:
        if error.code == "EntityTooLarge":
            raise failures.too_large(service, limit) from None
        raise


def _unpacked(body: bytes, service: str) -> bytes:
    limit = _LARGER.get(service, MAX_BODY)
    data = packed.unpacked(body, limit)
    if data is None:
        raise failures.too_large(service, limit)
    return data
