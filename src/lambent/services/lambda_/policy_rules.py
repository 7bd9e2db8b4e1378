"""What the resource policies of functions and layers allow. Plain functions.

Services and other accounts need to be allowed; the function's own account may do what the policy
does not deny. Source: Lambda Developer Guide, "Working with resource-based policies in Lambda"
and "Control access to Lambda function URLs".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambent.core import policies, policy_keys
from lambent.core.arns import Arn
from lambent.core.context import RequestContext
from lambent.core.policies import Ask, Document
from lambent.events import senders
from lambent.events.contract import Sender
from lambent.services.lambda_.model import Function, Layer
from lambent.services.lambda_.names import LATEST, Reference
from lambent.services.lambda_.policy import GET_LAYER, INVOKE, INVOKE_URL, whole


def of(function: Function | None, reference: Reference) -> Document:
    """The policy of what is meant: the function as such, a version or an alias."""
    if function is None:
        return {}
    key = reference.qualifier or LATEST
    return whole(function.policies.get(key, ()), function.policy_heads.get(key))


def takes(policy: Document, sender: Sender, reference: Reference) -> bool:
    """Whether a sender of events may invoke what is meant."""
    ask = senders.ask(sender, INVOKE, Arn.parse(reference.qualified))
    return _admits(policies.decide(policy, ask), own=ask.account == reference.account)


def may_invoke(policy: Document, context: RequestContext, reference: Reference) -> bool:
    """Whether a caller may invoke what is meant."""
    return _may(policy, context, INVOKE, reference, {})


def may_visit(
    policy: Document, context: RequestContext, reference: Reference, auth_type: str
) -> bool:
    """Whether a caller, or with a context of no account anyone, may call the URL of what is
    meant.

    It takes both: to invoke the URL, and to invoke the function (Lambda Developer Guide,
    "Control access to Lambda function URLs": for all URLs made since October 2025).
    """
    carried = {"lambda:functionurlauthtype": auth_type, "lambda:invokedviafunctionurl": "true"}
    return all(_may(policy, context, action, reference, carried) for action in (INVOKE_URL, INVOKE))


def may_use(layer: Layer | None, context: RequestContext, arn: str) -> bool:
    """Whether another account may use a layer's version. There are no organisations here, so
    what is for one alone is for nobody."""
    policy = whole(layer.policy) if layer is not None else {}
    keys = policy_keys.of_request(context, policies.keys_of(policy))
    ask = Ask(GET_LAYER, arn, context.account, context.principal, keys=keys)
    return policies.decide(policy, ask) is True


def _may(
    policy: Document,
    context: RequestContext,
    action: str,
    reference: Reference,
    carried: Mapping[str, str],
) -> bool:
    own = context.account == reference.account
    if own and not any(one["Effect"] == "Deny" for one in policy.get("Statement", ())):
        return True
    keys: dict[str, Any] = policy_keys.of_request(
        context, policies.keys_of(policy), owner=reference.account
    )
    keys.update((key, (value,)) for key, value in carried.items())
    ask = Ask(action, reference.qualified, context.account, context.principal, keys=keys)
    return _admits(policies.decide(policy, ask), own=own)


def _admits(decided: bool | None, *, own: bool) -> bool:
    return decided is not False if own else decided is True
