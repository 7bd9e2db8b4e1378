"""Invoke, in its three kinds.

Source: Lambda API Reference, Invoke; Lambda Developer Guide, "Lambda quotas" (payloads:
6 MB synchronous, 1 MB asynchronous).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.host.contract import Invocation
from lambent.services.lambda_ import asynchronous, errors, names, policy_rules, records, streaming
from lambent.services.lambda_.asynchronous import Waiting
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.durable import config, starting
from lambent.services.lambda_.durable.invoking import Executed
from lambent.services.lambda_.model import Function
from lambent.services.lambda_.names import Reference
from lambent.store.contract import Transaction

SYNCHRONOUS_BYTES = 6_291_456
ASYNCHRONOUS_BYTES = 1_048_576
_CLIENT_CONTEXT_BYTES = 3583

_any = msgspec.json.Decoder()


class InvokeOperations(Base):
    """Invoke and InvokeAsync."""

    async def invoke(self, context: RequestContext, params: Params) -> Result:
        """Invoke."""
        reference = await self._invokable(context, params)
        kind = params.get("InvocationType") or "RequestResponse"
        payload: bytes = params.get("Payload") or b"{}"
        check_payload(payload, kind)
        client_context = _client_context(params.get("ClientContext"))
        if kind == "DryRun":
            _admit(context, reference, (await self._runner.resolve(reference)).function)
            return {"StatusCode": 204, "Payload": b""}
        name = params.get("DurableExecutionName")
        if kind == "Event":
            execution = await self._accept(context, reference, payload, client_context, name)
            return {"StatusCode": 202, "Payload": b"", "DurableExecutionArn": execution}
        resolved = await self._runner.resolve(reference)
        _admit(context, reference, resolved.function)
        executed = await self._executor.execute(
            *(reference, resolved, payload),
            request_id=context.request_id,
            name=name,
            trace=context.trace,
        )
        if executed is not None:
            return _ended(executed)
        _refuse_name(name)
        tail = params.get("LogType") == "Tail"
        invoked = await self._runner.invoke(
            reference,
            Invocation(context.request_id, payload, context.trace, client_context, tail),
            resolved,
            synchronous=True,
        )
        result = invoked.result
        shown: dict[str, Any] = {
            "StatusCode": 200,
            "ExecutedVersion": invoked.version,
            "Payload": result.payload,
        }
        if result.error is not None:
            shown["FunctionError"] = result.error
        if tail:
            shown["LogResult"] = base64.b64encode(result.log_tail).decode()
        return shown

    async def invoke_with_response_stream(self, context: RequestContext, params: Params) -> Result:
        """InvokeWithResponseStream. What a function does not stream comes when it is whole."""
        reference = await self._invokable(context, params)
        payload: bytes = params.get("Payload") or b"{}"
        check_payload(payload, "RequestResponse")
        client_context = _client_context(params.get("ClientContext"))
        if params.get("InvocationType") == "DryRun":
            _admit(context, reference, (await self._runner.resolve(reference)).function)
            return {"StatusCode": 204, "EventStream": _no_events()}
        resolved = await self._runner.resolve(reference)
        _admit(context, reference, resolved.function)
        executed = await self._executor.execute(
            *(reference, resolved, payload), request_id=context.request_id, trace=context.trace
        )
        if executed is not None:
            return {
                "StatusCode": 200,
                "ExecutedVersion": executed.version,
                "ResponseStreamContentType": "application/octet-stream",
                "EventStream": streaming.whole(executed.result.payload, executed.result.error),
            }
        tail = params.get("LogType") == "Tail"
        streamed = await streaming.start(
            self._runner,
            reference,
            Invocation(context.request_id, payload, context.trace, client_context, tail),
            resolved,
        )
        return {
            "StatusCode": 200,
            "ExecutedVersion": streamed.version,
            "ResponseStreamContentType": streamed.content_type or "application/octet-stream",
            "EventStream": streaming.events(streamed, tail),
        }

    async def invoke_async(self, context: RequestContext, params: Params) -> Result:
        """InvokeAsync, the older form of an asynchronous Invoke."""
        reference = await self._invokable(context, params)
        body = params["InvokeArgs"]
        payload = body if isinstance(body, bytes) else await body.read()
        check_payload(payload, "Event")
        await self._accept(context, reference, payload, None)
        return {"Status": 202}

    async def _invokable(self, context: RequestContext, params: Params) -> Reference:
        """What is to be invoked; another account's function if its policy says so."""
        reference = names.read(context, params["FunctionName"], params.get("Qualifier"))
        if reference.account != context.account:
            function = await self._store.transact(lambda tx: records.find_function(tx, reference))
            _admit(context, reference, function)
        return reference

    async def _accept(
        self,
        context: RequestContext,
        reference: Reference,
        payload: bytes,
        client_context: bytes | None,
        name: str | None = None,
    ) -> str | None:
        """Take an event durably; the ARN of the execution that it begins, if it does."""
        waiting = Waiting(
            request_id=context.request_id,
            payload=payload,
            qualifier=reference.qualifier,
            trace=context.trace or self._runner.new_trace(),
            client_context=client_context,
        )

        share = self._ids.random()

        async def body(tx: Transaction) -> str | None:
            function = await records.get_function(tx, reference)
            _admit(context, reference, function)
            version = await records.resolve(tx, reference, function, share)
            if config.of(version.settings) is not None:
                return await starting.accept(tx, self._ids, reference, version, waiting, name)
            _refuse_name(name)
            await asynchronous.enqueue(tx, reference, waiting)
            return None

        execution = await self._store.transact(body)
        self._runner.figures.count(reference, "received")
        return execution


def _admit(context: RequestContext, reference: Reference, function: Function | None) -> None:
    """AwsError when the function's policy does not let the caller."""
    policy = policy_rules.of(function, reference)
    if not policy_rules.may_invoke(policy, context, reference):
        own = reference.account == context.account
        refusal = names.denied if own else names.foreign
        raise refusal(context, reference, "InvokeFunction")


def check_payload(payload: bytes, kind: str) -> None:
    """AwsError when the payload is too large for the kind of invocation, or is not JSON."""
    limit = ASYNCHRONOUS_BYTES if kind == "Event" else SYNCHRONOUS_BYTES
    if len(payload) > limit:
        message = (
            f"{len(payload)} byte payload is too large for the Event invocation type "
            f"(limit {limit} bytes)"
            if kind == "Event"
            else f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        )
        raise AwsError("RequestEntityTooLargeException", message, 413)
    try:
        _any.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text = payload[:100].decode(errors="replace")
        raise AwsError(
            "InvalidRequestContentException",
            "Could not parse request body into json: Could not parse payload into json: "
            f'{error} at [Source: (byte[])"{text}"]',
            400,
            {"Type": "User"},
        ) from None


def _ended(executed: Executed) -> dict[str, Any]:
    """The answer to who waited for an execution."""
    shown: dict[str, Any] = {
        "StatusCode": 200,
        "ExecutedVersion": executed.version,
        "Payload": executed.result.payload,
        "DurableExecutionArn": executed.arn,
    }
    if executed.result.error is not None:
        shown["FunctionError"] = executed.result.error
    return shown


def _refuse_name(name: str | None) -> None:
    if name is not None:
        raise errors.invalid(
            "DurableExecutionName cannot be specified: the function is not a durable function."
        )


async def _no_events() -> AsyncIterator[dict[str, Any]]:
    nothing: list[dict[str, Any]] = []
    for event in nothing:
        yield event


def _client_context(text: str | None) -> bytes | None:
    if not text:
        return None
    try:
        decoded = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        decoded = b""
    if not decoded or len(text) > _CLIENT_CONTEXT_BYTES:
        raise AwsError(
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
            400,
            {"Type": "User"},
        )
    return decoded
