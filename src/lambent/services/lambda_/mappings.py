"""Event source mappings: what feeds functions from queues.

Source: Lambda API Reference, CreateEventSourceMapping and its like.
"""

from __future__ import annotations

from typing import Any

from lambent.core.arns import Arn
from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.events.contract import Source
from lambent.services.lambda_ import (
    errors,
    mapping_rules,
    names,
    paging,
    records,
    role_permissions,
    suppression,
    unparking,
)
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.flow import set_flow
from lambent.services.lambda_.model import Mapping
from lambent.services.lambda_.names import Reference
from lambent.services.lambda_.tags import check_tags
from lambent.store import removal
from lambent.store.contract import Transaction

IDEMPOTENCY = "Lambent.Idempotency"
"""A parameter that only calls from inside have: what makes a duplicate (`suppression`)."""

_LISTED = 100


class MappingOperations(Base):
    """CreateEventSourceMapping and its like."""

    async def create_event_source_mapping(self, context: RequestContext, params: Params) -> Result:
        """CreateEventSourceMapping."""
        reference = self._reference(context, params, "CreateEventSourceMapping")
        text = params.get("EventSourceArn")
        if not text:
            raise errors.invalid("Unrecognized event source.")
        arn, source = self._source(text)
        tags = dict(params.get("Tags") or {})
        check_tags(tags)
        await self._check_receiver(context, reference, text)
        uuid = self._ids.uuid()

        async def body(tx: Transaction) -> Mapping:
            chosen = await self._settings(tx, reference, arn, source, {}, params)
            await _check_alone(tx, context, text, reference)
            mapping = Mapping(
                uuid=uuid,
                source=text,
                function=reference.qualified,
                settings=chosen,
                enabled=params.get("Enabled", True),
                modified=tx.now,
                tags=tags,
                idempotency=suppression.check(dict(params.get(IDEMPOTENCY) or {})),
            )
            await records.put_mapping(tx, context.account, context.region, mapping)
            return mapping

        mapping = await self._store.transact(body)
        self._lanes.poll(mapping)
        return _shown(context, mapping, "Creating")

    async def update_event_source_mapping(self, context: RequestContext, params: Params) -> Result:
        """UpdateEventSourceMapping."""
        reference = (
            self._reference(context, params, "UpdateEventSourceMapping")
            if "FunctionName" in params
            else None
        )

        async def body(tx: Transaction) -> tuple[Mapping, bool]:
            mapping = await _get(tx, context, params["UUID"])
            was = mapping.enabled
            function = reference or names.from_arn(Arn.parse(mapping.function))
            arn, source = self._source(mapping.source)
            mapping.settings = await self._settings(
                tx, function, arn, source, mapping.settings, params
            )
            if reference is not None:
                await _check_alone(tx, context, mapping.source, function, mapping.uuid)
            mapping.function = function.qualified
            mapping.enabled = params.get("Enabled", was)
            mapping.modified = tx.now
            if IDEMPOTENCY in params:
                mapping.idempotency = suppression.check(dict(params[IDEMPOTENCY]))
            await records.put_mapping(tx, context.account, context.region, mapping)
            return mapping, was

        mapping, was = await self._store.transact(body)
        self._lanes.poll(mapping)
        state = "Updating"
        if mapping.enabled != was:
            state = "Enabling" if mapping.enabled else "Disabling"
        return _shown(context, mapping, state)

    async def get_event_source_mapping(self, context: RequestContext, params: Params) -> Result:
        """GetEventSourceMapping."""
        mapping = await self._store.transact(lambda tx: _get(tx, context, params["UUID"]))
        return _shown(context, mapping)

    async def list_event_source_mappings(self, context: RequestContext, params: Params) -> Result:
        """ListEventSourceMappings."""
        source = params.get("EventSourceArn")
        reference = (
            self._reference(context, params, "ListEventSourceMappings")
            if "FunctionName" in params
            else None
        )
        stored = await self._store.transact(
            lambda tx: records.mappings(tx, context.account, context.region)
        )
        wanted = [
            mapping
            for mapping in stored
            if source in (None, mapping.source)
            and (reference is None or _feeds(mapping, reference))
        ]
        chosen, marker = paging.page(
            wanted,
            lambda mapping: mapping.uuid,
            params.get("Marker"),
            params.get("MaxItems"),
            _LISTED,
        )
        shown = [_shown(context, mapping) for mapping in chosen]
        return {"EventSourceMappings": shown, "NextMarker": marker}

    async def delete_event_source_mapping(self, context: RequestContext, params: Params) -> Result:
        """DeleteEventSourceMapping. What is in flight is finished and settled."""

        async def body(tx: Transaction) -> Mapping:
            mapping = await _get(tx, context, params["UUID"])
            await records.delete_mapping(tx, context.account, context.region, mapping.uuid)
            await removal.remove(tx, unparking.parked_by(self._platform.targets, mapping))
            return mapping

        mapping = await self._store.transact(body)
        self._lanes.drop(mapping.uuid)
        return _shown(context, mapping, "Deleting")

    async def set_flow(self, context: RequestContext, params: Params) -> None:
        """Lambent's own: replace the flow control of the mapping `UUID`, or of the asynchronous
        invocations of the function with that ARN, by the document `Flow`."""
        mapping = await self._store.transact(
            lambda tx: set_flow(
                tx, context.account, context.region, params["UUID"], dict(params["Flow"])
            )
        )
        self._lanes.follow(mapping)

    async def _check_receiver(
        self, context: RequestContext, reference: Reference, source: str
    ) -> None:
        """In server mode, the function's role must be able to receive from the source."""
        if not self._platform.settings.auth:
            return
        try:
            role = await self._role_of(reference)
        except AwsError:
            return  # there is no such function, which is told later
        registry = self._platform.registry
        await role_permissions.require_source(registry, context, role, source)

    def _source(self, text: str) -> tuple[Arn, Source]:
        try:
            arn = Arn.parse(text)
        except ValueError:
            raise errors.invalid("Unrecognized event source.") from None
        source = self._platform.targets.source(arn)
        if source is None:
            raise errors.invalid(
                f"Unrecognized event source: {arn.service} is not available on this node."
            )
        return arn, source

    async def _settings(
        self,
        tx: Transaction,
        reference: Reference,
        arn: Arn,
        source: Source,
        present: dict[str, Any],
        params: Params,
    ) -> dict[str, Any]:
        function = await records.find_function(tx, reference)
        if function is None:
            raise errors.invalid("Function does not exist")
        version = await records.resolve(tx, reference, function)
        try:
            described = await source.describe(tx, arn)
        except AwsError as error:
            raise errors.invalid(
                "Error occurred while ReceiveMessage. SQS Error Code: "
                f"AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: {error.message}"
            ) from error
        mapping_rules.check_timeouts(described["visibility_timeout"], version.settings["Timeout"])
        return mapping_rules.queue_settings(present, params, described)


async def _get(tx: Transaction, context: RequestContext, uuid: str) -> Mapping:
    mapping = await records.find_mapping(tx, context.account, context.region, uuid)
    if mapping is None:
        raise errors.not_found()
    return mapping


async def _check_alone(
    tx: Transaction, context: RequestContext, source: str, function: Reference, uuid: str = ""
) -> None:
    """ResourceConflictException when another mapping than `uuid` has that source and function."""
    for other in await records.mappings(tx, context.account, context.region):
        if other.uuid != uuid and (other.source, other.function) == (source, function.qualified):
            raise errors.conflict(
                f'An event source mapping with SQS arn (" {source} ") and function '
                f'(" {function.name} ") already exists. Please update or delete the '
                f"existing mapping with UUID {other.uuid}"
            )


def _feeds(mapping: Mapping, reference: Reference) -> bool:
    function = names.from_arn(Arn.parse(mapping.function))
    return function.name == reference.name and reference.qualifier in (
        None,
        function.qualifier,
    )


def _shown(context: RequestContext, mapping: Mapping, state: str | None = None) -> dict[str, Any]:
    """An EventSourceMappingConfiguration. `state` is that of a change under way."""
    return {
        "UUID": mapping.uuid,
        "EventSourceArn": mapping.source,
        "FunctionArn": mapping.function,
        "EventSourceMappingArn": context.arn("lambda", f"event-source-mapping:{mapping.uuid}"),
        **mapping.settings,
        "State": state or ("Enabled" if mapping.enabled else "Disabled"),
        "StateTransitionReason": "USER_INITIATED",
        "LastModified": mapping.modified,
    }
