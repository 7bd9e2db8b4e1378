"""An alarm's state from its data. Plain functions.

Source: CloudWatch User Guide, "Using Amazon CloudWatch alarms": M out of N datapoints, and
"Configuring how CloudWatch alarms treat missing data" with its table.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lambent.services.cloudwatch.model import Alarm

EXTRA: Final = 2
"""How many periods before the last N are looked at, in case some of those have no data."""

COMPARISONS: Final[dict[str, tuple[Callable[[float, float], bool], str]]] = {
    "GreaterThanOrEqualToThreshold": (lambda a, b: a >= b, "greater than or equal to"),
    "GreaterThanThreshold": (lambda a, b: a > b, "greater than"),
    "LessThanThreshold": (lambda a, b: a < b, "less than"),
    "LessThanOrEqualToThreshold": (lambda a, b: a <= b, "less than or equal to"),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """A state, and why."""

    state: str
    reason: str
    data: str


def judge(
    alarm: Alarm, points: Sequence[tuple[int, float | None]], period: int, now: float
) -> Judged | None:
    """The state by the given periods (beginning and value, oldest first; None: no data), which
    are N and `EXTRA` more; None when it stays as it is.

    When enough of them have data, the last N of those decide. Otherwise the missing count as
    the alarm says.
    """
    settings = alarm.settings
    wanted: int = settings["EvaluationPeriods"]
    least: int = settings.get("DatapointsToAlarm") or wanted
    treat = settings.get("TreatMissingData") or "missing"
    threshold = float(settings["Threshold"])
    breaches, spoken = COMPARISONS[settings["ComparisonOperator"]]
    known = [(at, value) for at, value in points if value is not None][-wanted:]
    bad = [(at, value) for at, value in known if breaches(value, threshold)]
    good = len(known) - len(bad)
    filled = wanted - len(known)
    state: str | None
    if len(bad) >= least:
        state = "ALARM"
    elif good > wanted - least or treat == "notBreaching":
        state = "OK"
    elif treat == "breaching":
        state = "ALARM"
    elif treat == "ignore":
        state = None
    elif not known:
        state = "INSUFFICIENT_DATA"
    else:
        state = _without(points, bad, good, least)
    if state is None:
        return None
    return Judged(
        state,
        _reason(alarm, state, known, bad, filled, threshold, spoken, least),
        _data(settings, known, period, threshold, now),
    )


def _without(
    points: Sequence[tuple[int, float | None]],
    bad: Sequence[tuple[int, float]],
    good: int,
    least: int,
) -> str | None:
    """Missing data that counts for nothing: an alarm when all there is breaches, for as long
    as an alarm takes."""
    if not good and bad:
        age = len([at for at, _ in points if at >= bad[0][0]])
        if age >= least:
            return "ALARM"
    return None


def _reason(
    alarm: Alarm,
    state: str,
    known: Sequence[tuple[int, float]],
    bad: Sequence[tuple[int, float]],
    filled: int,
    threshold: float,
    spoken: str,
    least: int,
) -> str:
    if state == "INSUFFICIENT_DATA":
        number = alarm.settings["EvaluationPeriods"]
        return f"Insufficient Data: {_counted(number)} {'was' if number == 1 else 'were'} unknown."
    shown = bad if state == "ALARM" else [one for one in known if one not in bad]
    if not shown:
        treat = alarm.settings.get("TreatMissingData")
        return (
            f"Threshold Crossed: no datapoints were received for {_periods(filled)} and "
            f"{_periods(filled)} of missing data were treated as "
            f"[{'Breaching' if treat == 'breaching' else 'NonBreaching'}]."
        )
    listed = ", ".join(f"{value} ({_moment(at)})" for at, value in reversed(shown))
    verb = "was" if len(shown) == 1 else "were"
    negation = "" if state == "ALARM" else " not"
    needed = least if state == "ALARM" else alarm.settings["EvaluationPeriods"] - least + 1
    return (
        f"Threshold Crossed: {len(shown)} out of the last {_counted(len(known))} [{listed}] "
        f"{verb}{negation} {spoken} the threshold ({threshold}) (minimum {_counted(needed)} for "
        f"{'OK -> ALARM' if state == 'ALARM' else 'ALARM -> OK'} transition)."
    )


def _counted(number: int) -> str:
    return f"{number} datapoint{'' if number == 1 else 's'}"


def _periods(number: int) -> str:
    return f"{number} period{'' if number == 1 else 's'}"


def _moment(at: float) -> str:
    return time.strftime("%d/%m/%y %H:%M:%S", time.gmtime(at))


def stamp(at: float) -> str:
    """`2019-10-01T13:56:40.985+0000`, as alarms write times."""
    millis = int(at * 1000) % 1000
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{millis:03d}+0000"


def _data(
    settings: Mapping[str, Any],
    known: Sequence[tuple[int, float]],
    period: int,
    threshold: float,
    now: float,
) -> str:
    document: dict[str, Any] = {"version": "1.0", "queryDate": stamp(now)}
    if known:
        document["startDate"] = stamp(known[0][0])
    statistic = settings.get("Statistic") or settings.get("ExtendedStatistic")
    if statistic:
        document["statistic"] = statistic
    document |= {
        "period": period,
        "recentDatapoints": [value for _, value in known],
        "threshold": threshold,
        "evaluatedDatapoints": [
            {"timestamp": stamp(at), "value": value} for at, value in reversed(known)
        ],
    }
    return json.dumps(document, separators=(",", ":"))
