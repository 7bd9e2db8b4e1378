"""A function's own zygote in Python: it initialises the function, then forks environments.

Loaded by file into the base zygote (see `python_zygote`). The official client runs here as
everywhere; only where it would ask for its first invocation, or be restored from a snapshot,
it forks, and each fork goes on with a client of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any


def run(
    handler: str,
    environment: Mapping[str, str],
    zygote: Any,
    unfit: Callable[[], str | None],
    connect: Callable[[], None],
) -> None:
    """Run the client. `zygote` forks (`sandboxes.inside.forks`), `connect` connects the
    runtime's client in a fork; `environment` is what this process was given."""
    config = importlib.import_module("awslambdaric.lambda_config").LambdaConfigProvider(
        ["bootstrap", handler]
    )
    client: Any = importlib.import_module("awslambdaric.lambda_runtime_client")

    class Client(client.LambdaRuntimeClient):  # type: ignore[misc]
        """The client, which forks at the end of the initialisation."""

        forked = False

        def restore_next(self) -> None:
            self._fork()

        def wait_next_invocation(self) -> Any:
            if not self.forked:
                self._fork()
            return super().wait_next_invocation()

        def _fork(self) -> None:
            why = unfit()
            if why is not None:
                zygote.refuse(why)
            self.forked = True
            _share()
            _differ(environment, zygote.serve()["environment"])
            connect()
            self.lambda_runtime_address = os.environ["AWS_LAMBDA_RUNTIME_API"]

    bootstrap = importlib.import_module("awslambdaric.bootstrap")
    bootstrap.run(handler, Client(config.api_address, config.use_thread_polling))


def _share() -> None:
    """What is there now stays shared: give back what is free, keep the collector off it."""
    gc.collect()
    gc.freeze()
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _differ(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Make this fork differ from its siblings: its variables (what the function's code set
    itself stays) and its randomness. `random` reseeds itself when it is forked; ssl, secrets
    and uuid4 take theirs from the kernel."""
    for name, value in after.items():
        if before.get(name) != value:
            os.environ[name] = value
    numpy: Any = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()
    uuid: Any = sys.modules.get("uuid")
    if uuid is not None:
        uuid._last_timestamp = None
