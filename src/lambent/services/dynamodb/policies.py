"""Resource-based policies of tables and streams: kept and given back, by revision.

Source: Amazon DynamoDB API Reference, "PutResourcePolicy", and Developer Guide, "Using
resource-based policies for DynamoDB".
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec

from lambent.core.arns import Arn
from lambent.core.conditions import listed
from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.dynamodb.errors import invalid
from lambent.services.dynamodb.model import POLICIES, find_table, scope
from lambent.services.dynamodb.streams.model import STREAMS
from lambent.store.contract import Store, Transaction

MAX_BYTES = 20 * 1024
_NO_POLICY = "NO_POLICY"


class Policy(msgspec.Struct, frozen=True, array_like=True):
    """A policy's text as given, and its revision, which grows with every change."""

    text: str
    revision: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Policy)


class Policies:
    """The operations on resource-based policies."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put(self, context: RequestContext, params: Params) -> Result:
        """PutResourcePolicy: the same policy again keeps its revision."""
        text = params["Policy"]
        check_policy(text)

        async def body(tx: Transaction) -> Policy:
            arn = await _resource(tx, context, params["ResourceArn"])
            present = await _load(tx, arn)
            _check_revision(params, present)
            if present is not None and present.text == text:
                return present
            return await attach(tx, arn, text, after=present.revision if present else 0)

        return {"RevisionId": str((await self._store.transact(body)).revision)}

    async def get(self, context: RequestContext, params: Params) -> Result:
        """GetResourcePolicy."""

        async def body(tx: Transaction) -> Policy:
            arn = await _resource(tx, context, params["ResourceArn"])
            policy = await _load(tx, arn)
            if policy is None:
                raise _not_found(arn)
            return policy

        policy = await self._store.transact(body)
        return {"Policy": policy.text, "RevisionId": str(policy.revision)}

    async def delete(self, context: RequestContext, params: Params) -> Result:
        """DeleteResourcePolicy: nothing happens when there is none."""

        async def body(tx: Transaction) -> Policy | None:
            arn = await _resource(tx, context, params["ResourceArn"])
            present = await _load(tx, arn)
            _check_revision(params, present)
            await detach(tx, arn)
            return present

        gone = await self._store.transact(body)
        return {"RevisionId": str(gone.revision) if gone else ""}


def check_policy(text: str) -> None:
    """Raise unless `text` may be a resource's policy."""
    if len(text.encode()) > MAX_BYTES:
        raise AwsError(
            "LimitExceededException",
            f"The resource-based policy document exceeds the maximum size of {MAX_BYTES} bytes",
            400,
        )
    try:
        document = json.loads(text)
    except ValueError:
        raise _malformed("Syntax errors in policy") from None
    if not isinstance(document, Mapping) or not listed(document.get("Statement")):
        raise _malformed("Missing required field Statement")
    for statement in listed(document["Statement"]):
        if not isinstance(statement, Mapping) or statement.get("Effect") not in ("Allow", "Deny"):
            raise _malformed("Invalid effect")
        for names in (("Principal", "NotPrincipal"), ("Action", "NotAction")):
            if not any(name in statement for name in names):
                raise _malformed(f"Missing required field {names[0]}")


def _malformed(why: str) -> AwsError:
    return invalid(f"Invalid policy document: {why}")


async def attach(tx: Transaction, arn: Arn, text: str, *, after: int = 0) -> Policy:
    """Make `text` a resource's policy, of a revision greater than `after`."""
    policy = Policy(text, max(after + 1, int(tx.now * 1000)))
    where = scope(arn.account, arn.region)
    await tx.put(POLICIES, where, arn.resource.encode(), _encoder.encode(policy))
    return policy


async def detach(tx: Transaction, arn: Arn) -> None:
    """Take a resource's policy away."""
    await tx.delete(POLICIES, scope(arn.account, arn.region), arn.resource.encode())


async def _load(tx: Transaction, arn: Arn) -> Policy | None:
    record = await tx.get(POLICIES, scope(arn.account, arn.region), arn.resource.encode())
    return _decoder.decode(record.value) if record is not None else None


def _check_revision(params: Params, present: Policy | None) -> None:
    expected = params.get("ExpectedRevisionId")
    found = str(present.revision) if present is not None else _NO_POLICY
    if expected is not None and expected != found:
        message = (
            "Resource-based policy not found: the ExpectedRevisionId does not match the policy's"
        )
        raise AwsError("PolicyNotFoundException", message, 400)


async def _resource(tx: Transaction, context: RequestContext, given: str) -> Arn:
    """The ARN of a table or a stream that is there."""
    try:
        arn = Arn.parse(given)
    except ValueError:
        arn = None
    kind, _, rest = arn.resource.partition("/") if arn else ("", "", "")
    table, _, stream = rest.partition("/stream/")
    if arn is None or arn.service != "dynamodb" or kind != "table" or "/" in table:
        raise invalid(f"Invalid ResourceArn: {given}")
    where = scope(context.account, context.region)
    found: object = None
    if (arn.account, arn.region) == (context.account, context.region):
        if stream:
            found = await tx.get(STREAMS, where, f"{table}/{stream}".encode())
        else:
            found = await find_table(tx, context.account, context.region, table)
    if found is None:
        message = f"Requested resource not found: ResourcArn: {given} not found"
        raise AwsError("ResourceNotFoundException", message, 400)
    return arn


def _not_found(arn: Arn) -> AwsError:
    message = f"Resource-based policy not found for the provided ResourceArn: {arn}"
    return AwsError("PolicyNotFoundException", message, 400)
