"""Changes the body of a dead letter where it lies, so that a replay brings the mended one."""

from __future__ import annotations

import hashlib

import msgspec

from lambent.core.errors import AwsError
from lambent.services.sqs import message_attributes, sending
from lambent.services.sqs.model import Queue, decode_message, encode
from lambent.store.contract import Transaction


async def rewrite(tx: Transaction, queue: Queue, work_id: int, id: str, body: str) -> str:
    """Give the message `id`, which lies as `work_id`, a new body; the old one. AwsError when
    it is gone, in flight, or may not have such a body."""
    work = await tx.item(queue.work, work_id)
    message = decode_message(work.payload) if work else None
    if work is None or message is None or message.id != id:
        raise gone(queue, id)
    if work.leased:
        raise AwsError("MessageInFlight", "Someone has the message in hand.", 409)
    size = sending.draft({"MessageBody": body}, id, None, "").size
    sending.check_size(queue, size + message_attributes.size(message.attributes))
    md5 = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
    changed = msgspec.structs.replace(message, body=body, md5=md5)
    await tx.rewrite(queue.work, work.id, None, encode(changed))
    return message.body


def gone(queue: Queue, id: str) -> AwsError:
    """There is no such message."""
    return AwsError("NotFound", f"There is no message {id} in {queue.name}.", 404)
