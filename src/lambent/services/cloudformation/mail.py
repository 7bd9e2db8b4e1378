"""Letters from outside that a deployment waits for: a provider's answer, a condition's signals.

A box is a record with a secret name. Its URL, which is handed out, takes letters by PUT, as a
presigned URL of S3 does. Boxes and letters are on disk, so neither a restart nor another node
in between loses any; news of a letter wake whoever waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qs, quote
from xml.sax.saxutils import escape

import msgspec

from lambent.cluster.news import announce
from lambent.core.context import RequestContext
from lambent.core.web import PREFIX, Site, WebAnswer, WebRequest
from lambent.services.contract import Platform
from lambent.store.contract import Transaction

BOXES = "cloudformation.boxes"
OWNERS = "cloudformation.box_owners"
NEWS = "cloudformation.letters"
_PATH = "cloudformation-custom-resource-response"
_LIMIT = 1 << 20
_MOST_LETTERS = 2000
_ROUND = 30.0
"""Seconds after which a waiter looks by itself, should news have been missed."""


class Box(msgspec.Struct):
    """Where letters arrive until `expires` (seconds since the epoch). `purpose` is unique in
    the stack and names what the box is for; `told`: whoever is to write has been asked."""

    token: str
    stack_id: str
    purpose: str
    request_id: str
    made: float
    expires: float
    told: bool = False
    letters: list[str] = msgspec.field(default_factory=list)


Opened = Callable[[Box], bool]


async def get(tx: Transaction, token: str) -> Box | None:
    """The box of that name."""
    record = await tx.get(BOXES, token.encode(), b"")
    return None if record is None else msgspec.json.decode(record.value, type=Box)


async def put(tx: Transaction, box: Box) -> None:
    """Write a box."""
    await tx.put(BOXES, box.token.encode(), b"", msgspec.json.encode(box))
    await tx.put(OWNERS, box.stack_id.encode(), box.purpose.encode(), box.token.encode())


async def find(tx: Transaction, stack_id: str, purpose: str) -> Box | None:
    """A stack's box for that purpose."""
    owned = await tx.get(OWNERS, stack_id.encode(), purpose.encode())
    return None if owned is None else await get(tx, owned.value.decode())


async def discard(tx: Transaction, box: Box) -> None:
    """Take no more letters."""
    await tx.delete(BOXES, box.token.encode(), b"")
    await tx.delete(OWNERS, box.stack_id.encode(), box.purpose.encode())


async def discard_all(tx: Transaction, stack_id: str, prefix: str = "") -> None:
    """Discard the stack's boxes whose purpose begins so."""
    for record in await tx.scan(OWNERS, stack_id.encode()):
        if record.sort.startswith(prefix.encode()):
            await tx.delete(BOXES, record.value, b"")
            await tx.delete(OWNERS, stack_id.encode(), record.sort)


def url(context: RequestContext, box: Box, logical_id: str) -> str:
    """The URL that takes the box's letters."""
    name = quote(f"{box.stack_id}|{logical_id}|{box.request_id}", safe="")
    return (
        f"{context.endpoint.rstrip('/')}{PREFIX}{_PATH}/{box.token}/{name}"
        f"?AWSAccessKeyId={context.account}&Expires={int(box.expires)}&Signature={box.token}"
    )


def token_of(address: str) -> str:
    """The box's token in such a URL; "" when it is none."""
    return parse_qs(address.partition("?")[2]).get("Signature", [""])[0]


class Mail:
    """Boxes of this node's store, and who waits at them here."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._waiting: dict[str, set[asyncio.Event]] = {}
        platform.cluster.news.on(NEWS, self._heard)

    def site(self) -> Site:
        """Takes letters."""
        return Site("cloudformation-response", _PATH, _LIMIT, self._answer, _too_large)

    async def open(self, stack_id: str, purpose: str, seconds: float) -> Box:
        """The stack's box for a purpose, made now when there is none."""
        token, request_id = self._platform.ids.hex(40), self._platform.ids.uuid()

        async def body(tx: Transaction) -> Box:
            found = await find(tx, stack_id, purpose)
            if found is None:
                found = Box(token, stack_id, purpose, request_id, tx.now, tx.now + seconds)
                await put(tx, found)
            return found

        return await self._platform.store.transact(body)

    async def told(self, box: Box) -> None:
        """Put on record that whoever is to write knows of it."""

        async def body(tx: Transaction) -> None:
            present = await get(tx, box.token)
            if present is not None:
                present.told = True
                await put(tx, present)

        await self._platform.store.transact(body)

    async def close(self, box: Box) -> None:
        """Discard the box."""

        async def body(tx: Transaction) -> None:
            await discard(tx, box)

        await self._platform.store.transact(body)

    async def wait(self, token: str, until: float, enough: Opened) -> Box | None:
        """Wait for a box's letters to be enough; the box as it is then or at `until` (seconds
        since the epoch), None when it is gone."""
        arrived = asyncio.Event()
        waiting = self._waiting.setdefault(token, set())
        waiting.add(arrived)
        try:
            while True:
                arrived.clear()
                box = await self._platform.store.transact(lambda tx: get(tx, token))
                left = until - self._platform.clock.now()
                if box is None or enough(box) or left <= 0:
                    return box
                await self._platform.clock.wait(arrived, min(left, _ROUND))
        finally:
            waiting.discard(arrived)
            if not waiting:
                self._waiting.pop(token, None)

    def _heard(self, token: str) -> None:
        for arrived in self._waiting.get(token, ()):
            arrived.set()

    async def deliver(self, token: str, letter: str) -> bool:
        """Put a letter into the box; False when there is none of that name, or no more."""

        async def body(tx: Transaction) -> bool:
            box = await get(tx, token)
            if box is None or tx.now > box.expires:
                return False
            if len(box.letters) < _MOST_LETTERS:
                box.letters.append(letter)
                await put(tx, box)
                await announce(tx, NEWS, token)
            return True

        return await self._platform.store.transact(body)

    async def _answer(self, request: WebRequest) -> WebAnswer:
        if request.method != "PUT":
            return _refusal(405, "MethodNotAllowed", "The specified method is not allowed.")
        letter = request.body.decode("utf-8", errors="replace")
        signed = parse_qs(request.query).get("Signature", [""])[0] == request.id
        if not signed or not await self.deliver(request.id, letter):
            return _refusal(403, "AccessDenied", "Request has expired")
        return WebAnswer(200, ())


def _refusal(status: int, code: str, message: str) -> WebAnswer:
    body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return WebAnswer(status, (("Content-Type", "application/xml"),), body.encode())


def _too_large() -> WebAnswer:
    return _refusal(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
