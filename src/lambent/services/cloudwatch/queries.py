"""MetricDataQueries: checked, then answered from the store.

Used by GetMetricData and by alarms on metric math. Source: CloudWatch API Reference,
MetricDataQuery; CloudWatch User Guide, "Using metric math".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lambent.services.cloudwatch import datum, errors, listing, periods, points, search, selection
from lambent.services.cloudwatch import statistics as stats
from lambent.services.cloudwatch.math import evaluation, tree
from lambent.services.cloudwatch.math.tree import Broken, Call, Node
from lambent.services.cloudwatch.math.values import Series, Value, many
from lambent.services.cloudwatch.model import UNITS, Dimensions, Listed, key, path
from lambent.store.contract import Transaction

MOST: Final = 500
_ID: Final = re.compile(r"[a-z][a-zA-Z0-9_]{0,254}")


@dataclass(frozen=True, slots=True)
class Selected:
    """One statistic of one metric."""

    namespace: str
    name: str
    dimensions: Dimensions
    period: int
    statistic: str
    unit: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """One checked query: a metric's statistic, or an expression."""

    id: str
    label: str | None
    returned: bool
    selected: Selected | None
    expression: str
    tree: Node | None
    period: int | None
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """One time series of one query."""

    id: str
    label: str
    points: dict[int, float]
    status: str = "Complete"
    messages: list[str] = field(default_factory=list)


def parse(given: Sequence[Mapping[str, Any]] | None, account: str) -> list[Query]:
    """All queries; AwsError for the first that is wrong."""
    if not given:
        raise errors.missing("MetricDataQueries")
    if len(given) > MOST:
        raise errors.validation(
            f"The collection MetricDataQueries must not have a size greater than {MOST}."
        )
    queries = [
        _query(one or {}, f"MetricDataQueries.member.{at}", account)
        for at, one in enumerate(given, 1)
    ]
    ids = [query.id for query in queries]
    for id in ids:
        if ids.count(id) > 1:
            raise errors.validation(
                f"The values for parameter id in parameter MetricDataQueries are not unique: {id}."
            )
    known = set(ids)
    for query in queries:
        if query.tree is not None:
            missing = tree.names(query.tree) - known - set(evaluation.WORDS)
            if missing:
                raise _broken(query.id, f"There is no query with the id {sorted(missing)[0]}.")
    if not any(query.returned for query in queries):
        raise errors.validation("At least one query must have ReturnData set to true.")
    return queries


def _broken(id: str, reason: str) -> Exception:
    return errors.validation(f"Error in expression '{id}': {reason}")


def _query(given: Mapping[str, Any], where: str, account: str) -> Query:
    id = given.get("Id")
    if not id:
        raise errors.missing(f"{where}.Id")
    if not _ID.fullmatch(id):
        raise errors.validation(
            f"The value {id} for parameter {where}.Id is not matching the expected pattern "
            "^[a-z][a-zA-Z0-9_]*$."
        )
    stat, expression = given.get("MetricStat"), given.get("Expression")
    if (stat is None) == (not expression):
        raise errors.validation(
            f"Exactly one of the parameters {where}.MetricStat and {where}.Expression must be "
            "specified."
        )
    period = given.get("Period")
    if period is not None and not (stat is None and periods.allowed(period)):
        raise errors.validation(
            f"The parameter {where}.Period is invalid: it goes with an expression, and is 1, 5, "
            "10, 20, 30, or a multiple of 60."
        )
    parsed: Node | None = None
    if stat is None:
        try:
            parsed = tree.parse(expression or "")
        except Broken as error:
            raise _broken(id, str(error)) from None
    returned = given.get("ReturnData")
    return Query(
        id=id,
        label=given.get("Label"),
        returned=returned is not False,
        selected=None if stat is None else _selected(stat, f"{where}.MetricStat"),
        expression=expression or "",
        tree=parsed,
        period=period,
        foreign=given.get("AccountId") not in (None, account),
    )


def _selected(stat: Mapping[str, Any], where: str) -> Selected:
    metric = stat.get("Metric")
    if metric is None:
        raise errors.missing(f"{where}.Metric")
    for name in ("Namespace", "MetricName"):
        if not metric.get(name):
            raise errors.missing(f"{where}.Metric.{name}")
    period, statistic, unit = stat.get("Period"), stat.get("Stat"), stat.get("Unit")
    if period is None:
        raise errors.missing(f"{where}.Period")
    if not periods.allowed(period):
        raise errors.validation(
            f"The parameter {where}.Period must be 1, 5, 10, 20, 30, or a multiple of 60."
        )
    if not statistic:
        raise errors.missing(f"{where}.Stat")
    if stats.parse(statistic) is None:
        raise errors.validation(
            f"The value {statistic} for parameter {where}.Stat is not supported."
        )
    if unit is not None and unit not in UNITS:
        raise errors.not_one_of(f"{where}.Unit", UNITS)
    return Selected(
        metric["Namespace"],
        metric["MetricName"],
        datum.dimensions(metric.get("Dimensions"), f"{where}.Metric"),
        period,
        statistic,
        unit,
    )


@dataclass(frozen=True, slots=True)
class Window:
    """What is asked for, in whose account. Times in seconds since the epoch."""

    account: str
    region: str
    start: float
    end: float
    now: float


async def answer(tx: Transaction, queries: Sequence[Query], window: Window) -> list[Answered]:
    """The series of all queries that are to be returned, in their order. AwsError when an
    expression cannot be calculated."""
    known: dict[str, Value] = {}
    metrics: dict[str, Series] = {}
    for query in queries:
        if query.selected is not None and not query.foreign:
            found = await _series(tx, query.selected, window)
            metrics[query.id] = replace(found, label=query.label or query.selected.name)
        elif query.selected is not None:
            metrics[query.id] = Series({}, query.label or query.selected.name)
    known.update(metrics)
    waiting = [query for query in queries if query.tree is not None]
    while waiting:
        ready = [q for q in waiting if not (tree.names(_tree(q)) & {w.id for w in waiting})]
        if not ready:
            raise _broken(waiting[0].id, "The expressions refer to each other in a circle.")
        for query in ready:
            known[query.id] = await _calculated(tx, query, known, metrics, window)
        waiting = [query for query in waiting if query not in ready]
    results: list[Answered] = []
    for query in queries:
        if query.returned:
            results += _shown(query, known[query.id])
    return results


def _tree(query: Query) -> Node:
    assert query.tree is not None
    return query.tree


def _shown(query: Query, value: Value) -> list[Answered]:
    if query.foreign:
        return [Answered(query.id, query.label or query.id, {}, "Forbidden")]
    if isinstance(value, Series):
        label = query.label or (query.id if query.selected is None else value.label)
        return [Answered(query.id, label, value.points)]
    if isinstance(value, list):
        return [
            Answered(
                query.id, f"{query.label} {one.label}" if query.label else one.label, one.points
            )
            for one in value
        ]
    raise _broken(query.id, "The result of an expression must be a time series.")


async def _series(tx: Transaction, selected: Selected, window: Window) -> Series:
    period = selected.period
    start = periods.rounded_start(window.start, period, window.now)
    place = path(selected.namespace, selected.name, selected.dimensions)
    partition = key(window.account, window.region, place)
    found = await points.read(tx, partition, start, window.end, selected.unit)
    statistic = stats.parse(selected.statistic)
    assert statistic is not None
    return Series(
        selection.series(found, start, period, statistic),
        selected.name,
        period,
        selection.times(start, window.end, period),
    )


async def _calculated(
    tx: Transaction,
    query: Query,
    known: Mapping[str, Value],
    metrics: Mapping[str, Series],
    window: Window,
) -> Value:
    root = _tree(query)
    named = [known[name] for name in tree.names(root) if name in known]
    used = [one for value in named if not isinstance(value, (float, str)) for one in many(value)]
    period = query.period or max((one.period for one in used or metrics.values()), default=60)
    start = periods.rounded_start(window.start, period, window.now)
    try:
        searched = {call: await _searched(tx, call, window) for call in tree.calls(root, "SEARCH")}
        return evaluation.evaluate(
            root, known, metrics, selection.times(start, window.end, period), period, searched
        )
    except Broken as error:
        raise _broken(query.id, str(error)) from None


async def _searched(tx: Transaction, call: Call, window: Window) -> list[Series]:
    if len(call.arguments) not in (2, 3) or not all(
        isinstance(argument, tree.Text) for argument in call.arguments[:2]
    ):
        raise Broken("SEARCH needs a search and a statistic in quotes, and a period.")
    query, statistic = (
        argument.value for argument in call.arguments[:2] if isinstance(argument, tree.Text)
    )
    period = call.arguments[2] if len(call.arguments) == 3 else tree.Number(300.0)
    if not isinstance(period, tree.Number) or not periods.allowed(int(period.value)):
        raise Broken("The period of SEARCH must be 1, 5, 10, 20, 30, or a multiple of 60.")
    if stats.parse(statistic) is None:
        raise Broken(f"The statistic {statistic} is not supported.")
    found: list[Series] = []
    for metric in await listing.all_of(tx, window.account, window.region):
        if len(found) < search.MOST and search.matches(query, metric):
            selected = Selected(
                metric.namespace, metric.name, metric.dimensions, int(period.value), statistic, None
            )
            found.append(replace(await _series(tx, selected, window), label=_label(metric)))
    return found


def _label(metric: Listed) -> str:
    return " ".join([*(value for _, value in metric.dimensions), metric.name])
