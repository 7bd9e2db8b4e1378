"""The operations on alarms.

Source: CloudWatch API Reference, PutMetricAlarm, PutCompositeAlarm, DescribeAlarms,
DescribeAlarmsForMetric, DescribeAlarmHistory, SetAlarmState, DeleteAlarms, Enable- and
DisableAlarmActions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.events.contract import Targets
from lambent.services.cloudwatch import alarm_rules, alarms, composites, datum, errors, listing
from lambent.services.cloudwatch.alarm_rule import Rule
from lambent.services.cloudwatch.model import (
    ALARMS,
    HISTORY,
    Alarm,
    HistoryItem,
    decode_alarm,
    decode_history,
    scope,
)
from lambent.store.contract import Store, Transaction

MOST_AT_ONCE: Final = 100
_NOT_HERE: Final = (
    *("ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"),
)
_PAGE: Final = 50
_HISTORY_PAGE: Final = 100


class AlarmOperations:
    """Metric alarms, their state and their history."""

    def __init__(self, store: Store, targets: Targets) -> None:
        self._store = store
        self._targets = targets

    async def put_metric_alarm(self, context: RequestContext, params: Params) -> Result:
        alarm_rules.check(params, context.account)
        tags = {one["Key"]: one["Value"] for one in params.get("Tags") or ()}
        settings = {name: value for name, value in params.items() if name != "Tags"}
        settings.setdefault("ActionsEnabled", True)
        await self._store.transact(lambda tx: self._put(tx, context, settings, tags))
        return None

    async def put_composite_alarm(self, context: RequestContext, params: Params) -> Result:
        for name in _NOT_HERE:
            if params.get(name) is not None:
                raise errors.validation(f"The parameter {name} is not supported here.")
        rule = Rule(params["AlarmRule"])
        alarm_rules.check_actions(params)
        tags = {one["Key"]: one["Value"] for one in params.get("Tags") or ()}
        settings = {name: value for name, value in params.items() if name != "Tags"}
        settings.setdefault("ActionsEnabled", True)

        async def body(tx: Transaction) -> None:
            account, region = context.account, context.region
            await composites.check(tx, account, region, rule, params["AlarmName"])
            alarm = await self._put(tx, context, settings, tags, composite=True)
            await composites.judge(tx, self._targets, account, region, alarm)

        await self._store.transact(body)
        return None

    async def _put(
        self,
        tx: Transaction,
        context: RequestContext,
        settings: dict[str, Any],
        tags: dict[str, str],
        composite: bool = False,
    ) -> Alarm:
        name = settings["AlarmName"]
        known = await alarms.find(tx, context.account, context.region, name)
        if known is not None and known.composite != composite:
            raise errors.validation(f"There is an alarm of the other kind named {name}.")
        if known is None:
            alarm = Alarm(
                name,
                settings,
                tx.now,
                changed=tx.now,
                transitioned=tx.now,
                tags=tags,
                composite=composite,
            )
            kind, summary = "Create", f'Alarm "{name}" created'
        else:
            alarm = msgspec.structs.replace(known, settings=settings, configured=tx.now)
            kind, summary = "Update", f'Alarm "{name}" updated'
        await alarms.save(tx, context.account, context.region, alarm)
        await self._configured(tx, context, alarm, kind, summary)
        return alarm

    async def _configured(
        self, tx: Transaction, context: RequestContext, alarm: Alarm, kind: str, summary: str
    ) -> None:
        data = {"version": "1.0", "type": kind, "alarmName": alarm.name}
        await alarms.note(
            tx,
            context.account,
            context.region,
            alarm,
            "ConfigurationUpdate",
            summary,
            data,
        )

    async def delete_alarms(self, context: RequestContext, params: Params) -> Result:
        names = params.get("AlarmNames") or []
        if not names:
            raise errors.missing("AlarmNames")

        async def body(tx: Transaction) -> None:
            for name in names:
                alarm = await alarms.get(tx, context.account, context.region, name)
                await tx.delete(ALARMS, scope(context.account, context.region), name.encode())
                await self._configured(tx, context, alarm, "Delete", f'Alarm "{name}" deleted')

        await self._store.transact(body)
        return None

    async def describe_alarms(self, context: RequestContext, params: Params) -> Result:
        if params.get("AlarmNames") and params.get("AlarmNamePrefix"):
            raise errors.validation(
                "AlarmNames and AlarmNamePrefix are mutually exclusive parameters."
            )
        kinds = params.get("AlarmTypes") or ["MetricAlarm"]
        everything = await self._alarms(context)
        related = _related(everything, params)
        if related is not None:
            everything, kinds = related, ["MetricAlarm", "CompositeAlarm"]
        after = (listing.token_read(params.get("NextToken")) or b"").decode(errors="replace")
        found = [
            alarm
            for alarm in everything
            if alarm.name > after and _kind(alarm) in kinds and _wanted(alarm, params)
        ]
        most = params.get("MaxRecords") or _PAGE
        token = listing.token_made(found[most - 1].name.encode()) if len(found) > most else None
        shown: dict[str, list[Any]] = {"MetricAlarms": [], "CompositeAlarms": []}
        for alarm in found[:most]:
            wire = alarms.wire(alarm, context.account, context.region)
            shown[f"{_kind(alarm)}s"].append(wire)
        return {**shown, "NextToken": token}

    async def describe_alarms_for_metric(self, context: RequestContext, params: Params) -> Result:
        wanted = {
            name: params[name]
            for name in (
                *("Namespace", "MetricName", "Statistic", "ExtendedStatistic", "Period"),
                "Unit",
            )
            if params.get(name) is not None
        }
        dimensions = datum.dimensions(params.get("Dimensions"))
        found = [
            alarm
            for alarm in await self._alarms(context)
            if not alarm.composite
            and not alarm.settings.get("Metrics")
            and all(alarm.settings.get(name) == value for name, value in wanted.items())
            and datum.dimensions(alarm.settings.get("Dimensions")) == dimensions
        ]
        return {
            "MetricAlarms": [alarms.wire(one, context.account, context.region) for one in found]
        }

    async def _alarms(self, context: RequestContext) -> list[Alarm]:
        partition = scope(context.account, context.region)
        records = await self._store.transact(lambda tx: tx.scan(ALARMS, partition))
        return [decode_alarm(record.value) for record in records]

    async def describe_alarm_history(self, context: RequestContext, params: Params) -> Result:
        name, kind = params.get("AlarmName"), params.get("HistoryItemType")
        start, end = params.get("StartDate"), params.get("EndDate")
        kinds = params.get("AlarmTypes") or ["MetricAlarm"]
        prefix = f"{name}\0".encode() if name else b""
        partition = scope(context.account, context.region)
        records = await self._store.transact(
            lambda tx: tx.scan(
                HISTORY, partition, start=prefix, end=prefix + b"\xff" if prefix else None
            )
        )
        items = [decode_history(record.value) for record in records]
        found = [
            item
            for item in items
            if kind in (None, item.kind)
            and (start is None or item.at >= start)
            and (end is None or item.at <= end)
            and ("CompositeAlarm" if item.composite else "MetricAlarm") in kinds
        ]
        found.sort(key=lambda item: item.at, reverse=params.get("ScanBy") != "TimestampAscending")
        skip = listing.token_read(params.get("NextToken")) or b"0"
        if not skip.isdigit() or len(skip) > 12:
            raise errors.bad_token()
        begin, most = int(skip), params.get("MaxRecords") or _HISTORY_PAGE
        more = begin + most < len(found)
        return {
            "AlarmHistoryItems": [_item(item) for item in found[begin : begin + most]],
            "NextToken": listing.token_made(str(begin + most).encode()) if more else None,
        }

    async def set_alarm_state(self, context: RequestContext, params: Params) -> Result:
        data = params.get("StateReasonData")
        if data:
            try:
                json.loads(data)
            except (ValueError, RecursionError):
                raise AwsError("InvalidFormatFault", "StateReasonData is not valid JSON.") from None

        async def body(tx: Transaction) -> None:
            account, region, name = context.account, context.region, params["AlarmName"]
            alarm = await alarms.get(tx, account, region, name)
            state, reason = params["StateValue"], params["StateReason"]
            await alarms.change(
                tx, self._targets, account, region, alarm, state, reason, data or None
            )
            if state != alarm.state:
                await composites.changed(tx, self._targets, account, region, name)

        await self._store.transact(body)
        return None

    async def enable_alarm_actions(self, context: RequestContext, params: Params) -> Result:
        return await self._switch(context, params, True)

    async def disable_alarm_actions(self, context: RequestContext, params: Params) -> Result:
        return await self._switch(context, params, False)

    async def _switch(self, context: RequestContext, params: Params, on: bool) -> Result:
        async def body(tx: Transaction) -> None:
            for name in params.get("AlarmNames") or ():
                alarm = await alarms.find(tx, context.account, context.region, name)
                if alarm is None or alarm.settings.get("ActionsEnabled", True) == on:
                    continue
                settings = {**alarm.settings, "ActionsEnabled": on}
                changed = msgspec.structs.replace(alarm, settings=settings, configured=tx.now)
                await alarms.save(tx, context.account, context.region, changed)
                await self._configured(tx, context, alarm, "Update", f'Alarm "{name}" updated')

        await self._store.transact(body)
        return None

    # Tags ------------------------------------------------------------------------------

    async def list_tags_for_resource(self, context: RequestContext, params: Params) -> Result:
        name = _named(params)

        async def body(tx: Transaction) -> dict[str, str]:
            return (await _tagged(tx, context, name)).tags

        tags = await self._store.transact(body)
        return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}

    async def tag_resource(self, context: RequestContext, params: Params) -> Result:
        given = {one["Key"]: one["Value"] for one in params.get("Tags") or ()}
        return await self._retag(context, params, given, ())

    async def untag_resource(self, context: RequestContext, params: Params) -> Result:
        return await self._retag(context, params, {}, params.get("TagKeys") or ())

    async def _retag(
        self, context: RequestContext, params: Params, given: Mapping[str, str], gone: Sequence[str]
    ) -> Result:
        name = _named(params)

        async def body(tx: Transaction) -> None:
            alarm = await _tagged(tx, context, name)
            tags = {key: text for key, text in {**alarm.tags, **given}.items() if key not in gone}
            if len(tags) > 50:
                raise errors.validation("A resource can have at most 50 tags.")
            changed = msgspec.structs.replace(alarm, tags=tags)
            await alarms.save(tx, context.account, context.region, changed)

        await self._store.transact(body)
        return None


async def _tagged(tx: Transaction, context: RequestContext, name: str) -> Alarm:
    alarm = await alarms.find(tx, context.account, context.region, name)
    if alarm is None:
        raise AwsError(
            "ResourceNotFoundException",
            "The resource does not exist.",
            members={"ResourceType": "alarm", "ResourceId": name},
        )
    return alarm


def _named(params: Mapping[str, Any]) -> str:
    """The alarm that a tag operation's ARN names."""
    _, found, name = params["ResourceARN"].partition(":alarm:")
    if not found:
        raise errors.invalid_value(params["ResourceARN"], "ResourceARN")
    return str(name)


def _wanted(alarm: Alarm, params: Mapping[str, Any]) -> bool:
    names = params.get("AlarmNames")
    if names and alarm.name not in names:
        return False
    if not alarm.name.startswith(params.get("AlarmNamePrefix") or ""):
        return False
    if params.get("StateValue") not in (None, alarm.state):
        return False
    prefix = params.get("ActionPrefix")
    return not prefix or any(
        action.startswith(prefix)
        for kind in ("OKActions", "AlarmActions", "InsufficientDataActions")
        for action in alarm.settings.get(kind) or ()
    )


def _kind(alarm: Alarm) -> str:
    return "CompositeAlarm" if alarm.composite else "MetricAlarm"


def _related(everything: list[Alarm], params: Mapping[str, Any]) -> list[Alarm] | None:
    """The alarms that a composite alarm stands on, or that stand on an alarm; None when that
    is not asked for."""
    rules = {one.name: Rule(one.settings["AlarmRule"]) for one in everything if one.composite}
    if parent := params.get("ChildrenOfAlarmName"):
        children = rules[parent].children if parent in rules else []
        return [one for one in everything if one.name in children]
    if child := params.get("ParentsOfAlarmName"):
        return [
            one for one in everything if one.name in rules and child in rules[one.name].children
        ]
    return None


def _item(item: HistoryItem) -> dict[str, Any]:
    return {
        "AlarmName": item.name,
        "AlarmType": "CompositeAlarm" if item.composite else "MetricAlarm",
        "Timestamp": item.at,
        "HistoryItemType": item.kind,
        "HistorySummary": item.summary,
        "HistoryData": item.data,
    }
