"""The keyed outcomes as a service to functions, below `/_lambent/idempotency/SCOPE/`.

Any principal of an account may call it, so functions can, with their own credentials. Scopes
are the account's and region's own. Bodies and answers are JSON objects.

| request | what it does |
| --- | --- |
| POST begin | `{key, hold?, expires?, payload? or payload_hash?}`: hold the key for so long |
| POST finish | `{key, token, outcome?, expires?}`: done; the outcome is remembered |
| POST extend | `{key, token, hold?}`: the work goes on |
| POST abandon | `{key, token}`: not done; anyone may begin |
| GET entry?key=KEY | what is known of a key |
| DELETE entry?key=KEY | let it be done again |

`begin` answers 200 with `state` "started" and a `token`, or "done" and the `outcome`; 409 while
someone else holds the key; 422 when it was done with another payload.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec

from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.web import PREFIX, Asked
from lambent.events import idempotency
from lambent.events.idempotency import Begun, Entry, State
from lambent.services.contract import Platform
from lambent.store.contract import Transaction

ROOT = "idempotency/"
HOLD_SECONDS = 60.0
"""For how long a key is held unless the caller says otherwise."""

KEEP_SECONDS = 3600.0
MOST_HELD = 43_200.0
MOST_KEPT = 366 * 86_400.0
LARGEST = 1_048_576
"""Bytes of an outcome's JSON."""

_KEY = 2048
_SCOPE = 128

T = TypeVar("T")


class Begin(msgspec.Struct, forbid_unknown_fields=True):
    """The body of begin."""

    key: str
    hold: float = HOLD_SECONDS
    expires: float = KEEP_SECONDS
    payload: Any = msgspec.UNSET
    payload_hash: str = ""


class Finish(msgspec.Struct, forbid_unknown_fields=True):
    """The body of finish."""

    key: str
    token: str
    outcome: msgspec.Raw = msgspec.Raw(b"null")
    expires: float = KEEP_SECONDS


class Held(msgspec.Struct, forbid_unknown_fields=True):
    """The body of extend and abandon."""

    key: str
    token: str
    hold: float = HOLD_SECONDS


class IdempotencyApi:
    """Answers the requests."""

    def __init__(self, platform: Platform) -> None:
        self._store = platform.store
        self._ids = platform.ids

    async def answer(self, asked: Asked) -> tuple[int, Any]:
        """Everything below idempotency/."""
        scope, _, action = asked.path.removeprefix(PREFIX + ROOT).partition("/")
        scope = _scope(asked.context, unquote(scope))
        match asked.method, action:
            case "POST", "begin":
                return await self._begin(asked, scope)
            case "POST", "finish":
                return await self._finish(asked, scope)
            case "POST", "extend":
                return await self._extend(asked, scope)
            case "POST", "abandon":
                return await self._abandon(asked, scope)
            case (("GET" | "DELETE"), "entry"):
                return await self._entry(asked, scope)
        raise AwsError("NotFound", f"There is nothing at {asked.method} {asked.path}.", 404)

    async def _begin(self, asked: Asked, scope: str) -> tuple[int, Any]:
        wanted = _read(asked, Begin)
        _check(wanted.key)
        _within(wanted.hold, "hold", MOST_HELD)
        _within(wanted.expires, "expires", MOST_KEPT)
        digest = wanted.payload_hash
        if wanted.payload is not msgspec.UNSET:
            text = json.dumps(wanted.payload, sort_keys=True)
            digest = hashlib.sha256(text.encode()).hexdigest()
        token = self._ids.hex(32)

        async def body(tx: Transaction) -> tuple[Begun, float]:
            begun = await idempotency.begin(
                tx,
                scope,
                wanted.key,
                owner="",
                holder=token,
                hold=wanted.hold,
                keep=wanted.expires,
                digest=digest,
            )
            return begun, tx.now

        (state, entry), now = await self._store.transact(body)
        shown = {"state": state.value, **_wire(entry)}
        match state:
            case State.STARTED:
                return 200, {**shown, "token": token}
            case State.DONE:
                return 200, shown
            case State.IN_PROGRESS:
                left = max((entry.deadline or now) - now, 0.0)
                message = "Someone else is at it."
                return 409, {
                    **shown,
                    "code": "IdempotencyInProgress",
                    "message": message,
                    "retry_after": round(left, 3),
                }
        message = "It was done before with another payload."
        return 422, {"state": state.value, "code": "IdempotencyMismatch", "message": message}

    async def _finish(self, asked: Asked, scope: str) -> tuple[int, Any]:
        wanted = _read(asked, Finish)
        _within(wanted.expires, "expires", MOST_KEPT)
        outcome = bytes(wanted.outcome)
        if len(outcome) > LARGEST:
            raise _invalid(f"An outcome has at most {LARGEST} bytes.")
        held = await self._store.transact(
            lambda tx: idempotency.finish(
                tx, scope, wanted.key, wanted.token, wanted.expires, outcome
            )
        )
        return _whether(held, "done")

    async def _extend(self, asked: Asked, scope: str) -> tuple[int, Any]:
        wanted = _read(asked, Held)
        _within(wanted.hold, "hold", MOST_HELD)
        held = await self._store.transact(
            lambda tx: idempotency.prolong(tx, scope, wanted.key, wanted.token, wanted.hold)
        )
        return _whether(held, "started")

    async def _abandon(self, asked: Asked, scope: str) -> tuple[int, Any]:
        wanted = _read(asked, Held)
        held = await self._store.transact(
            lambda tx: idempotency.abandon(tx, scope, wanted.key, wanted.token)
        )
        return _whether(held, "abandoned")

    async def _entry(self, asked: Asked, scope: str) -> tuple[int, Any]:
        key = asked.query.get("key", "")
        _check(key)
        if asked.method == "DELETE":
            known = await self._store.transact(lambda tx: idempotency.forget(tx, scope, key))
            return 200, {"forgotten": known}
        entry = await self._store.transact(lambda tx: idempotency.find(tx, scope, key))
        if entry is None:
            raise AwsError("NotFound", f"Nothing is known of {key}.", 404)
        state = State.DONE if entry.deadline is None else State.IN_PROGRESS
        return 200, {"state": state.value, **_wire(entry)}


def _scope(context: RequestContext, name: str) -> str:
    """Apart from the scopes of event source mappings, which callers may not touch."""
    if not name or len(name) > _SCOPE or "/" in name:
        raise _invalid(f"A scope is a name of up to {_SCOPE} characters without a slash.")
    return f"{context.account}/{context.region}/scope/{name}"


def _wire(entry: Entry) -> dict[str, Any]:
    """An entry without what lets its holder finish it. Times in seconds since the epoch."""
    shown: dict[str, Any] = {"key": entry.key, "begun": entry.begun}
    if entry.deadline is not None:
        return {**shown, "deadline": entry.deadline}
    return {**shown, "expires": entry.expires, "outcome": json.loads(entry.outcome or b"null")}


def _whether(held: bool, state: str) -> tuple[int, Any]:
    if held:
        return 200, {"state": state}
    message = "The key is not held with this token (any more)."
    return 409, {"code": "IdempotencyNotHeld", "message": message}


def _check(key: str) -> None:
    if not key or len(key.encode(errors="replace")) > _KEY:
        raise _invalid(f"A key has 1 to {_KEY} bytes.")


def _within(value: float, name: str, most: float) -> None:
    if not 0 < value <= most:
        raise _invalid(f"{name} is more than 0 and at most {most:.0f} seconds.")


def _read(asked: Asked, type: type[T]) -> T:
    try:
        return msgspec.json.decode(asked.body or b"{}", type=type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(str(error)) from None


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message, 400)
