"""What a policy is asked about who sends an event. Pure."""

from __future__ import annotations

from lambent.core import policy_keys
from lambent.core.arns import Arn
from lambent.core.policies import Ask
from lambent.events.contract import Sender


def ask(sender: Sender, action: str, arn: Arn) -> Ask:
    """Whether the sender may do `action` ("sqs:SendMessage") to what it sends to."""
    if sender.role:
        keys = policy_keys.of_role(sender.role, arn.region)
        account = policy_keys.account_of(sender.role)
        asked = Ask(action, str(arn), account, sender.role, keys=keys)
    else:
        keys = policy_keys.of_service(
            sender.principal, sender.source_arn, sender.account, arn.region
        )
        asked = Ask(action, str(arn), service=sender.principal, keys=keys)
    keys["aws:resourceaccount"] = (arn.account,)
    return asked
