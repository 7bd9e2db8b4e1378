"""What an event source mapping from a queue can be set to. Plain functions.

Source: Lambda API Reference, CreateEventSourceMapping; Lambda Developer Guide, "Using Lambda
with Amazon SQS".
"""

from __future__ import annotations

from collections.abc import Mapping as Document
from typing import Any

from lambent.core.context import Params
from lambent.events.filter import InvalidPattern, parse
from lambent.services.lambda_ import errors
from lambent.services.lambda_.bounds import check_choices, check_number

_KEPT = ("ScalingConfig", "KMSKeyArn", "MetricsConfig", "LoggingConfig", "ProvisionedPollerConfig")
_STREAMS_ONLY = (
    "StartingPosition",
    "StartingPositionTimestamp",
    "ParallelizationFactor",
    "MaximumRecordAgeInSeconds",
    "BisectBatchOnFunctionError",
    "MaximumRetryAttempts",
    "TumblingWindowInSeconds",
    "Topics",
    "Queues",
    "SourceAccessConfigurations",
    "SelfManagedEventSource",
    "DestinationConfig",
)
MAXIMUM_FILTERS = 10
_WITHOUT_WINDOW = 10
_RESPONSE_TYPES = frozenset({"ReportBatchItemFailures"})
_METRICS = frozenset({"ErrorCount", "EventCount", "KafkaMetrics"})


def queue_settings(
    present: Document[str, Any], params: Params, source: Document[str, Any]
) -> dict[str, Any]:
    """The settings of a mapping from a queue after a create (`present` empty) or update.

    `source` is what `Source.describe` says. InvalidParameterValueException when they
    cannot be.
    """
    for member in _STREAMS_ONLY:
        if params.get(member) not in (None, {}, []):
            raise errors.invalid(
                f"Unsupported {member} parameter for given event source mapping type."
            )
    _check_bounds(params)
    settings = dict(present)
    settings["BatchSize"] = params.get("BatchSize", present.get("BatchSize", 10))
    settings["MaximumBatchingWindowInSeconds"] = params.get(
        "MaximumBatchingWindowInSeconds", present.get("MaximumBatchingWindowInSeconds", 0)
    )
    _check_batch(settings, source["fifo"])
    settings["FunctionResponseTypes"] = list(
        params.get("FunctionResponseTypes", present.get("FunctionResponseTypes", ()))
    )
    for member in _KEPT:
        if member in params:
            settings[member] = params[member]
        if not settings.get(member):
            settings.pop(member, None)
    if "FilterCriteria" in params:
        filters = params["FilterCriteria"].get("Filters") or []
        _check_filters(filters)
        settings.pop("FilterCriteria", None)
        if filters:
            settings["FilterCriteria"] = {"Filters": filters}
    return settings


def _check_bounds(params: Params) -> None:
    check_number(params, "BatchSize", "batchSize", 1, 10_000)
    window = "maximumBatchingWindowInSeconds"
    check_number(params, "MaximumBatchingWindowInSeconds", window, 0, 300)
    scaling = params.get("ScalingConfig") or {}
    check_number(scaling, "MaximumConcurrency", "scalingConfig.maximumConcurrency", 2, 1000)
    check_choices(params, "FunctionResponseTypes", "functionResponseTypes", _RESPONSE_TYPES)
    metrics = params.get("MetricsConfig") or {}
    check_choices(metrics, "Metrics", "metricsConfig.metrics", _METRICS)


def _check_batch(settings: Document[str, Any], fifo: bool) -> None:
    size, window = settings["BatchSize"], settings["MaximumBatchingWindowInSeconds"]
    if fifo:
        if window > 0:
            raise errors.invalid("Batching window is not supported for FIFO queues")
        if size > _WITHOUT_WINDOW:
            raise errors.invalid("Maximum batch size must be between 1 and 10 inclusive")
    elif size > _WITHOUT_WINDOW and window == 0:
        raise errors.invalid(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
            "greater than 10"
        )


def _check_filters(filters: list[Document[str, Any]]) -> None:
    if len(filters) > MAXIMUM_FILTERS:
        raise errors.invalid(f"Maximum number of filters is {MAXIMUM_FILTERS}.")
    for one in filters:
        pattern = one.get("Pattern")
        if pattern is None:
            continue
        try:
            parse(pattern)
        except InvalidPattern as error:
            raise errors.invalid("Invalid filter pattern definition.") from error


def check_timeouts(visibility: float, timeout: float) -> None:
    """A message must stay hidden for at least as long as the function may take."""
    if visibility < timeout:
        raise errors.invalid(
            f"Queue visibility timeout: {visibility:.0f} seconds is less than Function timeout: "
            f"{timeout:.0f} seconds"
        )
