"""Evaluates the alarms: every minute, those on periods under a minute every 10 seconds.

One node of a cluster does so at a time. Each alarm is judged in a transaction of its own.
"""

from __future__ import annotations

import functools
import logging
from typing import Any, Final

from lambent.cluster.turns import take_turn
from lambent.core.clock import Clock
from lambent.core.duty import Duty
from lambent.core.errors import AwsError
from lambent.events.contract import Targets
from lambent.services.cloudwatch import alarm_rules, alarms, composites, evaluating, queries
from lambent.services.cloudwatch.evaluating import EXTRA
from lambent.services.cloudwatch.model import ALARMS, Alarm, decode_alarm
from lambent.services.cloudwatch.queries import Window
from lambent.services.cloudwatch.recorder import Recorder
from lambent.store.contract import Record, Store, Transaction

_SHORT: Final = 10
_PAST_THE_MINUTE: Final = 0.1
"""After the minute's measurements are written."""
_log = logging.getLogger("lambent.cloudwatch")


class Watcher:
    """The background work of one node that evaluates alarms."""

    def __init__(self, store: Store, clock: Clock, targets: Targets, recorder: Recorder) -> None:
        self._store = store
        self._clock = clock
        self._targets = targets
        self._recorder = recorder
        self.duty = Duty(clock, "evaluating alarms", self._watch, retry=_SHORT)

    async def _watch(self) -> float:
        """Evaluate when it is time next."""
        short = any(_period(one) < 60 for one in await self._stored())
        step = _SHORT if short else 60
        await self._clock.sleep(step - self._clock.now() % step + _PAST_THE_MINUTE)
        if await self._store.transact(
            functools.partial(take_turn, duty="cloudwatch.alarms", every=step)
        ):
            await self.evaluate()
        return 0.0

    async def evaluate(self) -> None:
        """Evaluate all alarms whose time it is now."""
        await self._recorder.flush()
        on_the_minute = self._clock.now() % 60 < _SHORT
        for record in await self._stored():
            if decode_alarm(record.value).composite:
                continue
            if on_the_minute or _period(record) < 60:
                await self._store.transact(functools.partial(self._judge, record=record))

    async def _stored(self) -> list[Record]:
        return await self._store.transact(lambda tx: tx.scan_all(ALARMS))

    async def _judge(self, tx: Transaction, record: Record) -> None:
        account, _, region = record.partition.decode().partition("/")
        alarm = await alarms.find(tx, account, region, record.sort.decode())
        if alarm is None or alarm.composite:
            return
        period = alarm_rules.period_of(alarm.settings)
        step = min(period, 60)
        end = int(tx.now // step * step)
        begin = end - period * (alarm.settings["EvaluationPeriods"] + EXTRA)
        window = Window(account, region, begin, end, tx.now)
        try:
            (answered,) = await queries.answer(tx, _queries(alarm, account), window)
        except (AwsError, ValueError) as error:
            _log.warning("the alarm %s cannot be evaluated: %s", alarm.name, error)
            return
        points = [(at, answered.points.get(at)) for at in range(begin, end, period)]
        judged = evaluating.judge(alarm, points, period, tx.now)
        if judged is not None and judged.state != alarm.state:
            await alarms.change(
                tx,
                self._targets,
                account,
                region,
                alarm,
                judged.state,
                judged.reason,
                judged.data,
            )
            await composites.changed(tx, self._targets, account, region, alarm.name)


def _period(record: Record) -> int:
    alarm = decode_alarm(record.value)
    return 60 if alarm.composite else alarm_rules.period_of(alarm.settings)


def _queries(alarm: Alarm, account: str) -> list[queries.Query]:
    settings = alarm.settings
    if settings.get("Metrics"):
        return queries.parse(settings["Metrics"], account)
    stat: dict[str, Any] = {
        "Metric": settings,
        "Period": settings["Period"],
        "Stat": settings.get("Statistic") or settings.get("ExtendedStatistic"),
        "Unit": settings.get("Unit"),
    }
    return queries.parse([{"Id": "m1", "MetricStat": stat}], account)
