"""A gateway over operations that show what reached them, in local and in server mode."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop

from lambent.core.clock import SystemClock
from lambent.core.context import Params, RequestContext, Result
from lambent.core.credentials import AccessKey
from lambent.core.errors import AwsError, Conflict, StoreUnavailable
from lambent.core.ids import SeededIds
from lambent.core.metrics import Metrics
from lambent.core.registry import Registry
from lambent.core.settings import Settings
from lambent.core.web import Asked
from lambent.gateway.authenticate import Authenticator, Trusting
from lambent.gateway.dispatch import Dispatcher
from lambent.gateway.internal import InternalRoutes
from lambent.gateway.requests import Requests
from lambent.gateway.server import HttpServer
from lambent.gateway.sites import Sites
from lambent.gateway.verifying import Verifying
from lambent.protocol.catalog import Catalog

ADMINISTRATOR = AccessKey(
    "AKIAAAAAAAAAAAAAAAAA",
    "s3cr3t/+",
    "111122223333",
    "arn:aws:iam::111122223333:root",
    "111122223333",
    0.0,
)
USER = AccessKey(
    "AKIABBBBBBBBBBBBBBBB",
    "another",
    "111122223333",
    "arn:aws:iam::111122223333:user/eve",
    "AIDAX",
    0.0,
)
SESSION = AccessKey(
    "ASIACCCCCCCCCCCCCCCC",
    "third",
    "444455556666",
    "arn:aws:sts::444455556666:assumed-role/r/s",
    "AROAX:s",
    0.0,
    "the-token",
    4_000_000_000.0,
)
ENDED = AccessKey(
    "ASIADDDDDDDDDDDDDDDD",
    "fourth",
    "444455556666",
    "arn:aws:sts::444455556666:x",
    "AROAX:s",
    0.0,
    "the-token",
    1_000_000_000.0,
)
INACTIVE = AccessKey(
    "AKIAEEEEEEEEEEEEEEEE", "fifth", "111122223333", "arn:x", "AIDAX", 0.0, active=False
)
KEYS = {key.id: key for key in (ADMINISTRATOR, USER, SESSION, ENDED, INACTIVE)}


class Keys:
    async def find(self, access_key_id: str) -> AccessKey | None:
        return KEYS.get(access_key_id)


@dataclass
class Calls:
    """What reached the operations: (operation, context, parameters)."""

    made: list[tuple[str, RequestContext, Params]] = field(default_factory=list)

    @property
    def last(self) -> tuple[str, RequestContext, Params]:
        return self.made[-1]


class _Operations:
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def _note(self, name: str, context: RequestContext, params: Params) -> None:
        self._calls.made.append((name, context, params))


class S3(_Operations):
    async def put_object(self, context: RequestContext, params: Params) -> Result:
        body = params["Body"]
        params["read"] = await body.read()
        params["trailers"] = dict(body.trailers)
        self._note("PutObject", context, params)
        return {"ETag": '"x"'}

    async def get_object(self, context: RequestContext, params: Params) -> Result:
        self._note("GetObject", context, params)
        return {"Body": b"the object", "ContentType": "text/plain"}

    async def list_buckets(self, context: RequestContext, params: Params) -> Result:
        raise RuntimeError("a secret of the inside")


class Sqs(_Operations):
    async def list_queues(self, context: RequestContext, params: Params) -> Result:
        self._note("ListQueues", context, params)
        return {"QueueUrls": [f"{context.endpoint}/{context.account}/q"]}

    async def get_queue_url(self, context: RequestContext, params: Params) -> Result:
        raise StoreUnavailable("away")

    async def send_message(self, context: RequestContext, params: Params) -> Result:
        self._note("SendMessage", context, params)
        raise AwsError("QueueDoesNotExist", "The specified queue does not exist.")


class DynamoDb(_Operations):
    async def list_tables(self, context: RequestContext, params: Params) -> Result:
        raise Conflict("escaped")


class Lambda(_Operations):
    async def list_functions(self, context: RequestContext, params: Params) -> Result:
        self._note("ListFunctions", context, params)
        return {"Functions": []}

    async def get_function(self, context: RequestContext, params: Params) -> Result:
        self._note("GetFunction", context, params)
        return {"Tags": {}}


class Sts(_Operations):
    async def get_caller_identity(self, context: RequestContext, params: Params) -> Result:
        self._note("GetCallerIdentity", context, params)
        return {"Account": context.account, "Arn": context.principal, "UserId": "x"}


@dataclass
class Gateway:
    endpoint: str
    port: int
    calls: Calls


def _gateway(auth: bool) -> Iterator[Gateway]:
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    clock, ids, calls = SystemClock(), SeededIds(1), Calls()
    server = HttpServer(clock)
    port = server.bind("127.0.0.1", 0)
    settings = Settings(None, port=port, auth=auth, region="eu-north-1")
    registry = Registry()
    made = {"s3": S3, "sqs": Sqs, "dynamodb": DynamoDb, "lambda": Lambda, "sts": Sts}
    for name, operations in made.items():
        registry.add(name, operations(calls))
    authenticator: Authenticator = (Verifying if auth else Trusting)(settings, Keys())
    internal = InternalRoutes(authenticator, ids, administrators_only=auth)

    async def health(_: Asked) -> tuple[int, Any]:
        return 200, {"status": "ok"}

    async def echo(asked: Asked) -> tuple[int, Any]:
        return 200, {
            "path": asked.path,
            "query": dict(asked.query),
            "body": asked.body.decode(),
            "account": asked.context.account,
        }

    internal.add("health", health, open_to_all=True)
    internal.add("echo/", echo)
    dispatcher = Dispatcher(
        registry,
        Catalog(),
        authenticator,
        lambda *_: None,
        internal,
        Sites(authenticator, ids),
        clock,
        ids,
        Requests(Metrics()),
    )

    def wait(work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(30)

    wait(server.start(dispatcher))
    yield Gateway(f"http://127.0.0.1:{port}", port, calls)
    wait(server.stop(5))
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture(scope="session")
def _local() -> Iterator[Gateway]:
    yield from _gateway(auth=False)


@pytest.fixture(scope="session")
def _server() -> Iterator[Gateway]:
    yield from _gateway(auth=True)


@pytest.fixture
def local(_local: Gateway) -> Gateway:
    """Local mode."""
    _local.calls.made.clear()
    return _local


@pytest.fixture
def server(_server: Gateway) -> Gateway:
    """Server mode, with the keys above."""
    _server.calls.made.clear()
    return _server
