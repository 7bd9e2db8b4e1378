"""From a queue's URL to its definition."""

from __future__ import annotations

from lambent.core.context import Params, RequestContext
from lambent.services.sqs import errors
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
    tx: Transaction, queues: Queues, context: RequestContext, params: Params
) -> Queue:
    """The queue that a request's QueueUrl names; AwsError QueueDoesNotExist."""
    return await queues.get(tx, *address(context, params))
