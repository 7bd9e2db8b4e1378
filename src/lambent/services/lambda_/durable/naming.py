"""How executions, checkpoints and callbacks are named to the outside. Pure."""

from __future__ import annotations

import base64
import binascii
import re

import msgspec

from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.services.lambda_ import errors
from lambent.services.lambda_.durable.model import Execution, Key
from lambent.services.lambda_.names import Reference

_ARN = re.compile(
    r"arn:(?P<partition>[a-zA-Z0-9-]+):lambda:(?P<region>[a-zA-Z0-9-]+):(?P<account>\d{12})"
    r":function:(?P<function>[a-zA-Z0-9_-]+):(?P<version>\$LATEST(?:\.PUBLISHED)?|[0-9]+)"
    r"/durable-execution/(?P<name>[a-zA-Z0-9_-]+)/(?P<id>[a-zA-Z0-9_-]+)"
)


def new_id(now: float, ids: Ids) -> str:
    """An id for an execution that starts now: a UUID of version 7, so that ids grow with time."""
    digits = f"{int(now * 1000):012x}"
    random = ids.hex(18)
    return (
        f"{digits[:8]}-{digits[8:]}-7{random[:3]}-{'89ab'[int(random[3], 16) & 3]}"
        f"{random[4:7]}-{random[6:18]}"
    )


def bound(when: float) -> bytes:
    """What the ids of all executions that start at or after an instant are not less than."""
    digits = f"{max(0, int(when * 1000)):012x}"
    return f"{digits[:8]}-{digits[8:]}".encode()


def arn(key: Key, execution: Execution) -> str:
    """The execution's ARN."""
    function = Reference(key.account, key.region, key.function, execution.version).qualified
    return f"{function}/durable-execution/{execution.name}/{execution.id}"


def parse(context: RequestContext, text: str) -> Key:
    """Which execution an ARN means. AwsError when it is none, or another account's."""
    match = _ARN.fullmatch(text)
    if match is None:
        raise errors.invalid(f"Invalid durable execution ARN: {text}")
    if (match["account"], match["region"]) != (context.account, context.region):
        raise not_found(text)
    return Key(match["account"], match["region"], match["function"], match["id"])


def not_found(text: str) -> AwsError:
    """There is no execution of that ARN."""
    return errors.not_found(f"Durable execution not found: {text}")


def checkpoint_token(execution: Execution) -> str:
    """What the next checkpoint has to give."""
    return _encode(f"{execution.id}:{execution.run}:{execution.checkpoint}".encode())


def callback_id(key: Key, operation: str) -> str:
    """What completes a callback from outside."""
    return _encode(msgspec.json.encode((key, operation)))


def callback(context: RequestContext, text: str) -> tuple[Key, str]:
    """The execution and operation of a callback's id. AwsError when it is none."""
    try:
        key, operation = msgspec.json.decode(
            base64.b64decode(text, validate=True), type=tuple[Key, str]
        )
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise errors.invalid("Invalid callback ID.") from None
    if (key.account, key.region) != (context.account, context.region):
        raise errors.not_found("The callback does not exist.")
    return key, operation


def _encode(value: bytes) -> str:
    return base64.b64encode(value).decode()
