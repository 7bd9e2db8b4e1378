"""The CloudFormation resource types of SQS.

Source: CloudFormation template reference, AWS::SQS::Queue and AWS::SQS::QueuePolicy.
"""

from __future__ import annotations

import json
from typing import Any

from lambent.core.errors import AwsError
from lambent.core.resource_parts import document, quietly, tags, text
from lambent.core.resources import Created, Properties, ResourceRequest
from lambent.services.sqs.names import parse_url
from lambent.services.sqs.queue_operations import QueueOperations

_PLAIN = (
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
)
_RESET = {
    # What a property that is taken out of the template goes back to.
    "ContentBasedDeduplication": "false",
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedriveAllowPolicy": "",
    "RedrivePolicy": "",
    "VisibilityTimeout": "30",
    "KmsMasterKeyId": "",
}


def _text(value: Any) -> str:
    return document(value) if isinstance(value, dict) else text(value)


def _attributes(properties: Properties) -> dict[str, str]:
    return {
        name: _text(properties[name])
        for name in _PLAIN
        if name in properties and not (name == "FifoQueue" and _text(properties[name]) == "false")
    }


class QueueResource:
    """AWS::SQS::Queue. `Ref` is the queue's URL."""

    properties = frozenset((*_PLAIN, "QueueName", "Tags"))
    required: frozenset[str] = frozenset()
    replaces = frozenset(("QueueName", "FifoQueue"))
    attributes = frozenset(("Arn", "QueueName", "QueueUrl"))

    def __init__(self, operations: QueueOperations) -> None:
        self._operations = operations

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        attributes = _attributes(properties)
        name = properties.get("QueueName")
        if name is None:
            suffix = ".fifo" if attributes.get("FifoQueue") == "true" else ""
            name = request.default_name[: 80 - len(suffix)] + suffix
        result = await self._operations.create_queue(
            request.context,
            {"QueueName": name, "Attributes": attributes, "tags": tags(request, properties)},
        )
        return self._created(request, (result or {})["QueueUrl"])

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        before, after = _attributes(old), _attributes(new)
        changed = {
            name: value
            for name, value in after.items()
            if before.get(name) != value and name != "FifoQueue"
        }
        changed |= {name: _RESET[name] for name in before if name not in after and name in _RESET}
        if changed:
            await self._operations.set_queue_attributes(
                request.context, {"QueueUrl": physical_id, "Attributes": changed}
            )
        wanted, present = tags(request, new), await self._present_tags(request, physical_id)
        if gone := [key for key in present if key not in wanted]:
            await self._operations.untag_queue(
                request.context, {"QueueUrl": physical_id, "TagKeys": gone}
            )
        if wanted and wanted != present:
            await self._operations.tag_queue(
                request.context, {"QueueUrl": physical_id, "Tags": wanted}
            )
        return self._created(request, physical_id)

    async def read(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> Properties | None:
        """The queue's attributes as they are."""
        result = await self._operations.get_queue_attributes(
            request.context, {"QueueUrl": physical_id, "AttributeNames": ["All"]}
        )
        held = (result or {}).get("Attributes") or {}
        found: dict[str, Any] = {
            name: held[name] for name in _PLAIN if name in held and name in properties
        }
        for name in ("RedrivePolicy", "RedriveAllowPolicy"):
            if name in found and isinstance(properties[name], dict):
                found[name] = json.loads(found[name])
        return found

    async def _present_tags(self, request: ResourceRequest, url: str) -> dict[str, str]:
        result = await self._operations.list_queue_tags(request.context, {"QueueUrl": url})
        return (result or {}).get("Tags") or {}

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await quietly(
            self._operations.delete_queue(request.context, {"QueueUrl": physical_id}),
            "QueueDoesNotExist",
        )

    @staticmethod
    def _created(request: ResourceRequest, url: str) -> Created:
        _, name = parse_url(url)
        return Created(
            url,
            {"Arn": request.context.arn("sqs", name), "QueueName": name, "QueueUrl": url},
        )


class QueuePolicyResource:
    """AWS::SQS::QueuePolicy: one policy for each of its queues."""

    properties = frozenset(("PolicyDocument", "Queues"))
    required = frozenset(("PolicyDocument", "Queues"))
    replaces: frozenset[str] = frozenset()
    attributes = frozenset(("Id",))

    def __init__(self, operations: QueueOperations) -> None:
        self._operations = operations

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        await self._set(request, properties["Queues"], _text(properties["PolicyDocument"]))
        return Created(request.default_name, {"Id": request.default_name})

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        gone = [url for url in old["Queues"] if url not in new["Queues"]]
        await self._set(request, gone, "")
        await self._set(request, new["Queues"], _text(new["PolicyDocument"]))
        return Created(physical_id, {"Id": physical_id})

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await self._set(request, properties["Queues"], "")

    async def _set(self, request: ResourceRequest, urls: list[str], policy: str) -> None:
        for url in urls:
            try:
                await self._operations.set_queue_attributes(
                    request.context, {"QueueUrl": url, "Attributes": {"Policy": policy}}
                )
            except AwsError as error:
                if policy or error.code != "QueueDoesNotExist":
                    raise


class QueueInlinePolicyResource:
    """AWS::SQS::QueueInlinePolicy: the policy of one queue. `Ref` is the queue's URL."""

    properties = frozenset(("PolicyDocument", "Queue"))
    required = frozenset(("PolicyDocument", "Queue"))
    replaces = frozenset(("Queue",))
    attributes: frozenset[str] = frozenset()

    def __init__(self, operations: QueueOperations) -> None:
        self._policies = QueuePolicyResource(operations)

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        await self._policies.create(request, _of_one(properties))
        return Created(str(properties["Queue"]))

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        return await self.create(request, new)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await self._policies.delete(request, physical_id, _of_one(properties))


def _of_one(properties: Properties) -> Properties:
    return {"PolicyDocument": properties["PolicyDocument"], "Queues": [properties["Queue"]]}
