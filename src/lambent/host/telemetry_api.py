"""The Lambda Telemetry API (2022-07-01) and its older form, the Logs API (2020-08-15).

Owns subscription requests: what is valid, who may subscribe and when. Delivery is
`telemetry`'s. Source: Lambda Developer Guide, "Lambda Telemetry API reference" and "Lambda
Logs API"; the limits and messages are those of the subscription's validation there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from lambent.core.clock import Clock
from lambent.host import report
from lambent.host.extensions_api import Extensions, known
from lambent.host.journal import Journal
from lambent.host.telemetry import Delivery, Destination, Reach, Subscription
from lambent.host.wire import Connection, Request, Streaming

TELEMETRY = b"/2022-07-01/telemetry"
LOGS = b"/2020-08-15/logs"
_TYPES = ("platform", "function", "extension")
_SCHEMAS = {
    "Telemetry": ("2022-07-01", "2022-12-13", "2025-01-29"),
    "Logs": ("2020-08-15", "2021-03-18"),
}
_HOSTS = ("sandbox.localdomain", "sandbox.local", "sandbox")
_RESERVED_PORT = 9001
_BUFFERING = {
    "maxItems": (1_000, 10_000, 10_000),
    "maxBytes": (262_144, 1_048_576, 262_144),
    "timeoutMs": (25, 30_000, 1_000),
}
"""Least, most, and what counts when nothing is said."""


class Invalid(Exception):
    """Why a subscription is refused."""


@dataclass(slots=True)
class _Subscribed:
    api: str
    delivery: Delivery


class TelemetryApi:
    """The subscriptions of one environment (a `wire.Handler`). `sent` is called when a
    subscriber has everything."""

    def __init__(
        self,
        extensions: Extensions,
        journal: Journal,
        clock: Clock,
        reach: Reach,
        sent: Callable[[], None],
    ) -> None:
        self._reach = reach
        self._sent = sent
        self.closed = False
        """Whether the initialisation is over: nobody subscribes any more."""
        self._extensions = extensions
        self._journal = journal
        self._clock = clock
        self._subscribed: dict[str, _Subscribed] = {}

    def flush(self) -> None:
        """Deliver what waits, without waiting for more."""
        for each in self._subscribed.values():
            each.delivery.flush()

    @property
    def has_subscribers(self) -> bool:
        """Whether there is anyone to deliver to."""
        return bool(self._subscribed)

    @property
    def idle(self) -> bool:
        """Whether everything was taken."""
        return all(each.delivery.idle for each in self._subscribed.values())

    async def close(self) -> None:
        """Deliver no more."""
        for each in self._subscribed.values():
            await each.delivery.close()

    def request(self, connection: Connection, request: Request) -> None:
        api = "Telemetry" if request.path.startswith(TELEMETRY) else "Logs"
        if request.path.rstrip(b"/") not in (TELEMETRY, LOGS):
            connection.not_found()
            return
        if request.method != b"PUT":
            connection.refuse(405, "MethodNotAllowed", "Method Not Allowed")
            return
        extension = known(self._extensions, connection, request)
        if extension is None:
            return
        if self.closed:
            message = f"{api} API subscription is closed already"
            connection.refuse(403, f"{api}.SubscriptionClosed", message)
            return
        before = self._subscribed.get(extension.id)
        try:
            if before is not None and before.api != api:
                raise Invalid(f"the extension is subscribed to the {before.api} API already")
            subscription = subscription_of(request.body, api)
        except Invalid as error:
            connection.refuse(400, f"{api}.ValidationError", str(error))
            return
        connection.respond(200, b'"OK"')
        if before is not None:
            return
        delivery = Delivery(subscription, self._clock, self._reach, self._sent)
        self._subscribed[extension.id] = _Subscribed(api, delivery)
        types = subscription.types
        self._journal.platform(
            f"platform.{api.lower()}Subscription",
            {"name": extension.name, "state": "Subscribed", "types": list(types)},
            report.subscription(api.upper(), extension.name, types),
        )
        self._journal.subscribe(delivery)

    def streaming(self, connection: Connection, request: Request) -> Streaming | None:
        return None

    def dropped(self, connection: Connection) -> None:
        return


def subscription_of(body: bytes | None, api: str) -> Subscription:
    """What a request asks for. `Invalid`, naming everything that is wrong."""
    try:
        value = json.loads(body or b"")
    except ValueError:
        raise Invalid("The request body is not JSON") from None
    if not isinstance(value, dict):
        raise Invalid("The request body is no JSON object")
    wrong: list[str] = []
    destination = _destination(value.get("destination"), wrong)
    types = value.get("types")
    if not isinstance(types, list) or not types:
        wrong.append("types should not be empty")
        types = []
    wrong += [f"unknown type {each}" for each in types if each not in _TYPES]
    schemas = _SCHEMAS[api]
    schema = value.get("schemaVersion", schemas[0])
    if schema not in schemas:
        wrong.append(f"schemaVersion should be one of {', '.join(schemas)}")
    numbers = _numbers(value.get("buffering") or {}, wrong)
    if wrong:
        raise Invalid("; ".join(wrong))
    assert destination is not None
    chosen = tuple(each for each in _TYPES if each in types)
    return Subscription(
        chosen,
        schema,
        destination,
        numbers["maxItems"],
        numbers["maxBytes"],
        numbers["timeoutMs"] / 1000,
    )


def _numbers(buffering: Any, wrong: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    if not isinstance(buffering, Mapping):
        wrong.append("buffering should be an object")
        buffering = {}
    for name, (least, most, otherwise) in _BUFFERING.items():
        value = buffering.get(name, otherwise)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            wrong.append(f"buffering.{name} should be between {least} and {most}")
            value = otherwise
        found[name] = value
    return found


def _destination(value: Any, wrong: list[str]) -> Destination | None:
    if not isinstance(value, Mapping):
        wrong.append("destination should be an object")
        return None
    protocol = value.get("protocol")
    if protocol == "TCP":
        port = value.get("port")
        if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
            wrong.append("port is not provided")
            return None
        return _unreserved(Destination("TCP", port), wrong)
    if protocol != "HTTP":
        wrong.append("protocol should be HTTP or TCP")
        return None
    method = value.get("method", "POST")
    if method not in ("POST", "PUT"):
        wrong.append("method should be POST or PUT")
        return None
    try:
        uri = urlsplit(str(value.get("URI", "")))
        port = uri.port
    except ValueError:
        wrong.append("URI is invalid")
        return None
    if uri.scheme != "http":
        wrong.append("URI scheme should be http")
    elif uri.hostname not in _HOSTS:
        wrong.append(f"URI host should be {_HOSTS[0]}")
    elif not port:
        wrong.append("URI port is not provided")
    else:
        path = (uri.path or "/") + (f"?{uri.query}" if uri.query else "")
        return _unreserved(Destination("HTTP", port, path, method), wrong)
    return None


def _unreserved(destination: Destination, wrong: list[str]) -> Destination:
    if destination.port == _RESERVED_PORT:
        wrong.append(f"port {_RESERVED_PORT} is reserved")
    return destination
