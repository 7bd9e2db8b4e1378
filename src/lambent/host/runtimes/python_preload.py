"""What the Python zygote loads, so that no environment has to.

Loaded by file into the zygote (see `python_zygote`): it imports nothing but the standard
library and the runtime's own distributions. A function that brings its own boto3 gets that
one, untouched by anything here.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
import types
from collections.abc import Callable
from typing import Any

_SERVICES = (
    *("s3", "sqs", "dynamodb", "sns", "events", "lambda", "sts", "ssm"),
    *("secretsmanager", "logs", "kinesis", "stepfunctions"),
)
_CALLS = {
    "s3": ("list_buckets", b"<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"),
    "dynamodb": ("list_tables", b'{"TableNames":[]}'),
    "sqs": ("list_queues", b"{}"),
}
_NOWHERE = "http://127.0.0.1:1"
_VARIABLES = {
    **dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), "us-east-1"),
    **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "preload"),
    "AWS_SESSION_TOKEN": "preload",
    "AWS_ENDPOINT_URL": _NOWHERE,
}
"""As functions find them; nothing is called with these."""
_ROUNDS = 3
"""Once to have it remembered, then from memory, as environments will."""


def preload(remembering: Any) -> frozenset[str]:
    """Load everything; the names of the modules that the runtime client itself needs.
    `remembering` is `python_botocore`.

    Those stay loaded in every environment, as they do on Lambda; all others give way when
    the function brings a module of the same name.
    """
    _load_client()
    needed = frozenset(sys.modules)
    for name in ("http.client", "concurrent.futures.thread"):
        importlib.import_module(name)
    _preload_boto3(remembering)
    return needed


def _load_client() -> None:
    # The place of its extension, which is never loaded (see `python_transport`), is held.
    place = types.ModuleType("runtime_client")
    place.initialize_client = lambda _: None  # type: ignore[attr-defined]
    sys.modules["runtime_client"] = place
    for name in ("__main__", "lambda_runtime_hooks_runner"):
        importlib.import_module(f"awslambdaric.{name}")
    del sys.modules["runtime_client"]


def configure_client() -> None:
    """In the forked child, its variables set: the client as these want it."""
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT", "Text") != "Text" or os.environ.get(
        "AWS_LAMBDA_LOG_LEVEL"
    ):
        # The client reads these when it is imported: import it anew.
        for name in [name for name in sys.modules if name.partition(".")[0] == "awslambdaric"]:
            del sys.modules[name]
        _load_client()


def connect_client(transport: Callable[[str, str], object]) -> None:
    """In the environment's process: give the client its way to its Runtime API."""
    client: Any = sys.modules["awslambdaric.lambda_runtime_client"]
    address = os.environ["AWS_LAMBDA_RUNTIME_API"]
    client.runtime_client = transport(address, client._user_agent())


def _preload_boto3(remembering: Any) -> None:
    """Load it, and go all the ways that a function's first session and clients will go: what
    was run before needs less time and, as much of it is remembered, less memory."""
    import boto3
    from botocore.awsrequest import AWSResponse
    from botocore.config import Config
    from botocore.exceptions import EndpointConnectionError

    remembering.remember()
    os.environ.update(_VARIABLES)
    config = Config(retries={"total_max_attempts": 1})
    for _ in range(_ROUNDS):
        session = boto3.session.Session()
        clients = {service: session.client(service, config=config) for service in _SERVICES}
    for service in ("dynamodb", "s3"):
        session.resource(service)
    for service, (operation, answer) in _CALLS.items():
        client = clients[service]
        # Once to nowhere for the way out, once with an answer for the way back.
        with contextlib.suppress(EndpointConnectionError):
            getattr(client, operation)()
        response = AWSResponse(_NOWHERE, 200, {}, _Raw(answer))
        client.meta.events.register("before-send", lambda response=response, **_: response)
        getattr(client, operation)()
    for client in clients.values():
        client.close()
    for name in _VARIABLES:
        del os.environ[name]
    remembering.make_ahead()


class _Raw(io.BytesIO):
    """A response body as botocore reads it."""

    def stream(self, **_: Any) -> Any:
        yield self.read()
