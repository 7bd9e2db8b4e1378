"""The operations of a node, by service and name: how services reach each other.

A service never imports another; it calls an ordinary operation through the registry, with
the same parameters and errors as a client would see.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from lambent.core.context import Operation, Params, RequestContext
from lambent.core.errors import AwsError

P = ParamSpec("P")
T = TypeVar("T")

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def method_name(operation: str) -> str:
    """`SendMessage` → `send_message`, `ListObjectsV2` → `list_objects_v2`."""
    name = _WORD.sub("_", operation).lower()
    return re.sub(r"([a-z])(v\d+)$", r"\1_\2", name)


def abandonable(operation: Callable[P, T]) -> Callable[P, T]:
    """Marks an operation that mostly waits and holds nothing: it is cancelled when its client
    goes away or the node stops. All others run to their end, as on AWS."""
    operation.abandonable = True  # type: ignore[attr-defined]
    return operation


class Registry:
    """Operations by botocore service name ("sqs") and operation name ("SendMessage")."""

    def __init__(self) -> None:
        self._objects: dict[str, object] = {}
        self._bound: dict[tuple[str, str], Operation] = {}

    def add(self, service: str, operations: object) -> None:
        """Register the object whose methods are the service's operations."""
        self._objects[service] = operations

    def services(self) -> list[str]:
        """The names of all registered services, sorted."""
        return sorted(self._objects)

    def operation(self, service: str, name: str) -> Operation | None:
        """The operation's method, or None when the service lacks it."""
        bound = self._bound.get((service, name))
        if bound is None:
            bound = getattr(self._objects.get(service), method_name(name), None)
            if bound is not None:
                self._bound[service, name] = bound
        return bound

    async def call(
        self, context: RequestContext, service: str, name: str, params: Params
    ) -> dict[str, object]:
        """Call an operation from inside; raises what the operation raises.

        The parameters are not validated against the model: the caller is our own code.
        """
        operation = self.operation(service, name)
        if operation is None:
            raise AwsError(
                "NotImplemented", f"{service} {name} is not available on this node.", 501
            )
        return await operation(context, params) or {}
