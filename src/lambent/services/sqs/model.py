"""What SQS stores: a queue's definition and a message's payload."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Final

import msgspec

from lambent.events.history import History
from lambent.store.contract import NewWork


class Queue(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """A queue's definition. `attributes` holds those that were set, as SQS's own strings.

    `uid` is unique per incarnation, so a queue that is deleted and made again starts empty.
    Times in seconds since the epoch; `purged` is when PurgeQueue was last called. `generation`
    counts the purges that left messages to be removed behind the queue's back.
    """

    name: str
    account: str
    region: str
    uid: str
    created: float
    modified: float
    attributes: dict[str, str]
    tags: dict[str, str]
    purged: float = 0.0
    generation: int = 0

    @cached_property
    def arn(self) -> str:
        return f"arn:aws:sqs:{self.region}:{self.account}:{self.name}"

    @cached_property
    def fifo(self) -> bool:
        return self.name.endswith(".fifo")

    @cached_property
    def work(self) -> str:
        """The name of the store's queue that holds the messages."""
        name = f"sqs/{self.account}/{self.region}/{self.name}/{self.uid}"
        return f"{name}/{self.generation}" if self.generation else name

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The numeric attributes that were asked for, read from their strings once."""
        return {}

    @property
    def deduplication(self) -> str:
        """The collection of the deduplication ids of a FIFO queue."""
        return f"sqs.deduplication/{self.uid}"

    @property
    def attempts(self) -> str:
        """The collection of the receive request attempts of a FIFO queue."""
        return f"sqs.attempts/{self.uid}"


class Attribute(msgspec.Struct, frozen=True, array_like=True):
    """One message attribute: its full type ("Number.int") and its one value."""

    type: str
    text: str | None = None
    binary: bytes | None = None


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A message as it lies in the store. `source` is the queue it was dead-lettered from, and
    `receives` how often it was received in queues before this one."""

    id: str
    body: str
    md5: str
    sender: str
    attributes: dict[str, Attribute] = {}
    trace: str | None = None
    group: str | None = None
    deduplication: str | None = None
    source: str | None = None
    history: History | None = None
    receives: int = 0


_queue_decoder = msgspec.msgpack.Decoder(Queue)
_message_decoder = msgspec.msgpack.Decoder(Message)


encode: Final[Callable[[Queue | Message], bytes]] = msgspec.msgpack.Encoder().encode
"""The stored form."""


def decode_queue(data: bytes) -> Queue:
    """A queue from its stored form."""
    return _queue_decoder.decode(data)


def decode_message(data: bytes) -> Message:
    """A message from its stored form."""
    return _message_decoder.decode(data)


def placed(
    queue: Queue, message: Message, *, delay: float = 0.0, created: float | None = None
) -> NewWork:
    """A message as work of its queue: its group keeps order in a FIFO queue, and is the
    tenant of a fair queue in any other."""
    group, tenant = (message.group, None) if queue.fifo else (None, message.group)
    return NewWork(encode(message), delay, group, created, tenant)
