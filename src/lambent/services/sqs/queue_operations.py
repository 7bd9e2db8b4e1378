"""The operations on queues: definitions, attributes, tags, permissions, purge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError, StoreUnavailable
from lambent.core.ids import Ids
from lambent.services.sqs import attributes, errors, held_names, policy, redrive
from lambent.services.sqs.access import permits
from lambent.services.sqs.lookup import check, queue_of, sources_of
from lambent.services.sqs.model import Queue
from lambent.services.sqs.names import check_name, next_token, parse_next_token, queue_url
from lambent.services.sqs.queues import Queues
from lambent.services.sqs.retention import Retention
from lambent.store.contract import Store, Transaction

PURGE_INTERVAL = 60.0
MAX_RESULTS = 1000
MAX_TAGS = 50


class QueueOperations:
    """Create, find, describe, change and delete queues."""

    def __init__(
        self,
        store: Store,
        ids: Ids,
        queues: Queues,
        retention: Retention,
        *,
        hold_names: bool,
    ) -> None:
        self._store = store
        self._ids = ids
        self._queues = queues
        self._retention = retention
        self._hold_names = hold_names

    async def create_queue(self, context: RequestContext, params: Params) -> Result:
        name = params.get("QueueName") or ""
        if not name:
            raise errors.missing("QueueName")
        given = dict(params.get("Attributes") or {})
        fifo = str(given.get("FifoQueue", "")).lower() == "true"
        check_name(name, fifo)
        wanted = attributes.validated(given, fifo, creating=True)
        attributes.check_together(wanted)
        tags = dict(params.get("tags") or {})
        _check_tags(tags)

        async def body(tx: Transaction) -> str:
            existing = await self._queues.find(tx, context.account, context.region, name)
            if existing is not None:
                _check_same(existing, wanted, tags)
            else:
                if self._hold_names:
                    await held_names.check(tx, context.account, context.region, name)
                queue = Queue(
                    name=name,
                    account=context.account,
                    region=context.region,
                    uid=self._ids.hex(16),
                    created=tx.now,
                    modified=tx.now,
                    attributes={key: text for key, text in wanted.items() if text != ""},
                    tags=tags,
                )
                await self._check_redrive(tx, queue, wanted)
                await self._queues.create(tx, queue)
            return queue_url(context.endpoint, context.account, name)

        return {"QueueUrl": await self._store.transact(body)}

    async def get_queue_url(self, context: RequestContext, params: Params) -> Result:
        name = params.get("QueueName") or ""
        if not name:
            raise errors.missing("QueueName")
        owner = params.get("QueueOwnerAWSAccountId") or context.account

        async def body(tx: Transaction) -> None:
            queue = await self._queues.find(tx, owner, context.region, name)
            if owner != context.account and not (queue and permits(queue, context, "GetQueueUrl")):
                raise errors.hidden_queue()
            if queue is None:
                raise errors.no_such_queue()
            check(queue, context, "GetQueueUrl")

        await self._store.transact(body)
        return {"QueueUrl": queue_url(context.endpoint, owner, name)}

    async def list_queues(self, context: RequestContext, params: Params) -> Result:
        limit = params.get("MaxResults")
        if limit is not None and not 1 <= limit <= MAX_RESULTS:
            raise errors.invalid_value(
                limit, "MaxResults", f"MaxResults must be an integer between 1 and {MAX_RESULTS}."
            )
        page = limit or MAX_RESULTS
        after = _after(params)

        async def body(tx: Transaction) -> list[Queue]:
            return await self._queues.list(
                tx,
                context.account,
                context.region,
                prefix=params.get("QueueNamePrefix") or "",
                after=after,
                limit=page + 1,
            )

        found = await self._store.transact(body)
        more = limit is not None and len(found) > page
        urls = [queue_url(context.endpoint, queue.account, queue.name) for queue in found[:page]]
        return {
            "QueueUrls": urls or None,
            "NextToken": next_token(found[page - 1].name) if more else None,
        }

    async def delete_queue(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            queue = await queue_of(tx, self._queues, context, params, "DeleteQueue")
            if self._hold_names:
                await held_names.hold(tx, queue)
            await self._queues.delete(tx, queue)

        await self._store.transact(body)
        return None

    async def purge_queue(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            queue = await queue_of(tx, self._queues, context, params, "PurgeQueue")
            if tx.now - queue.purged < PURGE_INTERVAL:
                raise AwsError(
                    "PurgeQueueInProgress",
                    f"Only one PurgeQueue operation on {queue.name} is allowed every 60 seconds.",
                    403,
                )
            await self._queues.purge(tx, queue)

        await self._store.transact(body)
        return None

    async def get_queue_attributes(self, context: RequestContext, params: Params) -> Result:
        names = set(params.get("AttributeNames") or ())
        for name in names - attributes.READABLE - {"All"}:
            raise errors.unknown_attribute(name)

        async def body(tx: Transaction, tidy: bool) -> dict[str, str]:
            queue = await queue_of(tx, self._queues, context, params, "GetQueueAttributes")
            if tidy:
                await self._retention.look(tx, queue)
            counts = await tx.work_counts(queue.work)
            computed = (
                counts.ready,
                counts.delayed,
                counts.leased,
                int(queue.created),
                int(queue.modified),
                queue.arn,
            )
            return {
                **dict(zip(attributes.COMPUTED, map(str, computed), strict=True)),
                **attributes.stored(queue),
            }

        try:
            everything = await self._store.transact(lambda tx: body(tx, True))
        except StoreUnavailable:
            # One that cannot write now may still read, what is too old included.
            everything = await self._store.transact(lambda tx: body(tx, False))
        chosen = {
            name: text for name, text in everything.items() if "All" in names or name in names
        }
        return {"Attributes": chosen or None}

    async def set_queue_attributes(self, context: RequestContext, params: Params) -> Result:
        given = params.get("Attributes")
        if not given:
            raise errors.missing("Attributes")

        async def body(tx: Transaction) -> None:
            queue = await queue_of(tx, self._queues, context, params, "SetQueueAttributes")
            await self.change_attributes(tx, queue, given)

        await self._store.transact(body)
        return None

    async def change_attributes(
        self, tx: Transaction, queue: Queue, given: Mapping[str, str]
    ) -> None:
        """Validate and store changed attributes; an empty document removes it."""
        changed = attributes.validated(given, queue.fifo, creating=False)
        merged = attributes.merged(queue.attributes, changed)
        attributes.check_together(merged)
        updated = msgspec.structs.replace(
            queue,
            modified=tx.now,
            attributes={name: text for name, text in merged.items() if text != ""},
        )
        await self._check_redrive(tx, updated, changed)
        await self._queues.save(tx, updated)

    async def _check_redrive(
        self, tx: Transaction, queue: Queue, changed: Mapping[str, str]
    ) -> None:
        if changed.get("RedriveAllowPolicy"):
            redrive.check_allow_policy(changed["RedriveAllowPolicy"])
        text = changed.get("RedrivePolicy")
        if text:
            target = await self._queues.by_arn(tx, redrive.parse_policy(text).target)
            reason = redrive.refusal(queue, target)
            if reason:
                raise errors.invalid_value(text, "RedrivePolicy", reason)

    async def list_dead_letter_source_queues(
        self, context: RequestContext, params: Params
    ) -> Result:
        limit = params.get("MaxResults")
        if limit is not None and not 1 <= limit <= MAX_RESULTS:
            raise errors.invalid_value(
                limit, "MaxResults", f"MaxResults must be an integer between 1 and {MAX_RESULTS}."
            )
        page = limit or MAX_RESULTS
        after = _after(params)

        async def body(tx: Transaction) -> list[str]:
            queue = await queue_of(tx, self._queues, context, params, "ListDeadLetterSourceQueues")
            return await sources_of(tx, self._queues, queue, after=after, limit=page + 1)

        names = await self._store.transact(body)
        more = limit is not None and len(names) > page
        return {
            "queueUrls": [queue_url(context.endpoint, context.account, n) for n in names[:page]],
            "NextToken": next_token(names[page - 1]) if more else None,
        }

    async def list_queue_tags(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> dict[str, str]:
            return (await queue_of(tx, self._queues, context, params, "ListQueueTags")).tags

        return {"Tags": await self._store.transact(body) or None}

    async def tag_queue(self, context: RequestContext, params: Params) -> Result:
        added = dict(params.get("Tags") or {})
        if not added:
            raise errors.missing("Tags")

        async def body(tx: Transaction) -> None:
            queue = await queue_of(tx, self._queues, context, params, "TagQueue")
            tags = {**queue.tags, **added}
            _check_tags(tags)
            await self._queues.save(tx, msgspec.structs.replace(queue, tags=tags))

        await self._store.transact(body)
        return None

    async def untag_queue(self, context: RequestContext, params: Params) -> Result:
        removed = set(params.get("TagKeys") or ())
        if not removed:
            raise errors.invalid("Tag keys must be between 1 and 50.")

        async def body(tx: Transaction) -> None:
            queue = await queue_of(tx, self._queues, context, params, "UntagQueue")
            tags = {key: text for key, text in queue.tags.items() if key not in removed}
            await self._queues.save(tx, msgspec.structs.replace(queue, tags=tags))

        await self._store.transact(body)
        return None

    async def add_permission(self, context: RequestContext, params: Params) -> Result:
        return await self._change_policy(
            context,
            params,
            "AddPermission",
            lambda queue, document: policy.add(
                document,
                queue.arn,
                params.get("Label") or "",
                params.get("AWSAccountIds") or [],
                params.get("Actions") or [],
            ),
        )

    async def remove_permission(self, context: RequestContext, params: Params) -> Result:
        return await self._change_policy(
            context,
            params,
            "RemovePermission",
            lambda _, document: policy.remove(document, params.get("Label") or ""),
        )

    async def _change_policy(
        self, context: RequestContext, params: Params, action: str, change: policy.Change
    ) -> Result:
        async def body(tx: Transaction) -> None:
            queue = await queue_of(tx, self._queues, context, params, action)
            text = queue.attributes.get("Policy")
            document: dict[str, Any] | None = json.loads(text) if text else None
            changed = change(queue, document)
            await self.change_attributes(
                tx, queue, {"Policy": _compact(changed) if changed["Statement"] else ""}
            )

        await self._store.transact(body)
        return None


def _check_same(existing: Queue, wanted: Mapping[str, str], tags: Mapping[str, str]) -> None:
    if tags and tags != existing.tags:
        raise AwsError(
            "QueueNameExists",
            "A queue already exists with the same name and a different value for tags",
        )
    present = attributes.stored(existing)
    for name, text in wanted.items():
        if not attributes.same(name, present.get(name, ""), text):
            raise AwsError(
                "QueueNameExists",
                "A queue already exists with the same name and a different value for attribute "
                f"{name}",
            )


def _compact(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


def _after(params: Params) -> str:
    """The name after which the page begins that a request's NextToken means."""
    token = params.get("NextToken")
    return parse_next_token(token) if token else ""


def _check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > MAX_TAGS:
        raise errors.invalid(f"Too many tags added for queue. Maximum is {MAX_TAGS}.")
    for key, text in tags.items():
        if not 1 <= len(key) <= 128 or key.lower().startswith("aws:"):
            raise errors.invalid(f"Tag key is invalid: {key}")
        if len(text) > 256:
            raise errors.invalid(f"Tag value is invalid: {text}")
