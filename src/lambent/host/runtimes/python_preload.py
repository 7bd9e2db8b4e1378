"""What the Python zygote loads, so that no environment has to.

Loaded by file into the zygote (see `python_zygote`): it imports nothing but the standard
library and the runtime's own distributions. A function that brings its own boto3 gets that
one, untouched by anything here.

Besides importing, it remembers what botocore works out anew for every session although it
never changes: the parsed service models, which services there are, which handlers take
keyword arguments, and the event names' aliases. That is three quarters of the time of a
session's first client.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import inspect
import io
import os
import sys
import types
from collections.abc import Callable
from typing import Any

_VARKEYWORDS = inspect.CO_VARKEYWORDS
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


def preload() -> frozenset[str]:
    """Load everything; the names of the modules that the runtime client itself needs.

    Those stay loaded in every environment, as they do on Lambda; all others give way when
    the function brings a module of the same name.
    """
    for library in ("libstdc++.so.6", "libgcc_s.so.1"):
        # The client's extension is loaded after the fork; what it links to, here.
        with contextlib.suppress(OSError):
            ctypes.CDLL(library)
    _load_client()
    needed = frozenset(sys.modules)
    for name in ("http.client", "concurrent.futures.thread"):
        importlib.import_module(name)
    _preload_boto3()
    return needed


def _load_client() -> None:
    # The extension reads its address when it is loaded, so its place is held for it.
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


def connect_client() -> None:
    """In the environment's process: connect the client to its Runtime API."""
    client = sys.modules["awslambdaric.lambda_runtime_client"]
    extension: Any = importlib.import_module("runtime_client")
    extension.initialize_client(client._user_agent())
    client.runtime_client = extension  # type: ignore[attr-defined]


def _preload_boto3() -> None:
    import boto3
    import botocore.hooks
    import botocore.loaders
    from botocore.awsrequest import AWSResponse
    from botocore.config import Config
    from botocore.exceptions import EndpointConnectionError

    files = botocore.loaders.JSONFileLoader
    files.load_file = staticmethod(functools.lru_cache(maxsize=None)(files().load_file))
    _remember_services(botocore.loaders.Loader, os.path.join(boto3.__path__[0], "data"))
    botocore.hooks.accepts_kwargs = _accepting_kwargs(botocore.hooks.accepts_kwargs)
    _remember_aliases(botocore.hooks)
    session = boto3.session.Session(
        region_name="us-east-1",
        aws_access_key_id="preload",
        aws_secret_access_key="preload",  # noqa: S106 - nothing is called with it
    )
    config = Config(retries={"total_max_attempts": 1})
    clients = {
        service: session.client(service, endpoint_url=_NOWHERE, config=config)
        for service in _SERVICES
    }
    for service in ("dynamodb", "s3"):
        session.resource(service, endpoint_url=_NOWHERE)
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


class _Raw(io.BytesIO):
    """A response body as botocore reads it."""

    def stream(self, **_: Any) -> Any:
        yield self.read()


def _remember_services(loader: Any, boto3_data: str) -> None:
    """Listing the services reads 900 folders; those of boto3 itself do not change."""
    original = loader.list_available_services
    known: dict[tuple[str, ...], list[str]] = {}
    unchanging = {loader.BUILTIN_DATA_PATH, boto3_data}

    def list_available_services(self: Any, type_name: str) -> Any:
        folders = [path for path in self.search_paths if os.path.isdir(path)]
        if not unchanging.issuperset(folders):
            return original(self, type_name)
        key = (type_name, *folders)
        if key not in known:
            known[key] = original(self, type_name)
        return list(known[key])

    loader.list_available_services = list_available_services


def _accepting_kwargs(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same answer from the code object's flags, without building a signature."""

    def accepts_kwargs(function: Any) -> Any:
        plain = getattr(function, "__func__", function)
        if type(plain) is types.FunctionType and not plain.__dict__:
            return plain.__code__.co_flags & _VARKEYWORDS
        return original(function)

    return accepts_kwargs


def _remember_aliases(hooks: Any) -> None:
    """Each session aliases the same names by the same table."""
    original = hooks.EventAliaser._alias_event_name
    known: dict[str, str] = {}

    def alias_event_name(self: Any, name: str) -> Any:
        if self._event_aliases != hooks.EVENT_ALIASES:
            return original(self, name)
        alias = known.get(name)
        if alias is None:
            alias = original(self, name)
            if len(known) < 10_000:
                known[name] = alias
        return alias

    hooks.EventAliaser._alias_event_name = alias_event_name
