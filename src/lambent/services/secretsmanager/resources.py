"""The CloudFormation resource type of Secrets Manager.

Source: CloudFormation template reference, AWS::SecretsManager::Secret.
"""

from __future__ import annotations

import json
from typing import Any

from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.core.resource_parts import document, quietly, tag_list, tags
from lambent.core.resources import Created, Properties, ResourceRequest
from lambent.services.secretsmanager import passwords
from lambent.services.secretsmanager.operations import SecretOperations


class SecretResource:
    """AWS::SecretsManager::Secret. `Ref` is the secret's ARN."""

    properties = frozenset(
        (
            "Description",
            "GenerateSecretString",
            "KmsKeyId",
            "Name",
            "ReplicaRegions",
            "SecretString",
            "Tags",
        )
    )
    required: frozenset[str] = frozenset()
    replaces = frozenset(("Name",))
    attributes = frozenset(("Id",))

    def __init__(self, operations: SecretOperations, ids: Ids) -> None:
        self._operations = operations
        self._ids = ids

    def _text(self, properties: Properties) -> str | None:
        rules = properties.get("GenerateSecretString")
        if rules is None:
            text = properties.get("SecretString")
            return None if text is None else str(text)
        password = passwords.generate(self._ids, rules)
        if "GenerateStringKey" not in rules:
            return password
        template: dict[str, Any] = json.loads(rules.get("SecretStringTemplate") or "{}")
        return json.dumps({**template, rules["GenerateStringKey"]: password})

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        text = self._text(properties)
        name = properties.get("Name") or request.default_name
        try:
            arn = await self._made(request, properties, name, text)
        except AwsError as error:
            if error.code != "ResourceExistsException" or not request.resumed:
                raise
            found = await self._operations.describe_secret(request.context, {"SecretId": name})
            arn = (found or {})["ARN"]
        return Created(arn, {"Id": arn})

    async def _made(
        self,
        request: ResourceRequest,
        properties: Properties,
        name: str,
        text: str | None,
    ) -> str:
        result = await self._operations.create_secret(
            request.context,
            {
                "Name": name,
                "Description": properties.get("Description"),
                "KmsKeyId": properties.get("KmsKeyId"),
                "Tags": tag_list(tags(request, properties)),
                **({} if text is None else {"SecretString": text}),
            },
        )
        arn: str = (result or {})["ARN"]
        return arn

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        params: dict[str, Any] = {"SecretId": physical_id}
        params |= {name: new[name] for name in ("Description", "KmsKeyId") if name in new}
        value = ("SecretString", "GenerateSecretString")
        text = self._text(new)
        if text is not None and any(old.get(name) != new.get(name) for name in value):
            params["SecretString"] = text
        await self._operations.update_secret(request.context, params)
        return Created(physical_id, {"Id": physical_id})

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        params = {"SecretId": physical_id, "ForceDeleteWithoutRecovery": True}
        await quietly(
            self._operations.delete_secret(request.context, params), "ResourceNotFoundException"
        )


class ResourcePolicyResource:
    """AWS::SecretsManager::ResourcePolicy. `Ref` is the secret's ARN."""

    properties = frozenset(("BlockPublicPolicy", "ResourcePolicy", "SecretId"))
    required = frozenset(("ResourcePolicy", "SecretId"))
    replaces = frozenset(("SecretId",))
    attributes: frozenset[str] = frozenset()

    def __init__(self, operations: SecretOperations) -> None:
        self._operations = operations

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        policy = document(properties["ResourcePolicy"])
        made = await self._operations.put_resource_policy(
            request.context, {"SecretId": properties["SecretId"], "ResourcePolicy": policy}
        )
        return Created(str((made or {})["ARN"]))

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        return await self.create(request, new)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await quietly(
            self._operations.delete_resource_policy(request.context, {"SecretId": physical_id}),
            "ResourceNotFoundException",
        )
