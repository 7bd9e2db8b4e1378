"""What a queue's policy says to a caller, and to a service that sends events.

The queue's own account may do everything that the policy does not forbid; others need it to
allow. The services of an account may send to its queues while the policy says nothing of them;
once it lets them in some circumstances, it does so in these alone.
Source: SQS Developer Guide, "Amazon SQS API permissions: Actions and resource reference" and
"Amazon SQS Access Policy Language evaluation logic".
"""

from __future__ import annotations

from lambent.core import policies, policy_keys
from lambent.core.arns import Arn
from lambent.core.context import RequestContext
from lambent.events import senders
from lambent.events.contract import Sender
from lambent.services.sqs import policy
from lambent.services.sqs.model import Queue


def permits(queue: Queue, context: RequestContext, action: str) -> bool | None:
    """Whether the queue's policy lets the caller; None: it does not say. An account's root can
    always read and replace the policy, so that nobody locks a queue for good."""
    text = queue.attributes.get("Policy")
    if not text:
        return None
    needed = policies.needed(text)
    keys = (
        policy_keys.of_request(context, needed, owner=queue.account, tags=queue.tags)
        if needed
        else {}
    )
    ask = policies.Ask(f"sqs:{action}", queue.arn, context.account, context.principal, keys=keys)
    decided = policies.decide_stored(text, ask)
    if queue.account != context.account:
        return None if decided and action not in policy.SHARED else decided
    root = context.principal == f"arn:aws:iam::{queue.account}:root"
    return None if decided is False and root and action in policy.UNLOCKING else decided


def takes(queue: Queue, sender: Sender) -> bool:
    """Whether the queue takes the sender's messages."""
    text = queue.attributes.get("Policy")
    own = queue.account == sender.account
    if not text:
        return own
    ask = senders.ask(sender, "sqs:SendMessage", Arn.parse(queue.arn))
    decided = policies.decide_stored(text, ask)
    if decided is not None:
        return decided
    return own and (bool(sender.role) or not policies.invites(policies.parsed(text), ask))
