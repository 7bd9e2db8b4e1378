"""Users, their access keys and their login profiles."""

from __future__ import annotations

from typing import Any

import msgspec

from lambent.core import credentials
from lambent.core.arns import Arn
from lambent.core.context import Params, RequestContext, Result
from lambent.core.credentials import AccessKey
from lambent.services.iam import views
from lambent.services.iam.base import Base, page, set_tags, tag_map
from lambent.services.iam.errors import conflict, exists, invalid, limit, no_such
from lambent.services.iam.kinds import GROUPS, USERS
from lambent.services.iam.model import User
from lambent.store.contract import Transaction

_KEYS = 2


def caller_name(context: RequestContext) -> str:
    """The caller's user name, for operations whose UserName may be left out."""
    try:
        resource = Arn.parse(context.principal).resource
    except ValueError:
        resource = "root"
    if not resource.startswith("user/"):
        raise invalid("Must specify userName when calling with non-User credentials")
    return resource.rsplit("/", 1)[1]


async def _key(tx: Transaction, key_id: str) -> AccessKey | None:
    record = await tx.get(credentials.COLLECTION, credentials.partition(key_id))
    return None if record is None else credentials.decode(record.value)


async def _put_key(tx: Transaction, key: AccessKey) -> None:
    await tx.put(
        credentials.COLLECTION, credentials.partition(key.id), b"", credentials.encode(key)
    )


class UserOperations(Base):
    """One method per operation on users."""

    async def create_user(self, context: RequestContext, params: Params) -> Result:
        user = User(
            name=params["UserName"],
            id=USERS.new_id(self.ids),
            path=params.get("Path", "/"),
            created=context.now,
            boundary=params.get("PermissionsBoundary"),
            tags=tag_map(params),
        )

        async def body(tx: Transaction) -> None:
            await USERS.add(tx, context.account, user)

        await self.transact(body)
        return {"User": views.user(context.account, user)}

    async def get_user(self, context: RequestContext, params: Params) -> Result:
        if "UserName" not in params and not context.principal.split(":")[-1].startswith("user/"):
            return {
                "User": {
                    "Path": "/",
                    "UserName": "root",
                    "UserId": context.account,
                    "Arn": f"arn:aws:iam::{context.account}:root",
                    "CreateDate": 0.0,
                }
            }
        user = await self._user(context, params)
        return {"User": views.user(context.account, user)}

    async def _user(self, context: RequestContext, params: Params) -> User:
        name = params.get("UserName") or caller_name(context)

        async def body(tx: Transaction) -> User:
            return await USERS.get(tx, context.account, name)

        return await self.transact(body)

    async def list_users(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> list[User]:
            return await USERS.all(tx, context.account, params.get("PathPrefix", "/"))

        found = await self.transact(body)
        return page(
            "Users", (views.user(context.account, one, full=False) for one in found), params
        )

    async def update_user(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            user = await USERS.get(tx, context.account, params["UserName"])
            old, new = user.name, params.get("NewUserName", user.name)
            taken = await USERS.find(tx, context.account, new)
            if taken is not None and taken.id != user.id:
                raise exists(USERS.taken.format(new))
            await USERS.remove(tx, context.account, old)
            user.name, user.path = new, params.get("NewPath", user.path)
            await USERS.put(tx, context.account, user)
            for group in await GROUPS.all(tx, context.account):
                if old in group.members:
                    group.members = [new if one == old else one for one in group.members]
                    await GROUPS.put(tx, context.account, group)
            for key_id in user.keys:
                if key := await _key(tx, key_id):
                    await _put_key(tx, _renamed(key, context.account, user))

        await self.transact(body)
        return None

    async def delete_user(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            user = await USERS.get(tx, context.account, params["UserName"])
            if user.attached:
                raise conflict("Cannot delete entity, must detach all policies first.")
            if user.inline:
                raise conflict("Cannot delete entity, must delete policies first.")
            if user.keys:
                raise conflict("Cannot delete entity, must delete access keys first.")
            if user.login_profile is not None:
                raise conflict("Cannot delete entity, must delete login profile first.")
            for group in await GROUPS.all(tx, context.account):
                if user.name in group.members:
                    raise conflict("Cannot delete entity, must remove users from group first.")
            await USERS.remove(tx, context.account, user.name)

        await self.transact(body)
        return None

    async def tag_user(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            user = await USERS.get(tx, context.account, params["UserName"])
            set_tags(user, tag_map(params))
            await USERS.put(tx, context.account, user)

        await self.transact(body)
        return None

    async def untag_user(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            user = await USERS.get(tx, context.account, params["UserName"])
            for key in params["TagKeys"]:
                user.tags.pop(key, None)
            await USERS.put(tx, context.account, user)

        await self.transact(body)
        return None

    async def list_user_tags(self, context: RequestContext, params: Params) -> Result:
        user = await self._user(context, params)
        return page("Tags", views.tags(user.tags), params)

    async def put_user_permissions_boundary(
        self, context: RequestContext, params: Params
    ) -> Result:
        return await self._set_boundary(context, params, params["PermissionsBoundary"])

    async def delete_user_permissions_boundary(
        self, context: RequestContext, params: Params
    ) -> Result:
        return await self._set_boundary(context, params, None)

    async def _set_boundary(
        self, context: RequestContext, params: Params, boundary: str | None
    ) -> Result:
        async def body(tx: Transaction) -> None:
            user = await USERS.get(tx, context.account, params["UserName"])
            user.boundary = boundary
            await USERS.put(tx, context.account, user)

        await self.transact(body)
        return None

    # Access keys ----------------------------------------------------------------------

    async def create_access_key(self, context: RequestContext, params: Params) -> Result:
        name = params.get("UserName") or caller_name(context)

        async def body(tx: Transaction) -> AccessKey:
            user = await USERS.get(tx, context.account, name)
            if len(user.keys) >= _KEYS:
                raise limit(f"Cannot exceed quota for AccessKeysPerUser: {_KEYS}")
            key = credentials.permanent(
                self.ids,
                tx.now,
                context.account,
                USERS.arn(context.account, user.path, user.name),
                user.id,
            )
            user.keys.append(key.id)
            await _put_key(tx, key)
            await USERS.put(tx, context.account, user)
            return key

        key = await self.transact(body)
        return {
            "AccessKey": {**_metadata(name, key), "SecretAccessKey": key.secret},
        }

    async def list_access_keys(self, context: RequestContext, params: Params) -> Result:
        name = params.get("UserName") or caller_name(context)

        async def body(tx: Transaction) -> list[dict[str, Any]]:
            user = await USERS.get(tx, context.account, name)
            keys = [await _key(tx, key_id) for key_id in user.keys]
            return [_metadata(user.name, key) for key in keys if key is not None]

        return page("AccessKeyMetadata", await self.transact(body), params)

    async def _owned(
        self, tx: Transaction, context: RequestContext, params: Params
    ) -> tuple[User, AccessKey]:
        name, key_id = params.get("UserName") or caller_name(context), params["AccessKeyId"]
        user = await USERS.get(tx, context.account, name)
        key = await _key(tx, key_id) if key_id in user.keys else None
        if key is None:
            raise no_such(f"The Access Key with id {key_id} cannot be found.")
        return user, key

    async def update_access_key(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            _, key = await self._owned(tx, context, params)
            await _put_key(tx, _with(key, active=params["Status"] == "Active"))

        await self.transact(body)
        return None

    async def delete_access_key(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            user, key = await self._owned(tx, context, params)
            user.keys.remove(key.id)
            await tx.delete(credentials.COLLECTION, credentials.partition(key.id))
            await USERS.put(tx, context.account, user)

        await self.transact(body)
        return None

    async def get_access_key_last_used(self, context: RequestContext, params: Params) -> Result:
        key_id = params["AccessKeyId"]

        async def body(tx: Transaction) -> AccessKey | None:
            return await _key(tx, key_id)

        key = await self.transact(body)
        if key is None or key.account != context.account:
            raise no_such(f"The Access Key with id {key_id} cannot be found.")
        return {
            "UserName": key.principal.rsplit("/", 1)[-1],
            "AccessKeyLastUsed": {"ServiceName": "N/A", "Region": "N/A"},
        }

    async def key_secret(self, key_id: str) -> dict[str, str]:
        """A key's secret, for its CloudFormation resource's attribute."""

        async def body(tx: Transaction) -> AccessKey | None:
            return await _key(tx, key_id)

        key = await self.transact(body)
        if key is None:
            raise no_such(f"The Access Key with id {key_id} cannot be found.")
        return {"SecretAccessKey": key.secret}

    # Login profiles -------------------------------------------------------------------

    async def create_login_profile(self, context: RequestContext, params: Params) -> Result:
        name = params.get("UserName") or caller_name(context)

        async def body(tx: Transaction) -> User:
            user = await USERS.get(tx, context.account, name)
            if user.login_profile is not None:
                raise exists(f"Login Profile for user {name} already exists.")
            user.login_profile = tx.now
            await USERS.put(tx, context.account, user)
            return user

        return {"LoginProfile": _login_profile(await self.transact(body))}

    async def get_login_profile(self, context: RequestContext, params: Params) -> Result:
        user = await self._user(context, params)
        if user.login_profile is None:
            raise no_such(f"Login Profile for User {user.name} cannot be found.")
        return {"LoginProfile": _login_profile(user)}

    async def delete_login_profile(self, context: RequestContext, params: Params) -> Result:
        name = params.get("UserName") or caller_name(context)

        async def body(tx: Transaction) -> None:
            user = await USERS.get(tx, context.account, name)
            if user.login_profile is None:
                raise no_such(f"Login Profile for User {user.name} cannot be found.")
            user.login_profile = None
            await USERS.put(tx, context.account, user)

        await self.transact(body)
        return None


def _metadata(user_name: str, key: AccessKey) -> dict[str, Any]:
    return {
        "UserName": user_name,
        "AccessKeyId": key.id,
        "Status": "Active" if key.active else "Inactive",
        "CreateDate": int(key.created),
    }


def _login_profile(user: User) -> dict[str, Any]:
    return {
        "UserName": user.name,
        "CreateDate": user.login_profile,
        "PasswordResetRequired": False,
    }


def _with(key: AccessKey, **changes: Any) -> AccessKey:
    return msgspec.structs.replace(key, **changes)


def _renamed(key: AccessKey, account: str, user: User) -> AccessKey:
    return _with(key, principal=USERS.arn(account, user.path, user.name))
