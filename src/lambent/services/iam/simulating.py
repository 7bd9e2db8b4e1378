"""SimulateCustomPolicy, SimulatePrincipalPolicy, and the context keys that they need.

Source: IAM API Reference, of these operations and GetContextKeysForCustomPolicy,
GetContextKeysForPrincipalPolicy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambent.core.arns import Arn
from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.core.policies import Ask
from lambent.core.policy_keys import account_of
from lambent.services.iam import managed
from lambent.services.iam.base import Base, page
from lambent.services.iam.documents import check_identity_policy, check_resource_policy
from lambent.services.iam.errors import no_such
from lambent.services.iam.kinds import GROUPS, POLICIES, ROLES, USERS, Kind
from lambent.services.iam.model import Principal
from lambent.services.iam.simulation import Case, Source, evaluate, missing
from lambent.store.contract import Transaction

_KINDS: Final[Mapping[str, Kind[Any]]] = {"user": USERS, "group": GROUPS, "role": ROLES}


class SimulationOperations(Base):
    """They look at policies and do nothing."""

    async def simulate_custom_policy(self, context: RequestContext, params: Params) -> Result:
        """SimulateCustomPolicy."""
        sources = _given("PolicyInputList", params)
        return _simulate(context, params, sources, None, params.get("CallerArn"))

    async def simulate_principal_policy(self, context: RequestContext, params: Params) -> Result:
        """SimulatePrincipalPolicy."""
        arn = params["PolicySourceArn"]
        found, boundary = await self._policies(context, arn)
        excluded = _excluded(params)
        kept = [source for kind, id, source in found if not excluded & {kind, id}]
        if "permission-boundary" in excluded:
            boundary = None
        sources = [*kept, *_given("PolicyInputList", params)]
        return _simulate(context, params, sources, boundary, params.get("CallerArn") or arn)

    async def get_context_keys_for_custom_policy(
        self, context: RequestContext, params: Params
    ) -> Result:
        """GetContextKeysForCustomPolicy."""
        return {"ContextKeyNames": missing(_given("PolicyInputList", params), {})}

    async def get_context_keys_for_principal_policy(
        self, context: RequestContext, params: Params
    ) -> Result:
        """GetContextKeysForPrincipalPolicy."""
        found, _ = await self._policies(context, params["PolicySourceArn"])
        sources = [source for _, _, source in found] + _given("PolicyInputList", params)
        return {"ContextKeyNames": missing(sources, {})}

    async def _policies(
        self, context: RequestContext, text: str
    ) -> tuple[list[_Found], list[Source] | None]:
        """The policies of a user, with those of its groups, of a group or a role; and its
        boundary's."""
        kind, name = _principal(context, text)

        async def body(tx: Transaction) -> tuple[list[_Found], list[Source] | None]:
            account = context.account
            one: Principal = await _KINDS[kind].get(tx, account, name)
            found = await _of(tx, account, kind, one)
            if kind == "user":
                for group in await GROUPS.all(tx, account):
                    if one.name in group.members:
                        found += await _of(tx, account, "group", group)
            bound = one.boundary and await _managed(tx, account, one.boundary)
            return found, [bound] if bound else None

        return await self.transact(body)


_Found = tuple[str, str, Source]
"""A policy of a principal: "inline", "aws-managed" or "user-managed", its ARN (of an inline one:
its principal's kind and name, and its own), and the policy."""


async def _of(tx: Transaction, account: str, kind: str, one: Principal) -> list[_Found]:
    found = [
        ("inline", f"{kind}/{one.name}/{name}", Source(f"{kind}_{one.name}_{name}", kind, text))
        for name, text in one.inline.items()
    ]
    for arn in one.attached:
        source = await _managed(tx, account, arn)
        if source is not None:
            found.append((source.type, arn, source))
    return found


async def _managed(tx: Transaction, account: str, arn: str) -> Source | None:
    name = arn.rpartition("/")[2]
    if managed.is_managed(arn):
        return Source(name, "aws-managed", managed.document(arn))
    policy = await POLICIES.find(tx, account, name)
    if policy is None:
        return None
    text = next(one.document for one in policy.versions if one.id == policy.default)
    return Source(name, "user-managed", text)


def _principal(context: RequestContext, text: str) -> tuple[str, str]:
    """The kind and the name of a principal's ARN."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        arn = None
    kind, _, name = arn.resource.partition("/") if arn else ("", "", "")
    if arn is None or arn.service != "iam" or kind not in _KINDS:
        raise _invalid(f"Invalid Entity Arn: {text} does not clearly define entity type and name.")
    name = name.rpartition("/")[2]
    if arn.account != context.account:
        raise no_such(_KINDS[kind].absent.format(name))
    return kind, name


def _excluded(params: Params) -> set[str]:
    """What the request leaves out: types of policies, and ids as `_Found` has them."""
    excluded: set[str] = set()
    for one in params.get("PolicyExclusionList") or ():
        if inline := one.get("InlinePolicyIdentifier"):
            members = ("AttachmentType", "AttachmentName", "PolicyName")
            excluded.add("/".join(inline[member] for member in members))
        else:
            excluded.add(one.get("PolicyArn") or one.get("PolicyType") or "")
    return excluded


def _given(member: str, params: Params) -> list[Source]:
    """The identity policies that the request brings."""
    sources = []
    for number, text in enumerate(params.get(member) or (), 1):
        try:
            check_identity_policy(text)
        except AwsError as error:
            raise _invalid(f"Invalid Input Policy: {error.message}") from None
        sources.append(Source(f"{member}.{number}", "none", text))
    return sources


def _simulate(
    context: RequestContext,
    params: Params,
    identity: list[Source],
    boundary: list[Source] | None,
    caller: str | None,
) -> dict[str, Any]:
    given = params.get("PermissionsBoundaryPolicyInputList")
    if given:
        boundary = _given("PermissionsBoundaryPolicyInputList", params)
    resource = None
    if params.get("ResourcePolicy"):
        if not caller:
            raise _invalid("CallerArn is required when a resource policy is simulated.")
        check_resource_policy(params["ResourcePolicy"])
        resource = Source("ResourcePolicy", "resource", params["ResourcePolicy"])
    for action in params["ActionNames"]:
        if ":" not in action or "*" in action:
            raise _invalid(f"Invalid Input Action: {action}")
    account = account_of(caller) if caller else context.account
    case = Case(identity, boundary, resource, "")
    named = params.get("ResourceArns") or ["*"]
    results = []
    for action in params["ActionNames"]:
        asks = [
            Ask(action, arn, account, caller or "", keys=_keys(params, caller)) for arn in named
        ]
        owner = _owner(params.get("ResourceOwner"), named[0]) or account
        specific = named != ["*"]
        results.append(evaluate(case._replace(owner=owner), asks, specific=specific))
    return page("EvaluationResults", results, params)


def _owner(given: str | None, arn: str) -> str:
    """Whose a resource is: as its ARN says, or the request."""
    return account_of(arn) or (account_of(given) or given if given else "")


def _keys(params: Params, caller: str | None) -> dict[str, tuple[str, ...]]:
    """The condition keys that the request gives, and what the caller's ARN says."""
    keys: dict[str, tuple[str, ...]] = {}
    if caller:
        keys["aws:principalarn"] = (caller,)
        keys["aws:principalaccount"] = (account_of(caller),)
        if ":user/" in caller:
            keys["aws:username"] = (caller.rpartition("/")[2],)
    for one in params.get("ContextEntries") or ():
        name = one.get("ContextKeyName", "").lower()
        keys[name] = tuple(one.get("ContextKeyValues") or ())
    return keys


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidInputException", message, 400)
