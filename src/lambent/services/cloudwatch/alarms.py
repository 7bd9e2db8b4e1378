"""Alarms in the store: found, saved, changed in state, with their history and actions.

A change of state, what history says of it and what its actions send are one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from lambent.core.arns import Arn
from lambent.core.errors import AwsError
from lambent.events.contract import Event, Sender, Targets
from lambent.services.cloudwatch import errors, notices
from lambent.services.cloudwatch.evaluating import stamp
from lambent.services.cloudwatch.model import (
    ALARMS,
    HISTORY,
    Alarm,
    HistoryItem,
    decode_alarm,
    encode,
    scope,
)
from lambent.store.contract import Transaction

HISTORY_SECONDS: Final = 30 * 86_400.0
_ACTIONS: Final = {
    "OK": "OKActions",
    "ALARM": "AlarmActions",
    "INSUFFICIENT_DATA": "InsufficientDataActions",
}


def arn(account: str, region: str, name: str) -> str:
    """An alarm's ARN."""
    return f"arn:aws:cloudwatch:{region}:{account}:alarm:{name}"


async def find(tx: Transaction, account: str, region: str, name: str) -> Alarm | None:
    """The alarm of that name, or None."""
    record = await tx.get(ALARMS, scope(account, region), name.encode())
    return decode_alarm(record.value) if record else None


async def get(tx: Transaction, account: str, region: str, name: str) -> Alarm:
    """The alarm of that name; ResourceNotFound."""
    alarm = await find(tx, account, region, name)
    if alarm is None:
        raise errors.not_found(f"The alarm {name} does not exist.")
    return alarm


async def save(tx: Transaction, account: str, region: str, alarm: Alarm) -> None:
    """Write an alarm."""
    await tx.put(ALARMS, scope(account, region), alarm.name.encode(), encode(alarm))


async def note(
    tx: Transaction,
    account: str,
    region: str,
    alarm: Alarm,
    kind: str,
    summary: str,
    data: object,
) -> None:
    """Write history."""
    name = alarm.name
    text = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
    item = HistoryItem(name, kind, tx.now, summary[:255], text[:4095], alarm.composite)
    prefix = f"{name}\0{int(tx.now * 1000):014d}\0".encode()
    partition = scope(account, region)
    number = len(await tx.scan(HISTORY, partition, start=prefix, end=prefix + b"\xff"))
    await tx.put(HISTORY, partition, prefix + f"{number:04d}".encode(), encode(item))


async def change(
    tx: Transaction,
    targets: Targets,
    account: str,
    region: str,
    alarm: Alarm,
    state: str,
    reason: str,
    data: str | None,
) -> Alarm:
    """Bring an alarm into a state; what happens then happens only when it is another."""
    changed = msgspec.structs.replace(
        alarm, state=state, reason=reason, reason_data=data, changed=tx.now
    )
    if state == alarm.state:
        await save(tx, account, region, changed)
        return changed
    changed = msgspec.structs.replace(changed, transitioned=tx.now)
    await save(tx, account, region, changed)
    await note(
        tx,
        account,
        region,
        alarm,
        "StateUpdate",
        f"Alarm updated from {alarm.state} to {state}",
        {
            "version": "1.0",
            "oldState": _state(alarm),
            "newState": _state(changed),
        },
    )
    if alarm.settings.get("ActionsEnabled", True):
        for action in alarm.settings.get(_ACTIONS[state]) or ():
            await _act(tx, targets, account, region, alarm, changed, action)
    return changed


def _state(alarm: Alarm) -> dict[str, Any]:
    state: dict[str, Any] = {"stateValue": alarm.state, "stateReason": alarm.reason}
    if alarm.reason_data:
        try:
            state["stateReasonData"] = json.loads(alarm.reason_data)
        except ValueError:
            state["stateReasonData"] = alarm.reason_data
    return state


async def _act(
    tx: Transaction,
    targets: Targets,
    account: str,
    region: str,
    before: Alarm,
    after: Alarm,
    action: str,
) -> None:
    """Carry out an action; what cannot be is written in history, as on AWS."""
    own = arn(account, region, after.name)
    target_arn = Arn.parse(action)
    target = targets.target(target_arn)
    told = notices.notice(target_arn.service, own, before, after)
    problem: str | None = None
    if target is None or told is None:
        problem = f"{target_arn.service} is not available to alarms on this node"
    else:
        sender = Sender(told.principal, own, account)
        problem = await target.check(tx, target_arn, sender)
    if problem is None and target is not None and told is not None:
        try:
            await target.accept(tx, target_arn, Event(told.body, sender))
        except AwsError as error:
            problem = error.message
    verb = "Successfully executed" if problem is None else "Failed to execute"
    data: dict[str, Any] = {
        "actionState": "Succeeded" if problem is None else "Failed",
        "stateUpdateTimestamp": stamp(after.changed),
        "notificationResource": action,
        "stateChange": {"from": before.state, "to": after.state},
    }
    if problem is not None:
        data["error"] = problem
    await note(tx, account, region, after, "Action", f"{verb} action {action}", data)


def wire(alarm: Alarm, account: str, region: str) -> dict[str, Any]:
    """An alarm as the API shows it."""
    settings: Mapping[str, Any] = alarm.settings
    shown: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmArn": arn(account, region, alarm.name),
        "AlarmConfigurationUpdatedTimestamp": alarm.configured,
        "ActionsEnabled": settings.get("ActionsEnabled", True),
        "OKActions": settings.get("OKActions") or [],
        "AlarmActions": settings.get("AlarmActions") or [],
        "InsufficientDataActions": settings.get("InsufficientDataActions") or [],
        "StateValue": alarm.state,
        "StateReason": alarm.reason,
        "StateReasonData": alarm.reason_data,
        "StateUpdatedTimestamp": alarm.changed,
        "StateTransitionedTimestamp": alarm.transitioned,
    }
    copied: Sequence[str] = (
        *("AlarmDescription", "MetricName", "Namespace", "Statistic", "ExtendedStatistic"),
        *("Period", "Unit", "EvaluationPeriods", "DatapointsToAlarm", "Threshold"),
        *("ComparisonOperator", "TreatMissingData", "EvaluateLowSampleCountPercentile"),
        *("Metrics", "AlarmRule"),
    )
    shown |= {name: settings[name] for name in copied if settings.get(name) is not None}
    if not settings.get("Metrics") and not alarm.composite:
        shown["Dimensions"] = settings.get("Dimensions") or []
    return shown
