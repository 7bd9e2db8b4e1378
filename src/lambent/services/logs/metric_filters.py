"""Metric filters: log events that match become measurements.

Source: CloudWatch Logs API Reference, PutMetricFilter and MetricTransformation; CloudWatch
Logs User Guide, "Creating metrics from log events using filters".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.logs import catalogue, pattern
from lambent.services.logs.emf import Measured
from lambent.services.logs.model import Group, MetricFilter
from lambent.store.contract import Store, Transaction

_MOST: Final = 100
_MOST_DIMENSIONS: Final = 3
_VALUE: Final = re.compile(r"\$.+|-?\d+(\.\d+)?([eE][-+]?\d+)?")


def measured(filters: Sequence[MetricFilter], message: str, at: float) -> Iterator[Measured]:
    """What a log event of `at` (seconds since the epoch) measures."""
    for one in filters:
        matches = pattern.compile_pattern(one.pattern)(message)
        for transformation in one.transformations:
            value: float | None = transformation.get("defaultValue")
            dimensions: tuple[tuple[str, str], ...] = ()
            if matches:
                value = _value(one.pattern, transformation["metricValue"], message, value)
                found = {
                    name: pattern.selected(one.pattern, selector, message)
                    for name, selector in (transformation.get("dimensions") or {}).items()
                }
                if any(text is None for text in found.values()):
                    continue
                dimensions = tuple(sorted((name, str(text)) for name, text in found.items()))
            if value is not None:
                yield Measured(
                    transformation["metricNamespace"],
                    transformation["metricName"],
                    dimensions,
                    transformation.get("unit") or "None",
                    at,
                    (value,),
                )


def _value(pattern_text: str, wanted: str, message: str, default: float | None) -> float | None:
    text: Any = wanted
    if wanted.startswith("$"):
        text = pattern.selected(pattern_text, wanted, message)
    try:
        return float(text)
    except (TypeError, ValueError):
        return default


class MetricFilterOperations:
    """Put, describe, delete and test."""

    def __init__(self, store: Store) -> None:
        self._filters_store = store

    async def put_metric_filter(self, context: RequestContext, params: Params) -> Result:
        pattern.compile_pattern(params["filterPattern"])
        transformations = params["metricTransformations"]
        for one in transformations:
            _check(one)

        async def body(tx: Transaction) -> None:
            group = await catalogue.get_group(tx, context, params["logGroupName"])
            name = params["filterName"]
            others = [known for known in group.filters if known.name != name]
            if len(others) >= _MOST:
                raise AwsError("LimitExceededException", "Resource limit exceeded.")
            made = MetricFilter(name, params["filterPattern"], tx.now, transformations)
            await _save(tx, context, group, [*others, made])

        await self._filters_store.transact(body)
        return None

    async def delete_metric_filter(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> None:
            group = await catalogue.get_group(tx, context, params["logGroupName"])
            others = [known for known in group.filters if known.name != params["filterName"]]
            if len(others) == len(group.filters):
                raise AwsError(
                    "ResourceNotFoundException", "The specified metric filter does not exist."
                )
            await _save(tx, context, group, others)

        await self._filters_store.transact(body)
        return None

    async def describe_metric_filters(self, context: RequestContext, params: Params) -> Result:
        name = params.get("logGroupName")

        async def body(tx: Transaction) -> list[Group]:
            if name:
                return [await catalogue.get_group(tx, context, name)]
            return await catalogue.list_groups(tx, context)

        found = [
            (f"{group.name}\0{one.name}", group, one)
            for group in await self._filters_store.transact(body)
            for one in group.filters
            if one.name.startswith(params.get("filterNamePrefix") or "") and _about(one, params)
        ]
        found.sort(key=lambda item: item[0])
        after, limit = params.get("nextToken") or "", params.get("limit") or 50
        page = [item for item in found if item[0] > after]
        return {
            "metricFilters": [_wire(group, one) for _, group, one in page[:limit]],
            "nextToken": page[limit - 1][0] if len(page) > limit else None,
        }

    async def test_metric_filter(self, context: RequestContext, params: Params) -> Result:
        test = pattern.compile_pattern(params["filterPattern"])
        return {
            "matches": [
                {
                    "eventNumber": number,
                    "eventMessage": message,
                    "extractedValues": pattern.extracted(params["filterPattern"], message),
                }
                for number, message in enumerate(params["logEventMessages"], 1)
                if test(message)
            ]
        }


async def _save(
    tx: Transaction, context: RequestContext, group: Group, filters: list[MetricFilter]
) -> None:
    changed = msgspec.structs.replace(group, filters=sorted(filters, key=lambda one: one.name))
    await catalogue.save_group(tx, context, changed)


def _check(transformation: dict[str, Any]) -> None:
    if not _VALUE.fullmatch(transformation["metricValue"]):
        raise _invalid("Invalid metric transformation: metricValue must be a number or a selector.")
    if transformation["metricNamespace"].startswith("AWS/"):
        raise _invalid("Invalid metric transformation: the namespace is reserved.")
    dimensions = transformation.get("dimensions") or {}
    if len(dimensions) > _MOST_DIMENSIONS:
        raise _invalid("Invalid metric transformation: at most 3 dimensions are allowed.")
    if dimensions and transformation.get("defaultValue") is not None:
        raise _invalid(
            "Invalid metric transformation: dimensions and default value are mutually exclusive "
            "properties."
        )


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def _about(one: MetricFilter, params: Params) -> bool:
    return all(
        params.get(name) in (None, transformation[name])
        for transformation in one.transformations
        for name in ("metricName", "metricNamespace")
    )


def _wire(group: Group, one: MetricFilter) -> dict[str, Any]:
    return {
        "filterName": one.name,
        "filterPattern": one.pattern,
        "metricTransformations": one.transformations,
        "creationTime": int(one.created * 1000),
        "logGroupName": group.name,
    }
