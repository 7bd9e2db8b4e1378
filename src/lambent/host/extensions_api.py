"""The Lambda Extensions API (2020-01-01) of one environment.

Each extension:

    registered ── next ──▶ waiting ── event ──▶ busy ── next ──▶ waiting …
         └────────── init/error | exit/error ──▶ failed

External extensions are programs in /opt/extensions, expected by name before the runtime
starts; whatever else registers is internal, a part of the runtime's process, and may do so
until the runtime asks for its first invocation. Source: Lambda Developer Guide, "Using the
Lambda Extensions API to create extensions". Knows requests and nothing of processes.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambent.core.ids import Ids
from lambent.host.contract import FunctionSpec
from lambent.host.report import Fault
from lambent.host.wire import Connection, Request, Streaming

PREFIX = b"/2020-01-01/extension/"
MOST = 10
"""Extensions that may register."""
_NAME = b"lambda-extension-name"
_IDENTIFIER = b"lambda-extension-identifier"
_ERROR_TYPE = b"lambda-extension-function-error-type"
_FEATURES = b"lambda-extension-accept-feature"
_EVENTS = ("INVOKE", "SHUTDOWN")


class State(enum.Enum):
    """Where an extension stands, as its EXTENSION line says it."""

    STARTED = "Started"
    REGISTERED = "Registered"
    WAITING = "Ready"
    BUSY = "Running"
    FAILED = "Failed"


@dataclass(slots=True)
class Extension:
    """One extension; `id` is "" until it registers."""

    name: str
    external: bool
    state: State = State.STARTED
    id: str = ""
    events: tuple[str, ...] = ()
    waiting: Connection | None = None
    pending: bytes | None = field(default=None, repr=False)
    error_type: str = ""
    failed_as: str = ""
    """How its EXTENSION line names the failure."""


class Extensions:
    """The extensions of one environment (a `wire.Handler`). `changed` is called when one of
    them registered, asked for its next event, or failed."""

    def __init__(
        self, spec: FunctionSpec, ids: Ids, external: Iterable[str], changed: Callable[[], None]
    ) -> None:
        self._spec = spec
        self._ids = ids
        self._changed = changed
        self._by_id: dict[str, Extension] = {}
        self.all = [Extension(name, external=True) for name in external]
        self.fault: Fault | None = None
        self.closed = False
        """Whether the runtime is past its initialisation: nobody registers any more."""

    # What the environment asks -------------------------------------------------------------

    @property
    def all_registered(self) -> bool:
        """Whether every external one has registered."""
        return all(each.state is not State.STARTED for each in self.all)

    @property
    def settled(self) -> bool:
        """Whether every one waits for its next event."""
        return not self.all or all(each.state is State.WAITING for each in self.all)

    @property
    def any_external(self) -> bool:
        """Whether there are programs beside the runtime."""
        return any(each.external for each in self.all)

    def find(self, identifier: str | None) -> Extension | None:
        """The extension with this identifier."""
        return self._by_id.get(identifier or "")

    def invoke(self, request_id: str, arn: str, deadline_ms: int, trace: str) -> None:
        """An invocation begins: tell those who want to know."""
        event = {
            "eventType": "INVOKE",
            "deadlineMs": deadline_ms,
            "requestId": request_id,
            "invokedFunctionArn": arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": trace},
        }
        self._send("INVOKE", event)

    def shut_down(self, reason: str, deadline_ms: int) -> set[str]:
        """The environment ends; the names of those that were told."""
        event = {"eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": deadline_ms}
        return self._send("SHUTDOWN", event)

    def exited(self, name: str, how: str) -> None:
        """An external one's process ended by itself."""
        self._fail_named(name, Fault("Extension.Crash", how))

    def could_not_start(self, name: str, reason: str) -> None:
        """An external one's program is none."""
        fault = Fault("Extension.LaunchError", f"fork/exec /opt/extensions/{name}: {reason}")
        kinds = {"permission denied": "PermissionDenied"}
        self._fail_named(name, fault, kinds.get(reason, "UnknownError"))

    def _fail_named(self, name: str, fault: Fault, error_type: str = "") -> None:
        for each in self.all:
            if each.external and each.name == name:
                self._fail(each, fault, error_type or fault.type)

    def _fail(self, extension: Extension, fault: Fault, error_type: str) -> None:
        extension.failed_as = fault.type.removeprefix("Extension.")
        if extension.failed_as == "Crash":
            extension.failed_as = extension.state.value
        extension.state, extension.error_type = State.FAILED, error_type
        self.fault = self.fault or fault
        self._changed()

    def _send(self, kind: str, event: Mapping[str, Any]) -> set[str]:
        body = json.dumps(event, separators=(",", ":")).encode()
        told: set[str] = set()
        for each in self.all:
            if kind in each.events and each.state is State.WAITING:
                each.state, each.pending = State.BUSY, body
                self._give(each)
                told.add(each.name)
        return told

    def _give(self, extension: Extension) -> None:
        """Hand over the pending event, if its connection is there."""
        waiting, body = extension.waiting, extension.pending
        if waiting is not None and body is not None:
            extension.waiting = extension.pending = None
            waiting.respond(200, body, f"Lambda-Extension-Event-Identifier: {self._ids.uuid()}\r\n")

    # Handler -------------------------------------------------------------------------------

    def request(self, connection: Connection, request: Request) -> None:
        action = (request.method, request.path[len(PREFIX) :].rstrip(b"/"))
        if action == (b"POST", b"register"):
            self._register(connection, request)
        elif action == (b"GET", b"event/next"):
            self._next(connection, request)
        elif action in ((b"POST", b"init/error"), (b"POST", b"exit/error")):
            self._error(connection, request, "Init" if action[1] == b"init/error" else "Exit")
        else:
            connection.not_found()

    def streaming(self, connection: Connection, request: Request) -> Streaming | None:
        return None

    def dropped(self, connection: Connection) -> None:
        for each in self.all:
            if each.waiting is connection:
                each.waiting = None  # it asks again, or its process ends

    def _register(self, connection: Connection, request: Request) -> None:
        name = request.header(_NAME)
        if not name:
            connection.refuse(403, "Extension.InvalidExtensionName", "Empty extension name")
            return
        events = _wanted(request.body)
        if events is None:
            connection.refuse(400, "InvalidRequestFormat", "Could not parse events")
            return
        extension = next((each for each in self.all if each.name == name), None)
        if extension is not None and extension.state is not State.STARTED:
            self._refuse_state(connection, extension, "Registered")
            return
        unknown = [event for event in events if event not in _EVENTS]
        if extension is None and "SHUTDOWN" in events:
            unknown = ["SHUTDOWN"]  # internal ones end with the runtime
        if unknown:
            message = f"{unknown[0]}: invalid event type"
            connection.refuse(403, "Extension.InvalidEventType", message)
            return
        if extension is None:
            if self.closed:
                message = "Extension registration closed already"
                connection.refuse(403, "Extension.RegistrationClosed", message)
                return
            if len(self.all) >= MOST:
                message = f"Extension limit ({MOST}) reached"
                connection.refuse(403, "Extension.TooManyExtensions", message)
                return
            extension = Extension(name, external=False)
            self.all.append(extension)
        extension.id, extension.events = self._ids.uuid(), events
        extension.state = State.REGISTERED
        self._by_id[extension.id] = extension
        shown = {
            "functionName": self._spec.name,
            "functionVersion": self._spec.version,
            "handler": self._spec.handler,
        }
        features = (request.header(_FEATURES) or "").split(",")
        if "accountId" in [feature.strip() for feature in features]:
            shown["accountId"] = self._spec.account
        body = json.dumps(shown, separators=(",", ":")).encode()
        connection.respond(200, body, f"Lambda-Extension-Identifier: {extension.id}\r\n")
        self._changed()

    def _next(self, connection: Connection, request: Request) -> None:
        extension = known(self, connection, request)
        if extension is None:
            return
        if extension.state is State.FAILED:
            self._refuse_state(connection, extension, "Ready")
            return
        extension.waiting = connection
        if extension.pending is not None:
            self._give(extension)
            return
        extension.state = State.WAITING
        self._changed()

    def _error(self, connection: Connection, request: Request, phase: str) -> None:
        extension = known(self, connection, request)
        if extension is None:
            return
        told = request.header(_ERROR_TYPE)
        if not told:
            message = f"{_ERROR_TYPE.decode().title()} not found"
            connection.refuse(403, "Extension.MissingHeader", message)
            return
        if phase == "Init" and extension.state is not State.REGISTERED:
            self._refuse_state(connection, extension, "InitError")
            return
        connection.accept()
        self._fail(extension, Fault(f"Extension.{phase}Error", _message(request.body, told)), told)

    def _refuse_state(self, connection: Connection, extension: Extension, to: str) -> None:
        message = (
            f"State transition from {extension.state.value} to {to} failed for extension "
            f"{extension.name}. Error: State transition is not allowed"
        )
        connection.refuse(403, "Extension.InvalidExtensionState", message)


def known(extensions: Extensions, connection: Connection, request: Request) -> Extension | None:
    """The extension that a request names; None when it was refused for that."""
    identifier = request.header(_IDENTIFIER)
    extension = extensions.find(identifier)
    if extension is None:
        if not identifier:
            message = "Missing Lambda-Extension-Identifier header"
            connection.refuse(403, "Extension.MissingExtensionIdentifier", message)
        else:
            connection.refuse(
                403, "Extension.UnknownExtensionIdentifier", f"Unknown extension {identifier}"
            )
    return extension


def _wanted(body: bytes | None) -> tuple[str, ...] | None:
    """The events in a registration; None when it cannot be read."""
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        return None
    events = value.get("events") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(events, list | None):
        return None
    if not all(isinstance(event, str) for event in events or ()):
        return None
    return tuple(dict.fromkeys(events or ()))


def _message(body: bytes | None, told: str) -> str:
    """What an extension says of its error."""
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        return told
    message = value.get("errorMessage") if isinstance(value, dict) else None
    return message if isinstance(message, str) and message else told
