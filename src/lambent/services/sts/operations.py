"""STS's API.

Temporary credentials are ordinary access keys with an end (core.credentials), so the
gateway finds their account and principal in local mode too. Whether a role's trust policy
lets the caller in is not evaluated yet.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any

from lambent.core import credentials
from lambent.core.arns import Arn
from lambent.core.context import Params, RequestContext, Result
from lambent.core.credentials import AccessKey
from lambent.core.errors import AwsError
from lambent.services.contract import Platform
from lambent.store.contract import Transaction

_ENDS = "sts.ends"
"""The temporary keys in the order in which they end."""
_FORGOTTEN = 10
"""How many ended keys a new one clears away at most, so that they cannot pile up."""
_HOUR = 3600
_SESSION = 12 * _HOUR


def _role_arn(text: str) -> Arn:
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise AwsError("ValidationError", f"{text} is invalid") from None
    if arn.service != "iam" or not arn.resource.startswith("role/"):
        raise AwsError("ValidationError", f"{text} is invalid")
    return arn


def _derived_id(prefix: str, text: str) -> str:
    """A stable unique id for a principal that is not stored."""
    digest = hashlib.sha256(text.encode()).digest()
    return prefix + base64.b32encode(digest).decode()[:17]


def _shown(key: AccessKey) -> dict[str, Any]:
    return {
        "AccessKeyId": key.id,
        "SecretAccessKey": key.secret,
        "SessionToken": key.session_token,
        "Expiration": key.expires,
    }


class Operations:
    """One method per operation."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def _issue(self, account: str, principal: str, user_id: str, seconds: float) -> AccessKey:
        async def body(tx: Transaction) -> AccessKey:
            key = credentials.temporary(
                self._platform.ids, tx.now, seconds, account, principal, user_id
            )
            await _forget_expired(tx)
            await tx.put(
                credentials.COLLECTION, credentials.partition(key.id), b"", credentials.encode(key)
            )
            await tx.put(_ENDS, b"", _end(tx.now + seconds, key.id), key.id.encode())
            return key

        return await self._platform.store.transact(body)

    async def _find(self, key_id: str) -> AccessKey | None:
        async def body(tx: Transaction) -> AccessKey | None:
            record = await tx.get(credentials.COLLECTION, credentials.partition(key_id))
            return None if record is None else credentials.decode(record.value)

        return await self._platform.store.transact(body)

    async def get_caller_identity(self, context: RequestContext, params: Params) -> Result:
        key = await self._find(context.access_key) if context.access_key else None
        principal = context.principal or f"arn:aws:iam::{context.account}:root"
        user_id = key.user_id if key is not None else await self._user_id(context, principal)
        return {"UserId": user_id, "Account": context.account, "Arn": principal}

    async def _user_id(self, context: RequestContext, principal: str) -> str:
        """The unique id of who acts without a key of this node: a local function, an account."""
        kind, _, rest = Arn.parse(principal).resource.partition("/")
        if kind != "assumed-role":
            return context.account
        name, _, session = rest.partition("/")
        role = Arn("iam", "", context.account, f"role/{name}")
        found = await self._stored(context, role)
        return f"{found['RoleId'] if found else _derived_id('AROA', str(role))}:{session}"

    async def get_access_key_info(self, context: RequestContext, params: Params) -> Result:
        key = await self._find(params["AccessKeyId"])
        if key is None:
            raise AwsError("ValidationError", "Access Key Id is not valid.", 400)
        return {"Account": key.account}

    async def get_session_token(self, context: RequestContext, params: Params) -> Result:
        seconds = params.get("DurationSeconds", _SESSION)
        key = await self._find(context.access_key) if context.access_key else None
        principal = context.principal or f"arn:aws:iam::{context.account}:root"
        user_id = key.user_id if key is not None else context.account
        made = await self._issue(context.account, principal, user_id, seconds)
        return {"Credentials": _shown(made)}

    async def get_federation_token(self, context: RequestContext, params: Params) -> Result:
        name, account = params["Name"], context.account
        arn = f"arn:aws:sts::{account}:federated-user/{name}"
        user_id = f"{account}:{name}"
        key = await self._issue(account, arn, user_id, params.get("DurationSeconds", _SESSION))
        return {
            "Credentials": _shown(key),
            "FederatedUser": {"FederatedUserId": user_id, "Arn": arn},
            "PackedPolicySize": 0,
        }

    async def assume_role(self, context: RequestContext, params: Params) -> Result:
        arn = _role_arn(params["RoleArn"])
        answer = await self._assume(context, arn, params, "sts:AssumeRole")
        if "SourceIdentity" in params:
            answer["SourceIdentity"] = params["SourceIdentity"]
        if "Policy" in params or "PolicyArns" in params or "Tags" in params:
            answer["PackedPolicySize"] = 1
        return answer

    async def service_session(self, context: RequestContext, params: Params) -> Result:
        """A session of a role for a service of this node, which is trusted; no operation of
        AWS's API. A role that is not there gets one without rights."""
        arn = _role_arn(params["RoleArn"])
        found = await self._stored(context, arn)
        role_id = found["RoleId"] if found else _derived_id("AROA", str(arn))
        name, session = arn.resource.rsplit("/", 1)[1], params["RoleSessionName"]
        principal = f"arn:aws:sts::{arn.account}:assumed-role/{name}/{session}"
        seconds = params["DurationSeconds"]
        key = await self._issue(arn.account, principal, f"{role_id}:{session}", seconds)
        return {"Credentials": _shown(key)}

    async def assume_role_with_web_identity(
        self, context: RequestContext, params: Params
    ) -> Result:
        arn = _role_arn(params["RoleArn"])
        claims = _claims(params["WebIdentityToken"])
        expires = claims.get("exp")
        if isinstance(expires, int | float) and expires < context.now:
            raise AwsError(
                "ExpiredTokenException",
                "Token expired: current date/time must be before the expiration date/time",
            )
        answer = await self._assume(context, arn, params, "sts:AssumeRoleWithWebIdentity")
        audience = claims.get("aud", "")
        return {
            **answer,
            "SubjectFromWebIdentityToken": str(claims.get("sub", "")) or None,
            "Provider": str(claims.get("iss", "")) or None,
            "Audience": audience if isinstance(audience, str) else ",".join(audience),
        }

    async def _assume(
        self, context: RequestContext, arn: Arn, params: Params, action: str
    ) -> dict[str, Any]:
        role = arn.resource.rsplit("/", 1)[1]
        session = params["RoleSessionName"]
        role_id, longest = await self._role(context, arn, action)
        seconds = params.get("DurationSeconds", _HOUR)
        if seconds > longest:
            raise AwsError(
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
                400,
            )
        principal = f"arn:aws:sts::{arn.account}:assumed-role/{role}/{session}"
        user_id = f"{role_id}:{session}"
        key = await self._issue(arn.account, principal, user_id, seconds)
        return {
            "Credentials": _shown(key),
            "AssumedRoleUser": {"AssumedRoleId": user_id, "Arn": principal},
        }

    async def _role(self, context: RequestContext, arn: Arn, action: str) -> tuple[str, int]:
        """The role's id and longest session in seconds.

        In local mode, which trusts everyone, a role that is not there can be assumed too:
        code that names roles of a real account runs unchanged.
        """
        found = await self._stored(context, arn)
        if found is not None:
            return found["RoleId"], found["MaxSessionDuration"]
        if self._platform.settings.auth:
            raise AwsError(
                "AccessDenied",
                f"User: {context.principal} is not authorized to perform: {action} on "
                f"resource: {arn}",
                403,
            )
        return _derived_id("AROA", str(arn)), _SESSION

    async def _stored(self, context: RequestContext, arn: Arn) -> dict[str, Any] | None:
        """The role as IAM has it; None when it has none of that ARN."""
        owner = RequestContext(
            arn.account, context.region, context.request_id, context.now, context.endpoint
        )
        name = arn.resource.rsplit("/", 1)[1]
        try:
            answer: dict[str, Any] = await self._platform.registry.call(
                owner, "iam", "GetRole", {"RoleName": name}
            )
        except AwsError as error:
            if error.code != "NoSuchEntityException":
                raise
            return None
        found: dict[str, Any] = answer["Role"]
        return found if found["Arn"] == str(arn) else None


def _end(time: float, key_id: str = "") -> bytes:
    return f"{time:020.3f} {key_id}".encode()


async def _forget_expired(tx: Transaction) -> None:
    for record in await tx.scan(_ENDS, b"", end=_end(tx.now), limit=_FORGOTTEN):
        await tx.delete(credentials.COLLECTION, record.value)
        await tx.delete(_ENDS, b"", record.sort)


def _claims(token: str) -> dict[str, Any]:
    """A JSON web token's claims; its signature is not verified."""
    parts = token.split(".")
    try:
        if len(parts) != 3:
            raise ValueError(token)
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = json.loads(base64.urlsafe_b64decode(padded))
    except (ValueError, binascii.Error):
        claims = None
    if not isinstance(claims, dict):
        raise AwsError(
            "InvalidIdentityTokenException",
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an "
            "Access Token)",
        )
    return claims
