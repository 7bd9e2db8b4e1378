"""The operations of CloudWatch Logs."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.services.logs import catalogue, reading
from lambent.services.logs.figures import Figures
from lambent.services.logs.metric_filters import MetricFilterOperations
from lambent.services.logs.model import MAX_AGE, MAX_AHEAD, Group, LogEvent, Stream, encode
from lambent.services.logs.pattern import compile_pattern
from lambent.store.contract import Store, Transaction

RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192),
    *(2557, 2922, 3288, 3653),
)
MAX_EVENTS = 10_000
MAX_BATCH_BYTES = 1_048_576
EVENT_OVERHEAD = 26
MAX_PAGE_BYTES = 1_048_576


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def _name(params: Params) -> str:
    name = params.get("logGroupName") or params.get("logGroupIdentifier")
    if not name:
        raise _invalid("Exactly one of logGroupName and logGroupIdentifier must be specified.")
    return catalogue.group_name(name)


class LogOperations(MetricFilterOperations):
    """Groups, streams, events, retention, tags and metric filters."""

    def __init__(self, store: Store, ids: Ids, figures: Figures) -> None:
        super().__init__(store)
        self._figures = figures
        self._store = store
        self._ids = ids

    # Groups ----------------------------------------------------------------------------

    async def create_log_group(self, context: RequestContext, params: Params) -> Result:
        if params["logGroupName"].lower().startswith("aws/"):
            raise _invalid("Log groups starting with AWS/ are reserved for AWS.")

        async def body(tx: Transaction) -> None:
            name = params["logGroupName"]
            if await catalogue.find_group(tx, context, name) is not None:
                raise AwsError(
                    "ResourceAlreadyExistsException", "The specified log group already exists"
                )
            group = Group(
                name=name,
                uid=self._ids.hex(16),
                created=tx.now,
                tags=dict(params.get("tags") or {}),
                klass=params.get("logGroupClass") or "STANDARD",
                kms_key=params.get("kmsKeyId"),
            )
            await catalogue.save_group(tx, context, group)

        await self._store.transact(body)
        return None

    async def delete_log_group(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            group = await catalogue.get_group(tx, context, params["logGroupName"])
            await catalogue.delete_group(tx, context, group)

        await self._store.transact(body)
        return None

    async def describe_log_groups(self, context: RequestContext, params: Params) -> Result:
        limit = params.get("limit") or 50
        pattern = params.get("logGroupNamePattern")
        if pattern and params.get("logGroupNamePrefix"):
            raise _invalid(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
            )

        async def body(tx: Transaction) -> list[dict[str, Any]]:
            groups = await catalogue.list_groups(
                tx,
                context,
                prefix=params.get("logGroupNamePrefix") or "",
                after=params.get("nextToken") or "",
                limit=None if pattern else limit + 1,
            )
            if pattern:
                groups = [group for group in groups if pattern.lower() in group.name.lower()]
            shown: list[dict[str, Any]] = []
            for group in groups[: limit + 1]:
                streams = await catalogue.list_streams(tx, group)
                stored = sum(stream.stored for stream in streams)
                shown.append(_group_wire(context, group, stored))
            return shown

        found = await self._store.transact(body)
        more = len(found) > limit
        return {
            "logGroups": found[:limit],
            "nextToken": found[limit - 1]["logGroupName"] if more else None,
        }

    async def put_retention_policy(self, context: RequestContext, params: Params) -> Result:
        days = params["retentionInDays"]
        if days not in RETENTION_DAYS:
            raise _invalid(
                "Invalid retention value, valid values are: "
                f"[{', '.join(map(str, RETENTION_DAYS))}]"
            )
        return await self._change_group(context, params["logGroupName"], retention=days)

    async def delete_retention_policy(self, context: RequestContext, params: Params) -> Result:
        return await self._change_group(context, params["logGroupName"], retention=None)

    async def _change_group(self, context: RequestContext, name: str, **changes: Any) -> Result:
        async def body(tx: Transaction) -> None:
            group = await catalogue.get_group(tx, context, name)
            await catalogue.save_group(tx, context, msgspec.structs.replace(group, **changes))

        await self._store.transact(body)
        return None

    # Tags ------------------------------------------------------------------------------

    async def list_tags_for_resource(self, context: RequestContext, params: Params) -> Result:
        return await self._tags(context, catalogue.group_name(params["resourceArn"]))

    async def list_tags_log_group(self, context: RequestContext, params: Params) -> Result:
        return await self._tags(context, params["logGroupName"])

    async def _tags(self, context: RequestContext, name: str) -> Result:
        async def body(tx: Transaction) -> dict[str, str]:
            return (await catalogue.get_group(tx, context, name)).tags

        return {"tags": await self._store.transact(body)}

    async def tag_resource(self, context: RequestContext, params: Params) -> Result:
        name = catalogue.group_name(params["resourceArn"])
        return await self._retag(context, name, params["tags"], [])

    async def tag_log_group(self, context: RequestContext, params: Params) -> Result:
        return await self._retag(context, params["logGroupName"], params["tags"], [])

    async def untag_resource(self, context: RequestContext, params: Params) -> Result:
        name = catalogue.group_name(params["resourceArn"])
        return await self._retag(context, name, {}, params["tagKeys"])

    async def untag_log_group(self, context: RequestContext, params: Params) -> Result:
        return await self._retag(context, params["logGroupName"], {}, params["tags"])

    async def _retag(
        self, context: RequestContext, name: str, added: dict[str, str], removed: list[str]
    ) -> Result:
        async def body(tx: Transaction) -> None:
            group = await catalogue.get_group(tx, context, name)
            tags = {
                key: text for key, text in {**group.tags, **added}.items() if key not in removed
            }
            await catalogue.save_group(tx, context, msgspec.structs.replace(group, tags=tags))

        await self._store.transact(body)
        return None

    # Streams ---------------------------------------------------------------------------

    async def create_log_stream(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            group = await catalogue.get_group(tx, context, params["logGroupName"])
            name = params["logStreamName"]
            if await catalogue.find_stream(tx, group, name) is not None:
                raise AwsError(
                    "ResourceAlreadyExistsException", "The specified log stream already exists"
                )
            await catalogue.save_stream(tx, group, Stream(name, self._ids.hex(16), tx.now))

        await self._store.transact(body)
        return None

    async def delete_log_stream(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            group = await catalogue.get_group(tx, context, params["logGroupName"])
            stream = await catalogue.get_stream(tx, group, params["logStreamName"])
            await catalogue.delete_stream(tx, group, stream)

        await self._store.transact(body)
        return None

    async def describe_log_streams(self, context: RequestContext, params: Params) -> Result:
        limit = params.get("limit") or 50
        by_time = params.get("orderBy") == "LastEventTime"
        if by_time and params.get("logStreamNamePrefix"):
            raise _invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")

        async def body(tx: Transaction) -> tuple[Group, list[Stream]]:
            group = await catalogue.get_group(tx, context, _name(params))
            streams = await catalogue.list_streams(
                tx, group, prefix=params.get("logStreamNamePrefix") or ""
            )
            return group, streams

        group, streams = await self._store.transact(body)
        if by_time:
            streams.sort(key=lambda stream: (stream.last_event or 0, stream.name))
        if params.get("descending"):
            streams.reverse()
        token = params.get("nextToken")
        if token:
            names = [stream.name for stream in streams]
            if token not in names:
                raise _invalid("The specified nextToken is invalid.")
            streams = streams[names.index(token) + 1 :]
        shown = streams[:limit]
        return {
            "logStreams": [_stream_wire(context, group, stream) for stream in shown],
            "nextToken": shown[-1].name if len(streams) > limit else None,
        }

    # Events ----------------------------------------------------------------------------

    async def put_log_events(self, context: RequestContext, params: Params) -> Result:
        events = params["logEvents"]
        _check_batch(events)

        async def body(tx: Transaction) -> tuple[Group, list[Any], dict[str, int]]:
            group = await catalogue.get_group(tx, context, params["logGroupName"])
            stream = await catalogue.get_stream(tx, group, params["logStreamName"])
            oldest, newest = (tx.now - MAX_AGE) * 1000, (tx.now + MAX_AHEAD) * 1000
            expired = (
                (tx.now - group.retention * 86_400) * 1000 if group.retention else float("-inf")
            )
            kept = [e for e in events if max(oldest, expired) <= e["timestamp"] <= newest]
            if kept:
                await tx.append(
                    stream.log, [encode(LogEvent(e["timestamp"], e["message"])) for e in kept]
                )
                first, last = kept[0]["timestamp"], kept[-1]["timestamp"]
                known_first, known_last = stream.first_event, stream.last_event
                updated = msgspec.structs.replace(
                    stream,
                    first_event=first if known_first is None else min(known_first, first),
                    last_event=last if known_last is None else max(known_last, last),
                    last_ingestion=tx.now,
                    stored=stream.stored + _size(kept),
                )
                await catalogue.save_stream(tx, group, updated)
            rejected: dict[str, int] = {}
            if count := sum(e["timestamp"] < oldest for e in events):
                rejected["tooOldLogEventEndIndex"] = count
            if count := sum(oldest <= e["timestamp"] < expired for e in events):
                rejected["expiredLogEventEndIndex"] = count
            if any(e["timestamp"] > newest for e in events):
                rejected["tooNewLogEventStartIndex"] = sum(e["timestamp"] <= newest for e in events)
            return group, kept, rejected

        group, kept, rejected = await self._store.transact(body)
        if kept:
            self._figures.came(context, group, kept, _size(kept))
        return {
            "nextSequenceToken": self._ids.token(56, "0123456789"),
            "rejectedLogEventsInfo": rejected or None,
        }

    async def get_log_events(self, context: RequestContext, params: Params) -> Result:
        limit = params.get("limit") or MAX_EVENTS
        within = reading.Range(params.get("startTime"), params.get("endTime"))
        given = params.get("nextToken")
        direction, position = reading.parse_token(given) if given else (None, 0)
        from_head = bool(params.get("startFromHead"))

        async def body(tx: Transaction) -> list[reading.Found]:
            group = await catalogue.get_group(tx, context, _name(params))
            stream = await catalogue.get_stream(tx, group, params["logStreamName"])
            if direction == "f" or (direction is None and from_head):
                return await reading.page(tx, stream, within, limit, after=position)
            return await reading.page(
                tx, stream, within, limit, before=position if direction else None
            )

        found = await self._store.transact(body)
        forward, backward = (found[-1].position, found[0].position) if found else (position,) * 2
        return {
            "events": [
                {
                    "timestamp": item.event.timestamp,
                    "message": item.event.message,
                    "ingestionTime": item.ingested,
                }
                for item in sorted(found, key=lambda item: item.event.timestamp)
            ],
            "nextForwardToken": reading.token("f", forward),
            "nextBackwardToken": reading.token("b", backward),
        }

    async def filter_log_events(self, context: RequestContext, params: Params) -> Result:
        names = params.get("logStreamNames")
        prefix = params.get("logStreamNamePrefix")
        if names and prefix:
            raise _invalid(
                "Cannot specify both logStreamNames and logStreamNamePrefix in the same request."
            )
        within = reading.Range(params.get("startTime"), params.get("endTime"))
        test = compile_pattern(params.get("filterPattern") or "")
        limit = params.get("limit") or MAX_EVENTS
        token = params.get("nextToken")

        async def body(tx: Transaction) -> list[reading.Found]:
            group = await catalogue.get_group(tx, context, _name(params))
            if names:
                streams = [await catalogue.get_stream(tx, group, name) for name in names]
            else:
                streams = await catalogue.list_streams(tx, group, prefix=prefix or "")
            return await reading.search(tx, streams, within, test)

        found = await self._store.transact(body)
        if token:
            found = found[_after_token(found, token) :]
        size, count = 0, 0
        for item in found[:limit]:
            size += len(item.event.message) + EVENT_OVERHEAD
            if count and size > MAX_PAGE_BYTES:
                break
            count += 1
        shown = found[:count]
        return {
            "events": [
                {
                    "logStreamName": item.stream,
                    "timestamp": item.event.timestamp,
                    "message": item.event.message,
                    "ingestionTime": item.ingested,
                    "eventId": item.id,
                }
                for item in shown
            ],
            "searchedLogStreams": [],
            "nextToken": f"{shown[-1].id}/{shown[-1].stream}" if count < len(found) else None,
        }


def _after_token(found: list[reading.Found], token: str) -> int:
    for index, item in enumerate(found):
        if f"{item.id}/{item.stream}" == token:
            return index + 1
    raise _invalid("The specified nextToken is invalid.")


def _size(events: list[dict[str, Any]]) -> int:
    return sum(len(event["message"].encode()) + EVENT_OVERHEAD for event in events)


def _check_batch(events: list[dict[str, Any]]) -> None:
    size = _size(events)
    if size > MAX_BATCH_BYTES:
        raise _invalid(
            f"Upload too large: {size} bytes exceeds limit of {MAX_BATCH_BYTES}",
        )
    times = [event["timestamp"] for event in events]
    if any(later < earlier for earlier, later in itertools.pairwise(times)):
        raise _invalid(
            "Log events in a single PutLogEvents request must be in chronological order."
        )
    if times and times[-1] - times[0] > 86_400_000:
        raise _invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than "
            "24 hours."
        )


def _group_wire(context: RequestContext, group: Group, stored: int) -> dict[str, Any]:
    arn = context.arn("logs", f"log-group:{group.name}")
    return {
        "logGroupName": group.name,
        "creationTime": int(group.created * 1000),
        "retentionInDays": group.retention,
        "metricFilterCount": len(group.filters),
        "arn": f"{arn}:*",
        "logGroupArn": arn,
        "storedBytes": stored,
        "kmsKeyId": group.kms_key,
        "logGroupClass": group.klass,
    }


def _stream_wire(context: RequestContext, group: Group, stream: Stream) -> dict[str, Any]:
    return {
        "logStreamName": stream.name,
        "creationTime": int(stream.created * 1000),
        "firstEventTimestamp": stream.first_event,
        "lastEventTimestamp": stream.last_event,
        "lastIngestionTime": int(stream.last_ingestion * 1000) if stream.last_ingestion else None,
        "arn": context.arn("logs", f"log-group:{group.name}:log-stream:{stream.name}"),
        # AWS stopped counting single streams in 2019 and says zero.
        "storedBytes": 0,
    }
