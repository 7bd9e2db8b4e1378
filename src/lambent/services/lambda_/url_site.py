"""Answers what comes to function URLs.

Source: Lambda Developer Guide, "Invoking Lambda function URLs" and "Control access to
Lambda function URLs".
"""

from __future__ import annotations

import json

from msgspec import structs

from lambent.core.clock import Clock
from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.streams import StreamingResult
from lambent.core.web import Caller, Site, WebAnswer, WebRequest
from lambent.host.contract import Invocation
from lambent.services.contract import Platform
from lambent.services.lambda_ import policy_rules, records, streaming, url_event
from lambent.services.lambda_.durable.invoking import Executor
from lambent.services.lambda_.invocations import SYNCHRONOUS_BYTES
from lambent.services.lambda_.invoking import Resolved, Runner
from lambent.services.lambda_.model import Url
from lambent.services.lambda_.names import LATEST, Reference
from lambent.services.lambda_.streaming import Streamed
from lambent.services.lambda_.url_figures import UrlFigures
from lambent.services.lambda_.urls import LABEL, PATH
from lambent.store.contract import Store

_TRACE = "x-amzn-trace-id"
"""Which Lambda gives a request that has none."""
_FORBIDDEN = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)


def site(platform: Platform, runner: Runner, executor: Executor, figures: UrlFigures) -> Site:
    """The site of all function URLs of a node."""
    urls = _Urls(platform.store, runner, executor, platform.clock, figures)
    return Site(LABEL, PATH, SYNCHRONOUS_BYTES, urls.answer, _too_large)


class _Urls:
    def __init__(
        self, store: Store, runner: Runner, executor: Executor, clock: Clock, figures: UrlFigures
    ) -> None:
        self._store = store
        self._runner = runner
        self._executor = executor
        self._clock = clock
        self._figures = figures

    async def answer(self, request: WebRequest) -> WebAnswer:
        """The function's response, or why there is none."""
        reference = await self._store.transact(lambda tx: records.find_url(tx, request.id))
        if reference is None:
            return _refusal(403, "AccessDeniedException", "Forbidden")
        try:
            resolved = await self._runner.resolve(reference)
        except AwsError:
            return _refusal(403, "AccessDeniedException", "Forbidden")
        began = self._clock.monotonic()
        answer = await self._answer(request, reference, resolved)
        seconds = self._clock.monotonic() - began
        self._figures.answered(reference, resolved.version.number, answer.status, seconds)
        return answer

    async def _answer(
        self, request: WebRequest, reference: Reference, resolved: Resolved
    ) -> WebAnswer:
        url = resolved.function.urls[reference.qualifier or LATEST]
        allowed = url_event.allowance(url.cors, request) if url.cors else []
        if url.cors and url_event.is_preflight(request):
            return WebAnswer(200, allowed)
        answer = await self._authorised(request, reference, resolved, url)
        return WebAnswer(answer.status, url_event.with_cors(answer.headers, allowed), answer.body)

    async def _authorised(
        self, request: WebRequest, reference: Reference, resolved: Resolved, url: Url
    ) -> WebAnswer:
        caller: Caller | None = None
        if url.auth == "AWS_IAM":
            try:
                caller = await request.sign_in()
            except AwsError as error:
                return _refusal(403, error.code, error.message)
            if caller is None:
                return _refusal(403, "AccessDeniedException", _FORBIDDEN)
        policy = policy_rules.of(resolved.function, reference)
        context = _context(request, reference, caller)
        if not policy_rules.may_visit(policy, context, reference, url.auth):
            return _refusal(403, "AccessDeniedException", _FORBIDDEN)
        return await self._invoke(request, reference, resolved, url, caller)

    async def _invoke(
        self,
        request: WebRequest,
        reference: Reference,
        resolved: Resolved,
        url: Url,
        caller: Caller | None,
    ) -> WebAnswer:
        trace = request.headers.get(_TRACE) or self._runner.new_trace()
        request = structs.replace(request, headers={**request.headers, _TRACE: trace})
        payload = json.dumps(
            url_event.event(request, caller), separators=(",", ":"), ensure_ascii=False
        ).encode()
        if len(payload) > SYNCHRONOUS_BYTES:
            return _too_large()
        invocation = Invocation(request.request_id, payload, trace)
        try:
            executed = await self._executor.execute(
                reference, resolved, payload, request_id=request.request_id, trace=trace
            )
            if executed is not None:
                return _reply(executed.result.payload, executed.result.error)
            if url.mode == "RESPONSE_STREAM":
                streamed = await streaming.start(self._runner, reference, invocation, resolved)
                if streamed.content_type is not None:
                    return await _streamed(streamed, request.method)
                invoked = await streamed.invoked
            else:
                invoked = await self._runner.invoke(
                    reference, invocation, resolved, synchronous=True
                )
        except AwsError as error:
            return _refusal(error.status or 500, error.code, error.message)
        return _reply(invoked.result.payload, invoked.result.error)


def _context(request: WebRequest, reference: Reference, caller: Caller | None) -> RequestContext:
    """Who calls, as a policy is to see it."""
    return RequestContext(
        caller.account if caller else "",
        reference.region,
        request.request_id,
        request.now,
        "",
        caller.principal if caller else "",
        caller.access_key if caller else "",
        headers=request.headers,
        client=request.client,
    )


def _reply(payload: bytes, error: str | None) -> WebAnswer:
    """What a function returned, as the response that it means."""
    if error is not None:
        return _bad_gateway()
    try:
        reply = url_event.reply(payload)
    except url_event.Malformed:
        return _bad_gateway()
    return WebAnswer(reply.status, reply.headers, reply.body)


async def _streamed(streamed: Streamed, method: str) -> WebAnswer:
    chunks = streamed.stream.chunks()
    try:
        head = await streaming.head(streamed, chunks)
    except url_event.Malformed:
        streamed.stream.abandon()
        return _bad_gateway()
    if method == "HEAD":
        streamed.stream.abandon()
        return WebAnswer(head.status, head.headers)
    rest = streaming.body(streamed, head.rest, chunks)
    return WebAnswer(head.status, head.headers, StreamingResult(rest))


def _bad_gateway() -> WebAnswer:
    return WebAnswer(502, [("Content-Type", "application/json")], b"Internal Server Error")


def _too_large() -> WebAnswer:
    return _refusal(
        413,
        "RequestEntityTooLargeException",
        f"Request must be smaller than {SYNCHRONOUS_BYTES} bytes for the InvokeFunction operation",
    )


def _refusal(status: int, code: str, message: str) -> WebAnswer:
    headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)]
    return WebAnswer(status, headers, json.dumps({"Message": message}).encode())
