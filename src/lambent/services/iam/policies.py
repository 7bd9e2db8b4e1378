"""Managed policies and their versions: the customer's, and AWS's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lambent.core.arns import Arn
from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.iam import managed, views
from lambent.services.iam.base import Base, page, set_tags, tag_map
from lambent.services.iam.documents import check_identity_policy
from lambent.services.iam.errors import conflict, limit, no_such
from lambent.services.iam.kinds import GROUPS, POLICIES, ROLES, USERS
from lambent.services.iam.model import Policy, PolicyVersion, Principal
from lambent.store.contract import Transaction

_VERSIONS = 5


async def _holders(tx: Transaction, account: str) -> dict[str, list[Principal]]:
    """All principals by the ARNs of the policies attached to them."""
    found: dict[str, list[Principal]] = {}
    principals: list[Principal] = [
        *await USERS.all(tx, account),
        *await GROUPS.all(tx, account),
        *await ROLES.all(tx, account),
    ]
    for principal in principals:
        for arn in principal.attached:
            found.setdefault(arn, []).append(principal)
    return found


async def _get(tx: Transaction, account: str, arn: str) -> Policy:
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        raise AwsError("InvalidInputException", f"ARN {arn} is not valid.") from None
    found = await POLICIES.find(tx, account, parsed.resource.rsplit("/", 1)[-1])
    if found is None or POLICIES.arn(account, found.path, found.name) != arn:
        raise no_such(POLICIES.absent.format(arn))
    return found


def _managed_version(arn: str) -> PolicyVersion:
    return PolicyVersion("v1", managed.document(arn), managed.CREATED)


class PolicyOperations(Base):
    """One method per operation on managed policies."""

    async def create_policy(self, context: RequestContext, params: Params) -> Result:
        check_identity_policy(params["PolicyDocument"])
        policy = Policy(
            name=params["PolicyName"],
            id=POLICIES.new_id(self.ids),
            path=params.get("Path", "/"),
            created=context.now,
            updated=context.now,
            description=params.get("Description"),
            tags=tag_map(params),
            versions=[PolicyVersion("v1", params["PolicyDocument"], context.now)],
        )

        async def body(tx: Transaction) -> None:
            await POLICIES.add(tx, context.account, policy)

        await self.transact(body)
        shown = views.policy(context.account, policy, 0)
        return {"Policy": {**shown, "Tags": shown["Tags"] or None}}

    async def get_policy(self, context: RequestContext, params: Params) -> Result:
        arn = params["PolicyArn"]

        async def body(tx: Transaction) -> dict[str, Any]:
            count = len((await _holders(tx, context.account)).get(arn, []))
            if managed.is_managed(arn):
                return views.managed_policy(arn, count)
            return views.policy(context.account, await _get(tx, context.account, arn), count)

        return {"Policy": await self.transact(body)}

    async def list_policies(self, context: RequestContext, params: Params) -> Result:
        scope, prefix = params.get("Scope", "All"), params.get("PathPrefix", "/")

        async def body(tx: Transaction) -> list[dict[str, Any]]:
            counts = {
                arn: len(found) for arn, found in (await _holders(tx, context.account)).items()
            }
            shown: list[dict[str, Any]] = []
            if scope in ("All", "Local"):
                for policy in await POLICIES.all(tx, context.account, prefix):
                    arn = POLICIES.arn(context.account, policy.path, policy.name)
                    shown.append(
                        views.policy(context.account, policy, counts.get(arn, 0), full=False)
                    )
            if scope in ("All", "AWS"):
                arns = [managed.PREFIX + name for name in managed.names()]
                shown += [
                    views.managed_policy(arn, counts.get(arn, 0))
                    for arn in arns
                    if managed.split(arn)[0].startswith(prefix)
                ]
            return shown

        found = await self.transact(body)
        if params.get("OnlyAttached"):
            found = [one for one in found if one["AttachmentCount"]]
        return page("Policies", found, params)

    async def delete_policy(self, context: RequestContext, params: Params) -> Result:
        arn = params["PolicyArn"]

        async def body(tx: Transaction) -> None:
            policy = await _get(tx, context.account, arn)
            if (await _holders(tx, context.account)).get(arn):
                raise conflict("Cannot delete a policy attached to entities.")
            if len(policy.versions) > 1:
                raise conflict(
                    "This policy has more than one version. Before you delete a policy, you must "
                    "delete the policy's versions. The default version is deleted with the policy."
                )
            await POLICIES.remove(tx, context.account, policy.name)

        await self.transact(body)
        return None

    async def list_entities_for_policy(self, context: RequestContext, params: Params) -> Result:
        arn = params["PolicyArn"]

        async def body(tx: Transaction) -> dict[str, list[dict[str, str]]]:
            if not managed.is_managed(arn):
                await _get(tx, context.account, arn)
            shown: dict[str, list[dict[str, str]]] = {}
            for kind, member in ((USERS, "User"), (GROUPS, "Group"), (ROLES, "Role")):
                found: list[Principal] = [*await kind.all(tx, context.account)]
                shown[f"Policy{member}s"] = [
                    {f"{member}Name": one.name, f"{member}Id": one.id}
                    for one in found
                    if arn in one.attached
                ]
            return shown

        found = await self.transact(body)
        only = params.get("EntityFilter")
        if only in ("User", "Group", "Role"):
            found = {
                member: listed if member == f"Policy{only}s" else []
                for member, listed in found.items()
            }
        return {**found, "IsTruncated": False}

    # Versions -------------------------------------------------------------------------

    async def _change(
        self, context: RequestContext, arn: str, change: Callable[[Policy, float], None]
    ) -> Policy:
        async def body(tx: Transaction) -> Policy:
            policy = await _get(tx, context.account, arn)
            change(policy, tx.now)
            await POLICIES.put(tx, context.account, policy)
            return policy

        return await self.transact(body)

    async def create_policy_version(self, context: RequestContext, params: Params) -> Result:
        check_identity_policy(params["PolicyDocument"])

        def change(policy: Policy, now: float) -> None:
            if len(policy.versions) >= _VERSIONS:
                raise limit(
                    "A managed policy can have up to 5 versions. Before you create a new version, "
                    "you must delete an existing version."
                )
            version = PolicyVersion(f"v{policy.next_version}", params["PolicyDocument"], now)
            policy.next_version += 1
            policy.versions.append(version)
            policy.updated = now
            if params.get("SetAsDefault"):
                policy.default = version.id

        policy = await self._change(context, params["PolicyArn"], change)
        made = policy.versions[-1]
        return {"PolicyVersion": views.version(made, policy.default, document=False)}

    async def _versions(self, context: RequestContext, arn: str) -> tuple[list[PolicyVersion], str]:
        if managed.is_managed(arn):
            return [_managed_version(arn)], "v1"

        async def body(tx: Transaction) -> Policy:
            return await _get(tx, context.account, arn)

        policy = await self.transact(body)
        return policy.versions, policy.default

    async def get_policy_version(self, context: RequestContext, params: Params) -> Result:
        arn, wanted = params["PolicyArn"], params["VersionId"]
        versions, default = await self._versions(context, arn)
        for version in versions:
            if version.id == wanted:
                return {"PolicyVersion": views.version(version, default)}
        raise _no_version(arn, wanted)

    async def list_policy_versions(self, context: RequestContext, params: Params) -> Result:
        versions, default = await self._versions(context, params["PolicyArn"])
        shown = (views.version(one, default, document=False) for one in reversed(versions))
        return page("Versions", shown, params)

    async def set_default_policy_version(self, context: RequestContext, params: Params) -> Result:
        arn, wanted = params["PolicyArn"], params["VersionId"]

        def change(policy: Policy, now: float) -> None:
            if wanted not in [version.id for version in policy.versions]:
                raise _no_version(arn, wanted)
            policy.default, policy.updated = wanted, now

        await self._change(context, arn, change)
        return None

    async def delete_policy_version(self, context: RequestContext, params: Params) -> Result:
        arn, wanted = params["PolicyArn"], params["VersionId"]

        def change(policy: Policy, now: float) -> None:
            if wanted not in [version.id for version in policy.versions]:
                raise _no_version(arn, wanted)
            if wanted == policy.default:
                raise conflict("Cannot delete the default version of a policy.")
            policy.versions = [one for one in policy.versions if one.id != wanted]
            policy.updated = now

        await self._change(context, arn, change)
        return None

    async def tag_policy(self, context: RequestContext, params: Params) -> Result:
        given = tag_map(params)
        await self._change(context, params["PolicyArn"], lambda one, _: set_tags(one, given))
        return None

    async def untag_policy(self, context: RequestContext, params: Params) -> Result:
        def change(policy: Policy, _: float) -> None:
            for key in params["TagKeys"]:
                policy.tags.pop(key, None)

        await self._change(context, params["PolicyArn"], change)
        return None

    async def list_policy_tags(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> Policy:
            return await _get(tx, context.account, params["PolicyArn"])

        policy = await self.transact(body)
        return page("Tags", views.tags(policy.tags), params)


def _no_version(arn: str, version: str) -> AwsError:
    return no_such(f"Policy {arn} version {version} does not exist or is not attachable.")
