"""Client request tokens: a transaction that is sent again within ten minutes is done once."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from lambent.core.context import Params, RequestContext
from lambent.core.errors import AwsError
from lambent.services.dynamodb.model import TOKENS, scope
from lambent.store.contract import Transaction

TOKEN_SECONDS = 600.0


class Token:
    """A request's token, and what it stands for. Without one every request is a new one."""

    __slots__ = ("_fingerprint", "_token")

    def __init__(self, params: Params) -> None:
        self._token: str | None = params.get("ClientRequestToken")
        self._fingerprint = _fingerprint(params) if self._token else b""

    async def done_before(self, tx: Transaction, context: RequestContext) -> bool:
        """Whether the request was carried out already.

        IdempotentParameterMismatchException when the token was another request's.
        """
        if not self._token:
            return False
        record = await tx.get(TOKENS, scope(context.account, context.region), self._token.encode())
        if record is None or int.from_bytes(record.value[:8], "big") < tx.now - TOKEN_SECONDS:
            return False
        if record.value[8:] != self._fingerprint:
            raise AwsError(
                "IdempotentParameterMismatchException",
                "DynamoDB rejected the request because you retried a request with a different "
                "payload but with an idempotent token that was already used.",
                400,
            )
        return True

    async def note(self, tx: Transaction, context: RequestContext) -> None:
        """The request is carried out now."""
        if self._token:
            value = int(tx.now).to_bytes(8, "big") + self._fingerprint
            where = scope(context.account, context.region)
            await tx.put(TOKENS, where, self._token.encode(), value)


def _fingerprint(params: Params) -> bytes:
    relevant = {name: value for name, value in params.items() if name != "ClientRequestToken"}
    return sha256(msgspec.msgpack.encode(relevant, order="deterministic")).digest()
