"""Composite alarms: judged whenever an alarm of theirs changes, in the same transaction.

Source: CloudWatch User Guide, "Create a composite alarm".
"""

from __future__ import annotations

import json

from lambent.events.contract import Targets
from lambent.services.cloudwatch import alarms, errors
from lambent.services.cloudwatch.alarm_rule import Rule
from lambent.services.cloudwatch.evaluating import stamp
from lambent.services.cloudwatch.model import ALARMS, Alarm, decode_alarm, scope
from lambent.store.contract import Transaction

_DEEPEST = 20
"""How many composite alarms may stand on each other."""


async def check(tx: Transaction, account: str, region: str, rule: Rule, name: str) -> None:
    """AwsError when the rule names alarms that are not there, or the alarm itself."""
    missing = [
        child for child in rule.children if await alarms.find(tx, account, region, child) is None
    ]
    if missing or name in rule.children:
        raise errors.validation(
            f"Could not save the composite alarm as alarms [{', '.join(missing or [name])}] in the "
            "alarm rule do not exist"
        )


async def changed(
    tx: Transaction, targets: Targets, account: str, region: str, name: str, depth: int = 0
) -> None:
    """An alarm has changed its state: judge the composite alarms that stand on it."""
    if depth >= _DEEPEST:
        return
    for record in await tx.scan(ALARMS, scope(account, region)):
        alarm = decode_alarm(record.value)
        if alarm.composite and name in Rule(alarm.settings["AlarmRule"]).children:
            await judge(tx, targets, account, region, alarm, name, depth)


async def judge(
    tx: Transaction,
    targets: Targets,
    account: str,
    region: str,
    alarm: Alarm,
    because: str | None = None,
    depth: int = 0,
) -> None:
    """Bring a composite alarm into the state that its rule gives; `because` names the alarm
    whose change may have brought it about."""
    rule = Rule(alarm.settings["AlarmRule"])
    states = {}
    for child in rule.children:
        found = await alarms.find(tx, account, region, child)
        states[child] = "INSUFFICIENT_DATA" if found is None else found.state
    state = "ALARM" if rule.holds(states.__getitem__) else "OK"
    if state == alarm.state:
        return
    about = because if because is not None else next(iter(rule.children), None)
    if about is None:
        reason = f"The alarm rule is always {'true' if state == 'ALARM' else 'false'}"
    else:
        own = alarms.arn(account, region, about)
        reason = f"{own} transitioned to {states[about]} at {stamp(tx.now)}"
    data = {
        "triggeringAlarms": [
            {
                "arn": alarms.arn(account, region, child),
                "state": {"value": states[child], "timestamp": stamp(tx.now)},
            }
            for child in ([about] if about is not None else [])
        ]
    }
    await alarms.change(
        tx,
        targets,
        account,
        region,
        alarm,
        state,
        reason,
        json.dumps(data, separators=(",", ":")),
    )
    await changed(tx, targets, account, region, alarm.name, depth + 1)
