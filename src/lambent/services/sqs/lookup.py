"""From a queue's URL to its definition for one who may use it, and from a dead-letter queue to
its sources."""

from __future__ import annotations

from lambent.core.context import Params, RequestContext
from lambent.services.sqs import errors, redrive
from lambent.services.sqs.access import permits
from lambent.services.sqs.model import Queue
from lambent.services.sqs.names import parse_url
from lambent.services.sqs.queues import Queues
from lambent.store.contract import Transaction


def address(context: RequestContext, params: Params) -> tuple[str, str, str]:
    """(account, region, name) that a request's QueueUrl names."""
    url = params.get("QueueUrl")
    if not url:
        raise errors.missing("QueueUrl")
    account, name = parse_url(url)
    return account or context.account, context.region, name


async def queue_of(
    tx: Transaction, queues: Queues, context: RequestContext, params: Params, action: str
) -> Queue:
    """The queue that a request's QueueUrl names, for `action` ("SendMessage", also for its
    batches); AwsError QueueDoesNotExist, or AccessDenied when the caller may not."""
    queue = await queues.get(tx, *address(context, params))
    check(queue, context, action)
    return queue


def check(queue: Queue, context: RequestContext, action: str) -> None:
    """AwsError AccessDenied unless the caller may do `action` to the queue."""
    allowed = permits(queue, context, action)
    if allowed is False or (allowed is None and queue.account != context.account):
        raise errors.access_denied(context.principal, queue.arn, action, denied=allowed is False)


async def sources_of(
    tx: Transaction, queues: Queues, target: Queue, *, after: str = "", limit: int | None = None
) -> list[str]:
    """The names, after `after`, of the queues whose dead-letter queue `target` is."""
    found: list[str] = []
    for candidate in await queues.list(tx, target.account, target.region, after=after):
        policy = redrive.policy_of(candidate)
        if policy is not None and str(policy.target) == target.arn:
            found.append(candidate.name)
            if limit is not None and len(found) >= limit:
                break
    return found
