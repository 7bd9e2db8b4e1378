"""Functions in any language on a live node."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.functions import ROLE, packed

from lambent.core.ids import SystemIds

_ids = SystemIds()


@dataclass
class Answer:
    """What an invocation gave its caller."""

    value: Any
    error: str | None
    log: str


@dataclass
class Function:
    """A function on the node, ready to be invoked."""

    name: str
    client: Any

    def __call__(self, event: Any) -> Answer:
        response = self.client.invoke(
            FunctionName=self.name, Payload=json.dumps(event), LogType="Tail"
        )
        return Answer(
            json.loads(response["Payload"].read()),
            response.get("FunctionError"),
            base64.b64decode(response["LogResult"]).decode(),
        )


Define = Callable[..., Function]


@pytest.fixture
def define(client: Callable[..., Any]) -> Define:
    """`define("nodejs20.x", "index.handler", zip or {"index.js": source}, Timeout=3, …)`."""
    functions = client("lambda")

    def make(
        runtime: str, handler: str, code: bytes | dict[str, str], mode: int = 0o755, **more: Any
    ) -> Function:
        name = f"f-{_ids.hex(12)}"
        functions.create_function(
            FunctionName=name,
            Runtime=runtime,
            Handler=handler,
            Role=ROLE,
            Code={"ZipFile": code if isinstance(code, bytes) else packed(code, mode)},
            **{"Timeout": 20, "MemorySize": 512, **more},
        )
        return Function(name, functions)

    return make
