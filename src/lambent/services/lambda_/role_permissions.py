"""Whether a function's role may reach what the function is set to reach: its dead-letter queue,
its destinations, and the queues that feed it. Looked at when it is set, in server mode.

Source: Lambda Developer Guide, "Adding a dead-letter queue", "Capturing records of Lambda
asynchronous invocations" and "Creating an SQS event source mapping": the permissions that the
execution role needs. A policy of AWS's whose document is not known here allows everything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote

from lambent.core.arns import Arn
from lambent.core.conditions import listed
from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.policies import Ask, Document, permits
from lambent.core.policy_keys import of_role
from lambent.core.registry import Registry
from lambent.services.lambda_ import errors

_SENDS: Final = {
    "sqs": "SendMessage",
    "sns": "Publish",
    "lambda": "InvokeFunction",
    "events": "PutEvents",
    "s3": "PutObject",
}
_MANAGED: Final = "arn:aws:iam::aws:policy/"


async def require_dead_letters(
    registry: Registry, context: RequestContext, role: str, target: str
) -> None:
    """AwsError when the role may not send to a dead-letter queue or topic."""
    arn = Arn.parse(target)
    action = _SENDS.get(arn.service)
    if action and not await _may(registry, context, role, f"{arn.service}:{action}", target):
        raise errors.invalid(
            f"The provided execution role does not have permissions to call {action} on "
            f"{arn.service.upper()}"
        )


async def require_destination(
    registry: Registry, context: RequestContext, role: str, destination: str
) -> None:
    """AwsError when the role may not send to a destination."""
    service = Arn.parse(destination).service
    action = _SENDS.get(service)
    resource = f"{destination}/*" if service == "s3" else destination
    if action and not await _may(registry, context, role, f"{service}:{action}", resource):
        raise errors.invalid(
            f"The function's execution role does not have permissions to call {action} on "
            f"{destination}"
        )


async def require_source(
    registry: Registry, context: RequestContext, role: str, source: str
) -> None:
    """AwsError when the role may not receive from a queue."""
    if not await _may(registry, context, role, "sqs:ReceiveMessage", source):
        raise errors.invalid(
            "The function execution role does not have permissions to call ReceiveMessage on SQS"
        )


def allows(documents: Iterable[Document], role: str, action: str, resource: str) -> bool:
    """Whether policies let the role (its ARN) do `action` ("sqs:SendMessage"). Pure."""
    arn = Arn.parse(resource)
    keys = {**of_role(role, arn.region), "aws:resourceaccount": (arn.account,)}
    ask = Ask(action, resource, Arn.parse(role).account, role, keys=keys)
    return permits(documents, ask) is True


async def _may(
    registry: Registry, context: RequestContext, role: str, action: str, resource: str
) -> bool:
    try:
        documents = await _documents(registry, context, role)
    except AwsError as error:
        if error.code != "NoSuchEntityException":
            raise
        return False
    return documents is None or allows(documents, role, action, resource)


async def _documents(
    registry: Registry, context: RequestContext, role: str
) -> list[Document] | None:
    """The policies of a role; None when one of AWS's is among them that is not known here."""
    name = {"RoleName": Arn.parse(role).resource.rpartition("/")[2]}
    documents: list[Document] = []

    async def ask(operation: str, **params: str) -> dict[str, Any]:
        answer: dict[str, Any] = await registry.call(context, "iam", operation, params)
        return answer

    for inline in (await ask("ListRolePolicies", **name))["PolicyNames"]:
        found = await ask("GetRolePolicy", PolicyName=inline, **name)
        documents.append(_document(found["PolicyDocument"]))
    for attached in (await ask("ListAttachedRolePolicies", **name))["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = (await ask("GetPolicy", PolicyArn=arn))["Policy"]["DefaultVersionId"]
        found = await ask("GetPolicyVersion", PolicyArn=arn, VersionId=version)
        document = _document(found["PolicyVersion"]["Document"])
        if arn.startswith(_MANAGED) and not listed(document.get("Statement")):
            return None
        documents.append(document)
    return documents


def _document(text: str) -> Document:
    document: Document = json.loads(unquote(text))
    return document
