"""The plain rules of delivery: retry delays, batch responses, scaling."""

from __future__ import annotations

import json

import pytest

from lambent.events import scaling
from lambent.events.batch import failed_items
from lambent.events.contract import Batch
from lambent.events.load import pick
from lambent.events.retry import after_function_error, after_system_error
from lambent.events.scaling import Rule, Scale

IDS = ["a", "b", "c"]
ALL = frozenset(IDS)


@pytest.mark.parametrize(
    ("response", "failed"),
    [
        (b"", frozenset()),
        (b"null", frozenset()),
        (b"{}", frozenset()),
        (b'{"batchItemFailures": []}', frozenset()),
        (b'{"batchItemFailures": null}', frozenset()),
        (b'{"statusCode": 200}', frozenset()),
        (b'{"batchItemFailures": [{"itemIdentifier": "b"}]}', frozenset("b")),
        (
            b'{"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "b"}]}',
            frozenset("b"),
        ),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', ALL),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', ALL),
        (b'{"batchItemFailures": [{"itemIdentifier": "unknown"}]}', ALL),
        (b'{"batchItemFailures": [{"wrongKey": "a"}]}', ALL),
        (b'{"batchItemFailures": ["a"]}', ALL),
        (b'{"batchItemFailures": "a"}', ALL),
        (b'"text"', ALL),
        (b"not json", ALL),
    ],
)
def test_a_batch_response_is_read_as_lambda_reads_it(
    response: bytes, failed: frozenset[str]
) -> None:
    assert failed_items(response, IDS) == failed


def test_a_deeply_nested_response_fails_the_batch_and_nothing_else() -> None:
    assert failed_items(b"[" * 100_000, IDS) == ALL
    assert failed_items(json.dumps({"batchItemFailures": {}}).encode(), IDS) == ALL


def test_asynchronous_function_errors_are_retried_after_one_then_two_minutes() -> None:
    assert [after_function_error(errors) for errors in (1, 2)] == [60.0, 120.0]


def test_system_errors_back_off_from_one_second_to_five_minutes() -> None:
    delays = [after_system_error(failures) for failures in range(1, 12)]
    assert delays[:4] == [1.0, 2.0, 4.0, 8.0]
    assert delays[-1] == 300.0
    assert delays == sorted(delays)


def test_a_lane_starts_with_five_places_and_gains_300_a_minute_while_busy() -> None:
    rule = scaling.SQS
    scale = scaling.saturated(scaling.begin(rule), rule, now=0.0)
    assert scale.places == 5
    for second in range(1, 61):
        scale = scaling.saturated(scale, rule, now=float(second))
    assert scale.places == 305


@pytest.mark.parametrize("nodes", [1, 2, 3, 5])
def test_nodes_together_start_with_gain_and_have_what_the_rule_says(nodes: int) -> None:
    parts = [scaling.part(scaling.SQS, rank, nodes) for rank in range(nodes)]
    assert sum(part.start for part in parts) == 5
    assert sum(part.per_minute for part in parts) == 300
    assert sum(part.maximum for part in parts) == 1250


def test_each_of_many_nodes_has_a_place_at_least() -> None:
    assert min(scaling.part(scaling.SQS, rank, 8).start for rank in range(8)) == 1


def test_a_lane_never_has_more_places_than_its_maximum() -> None:
    rule = Rule(start=5, per_minute=300, maximum=7)
    scale = scaling.saturated(scaling.begin(rule), rule, now=0.0)
    scale = scaling.saturated(scale, rule, now=3600.0)
    assert scale.places == 7
    assert scaling.next_place(scale, rule, now=3600.0) is None
    assert scaling.begin(Rule(start=5, per_minute=300, maximum=2)).places == 2


def test_time_with_a_free_place_earns_nothing() -> None:
    rule = scaling.SQS
    scale = scaling.saturated(scaling.begin(rule), rule, now=0.0)
    scale = scaling.free(scale)
    scale = scaling.saturated(scale, rule, now=60.0)
    assert scale.places == 5


def test_the_next_place_comes_when_the_rate_allows() -> None:
    rule = scaling.SQS
    scale = scaling.saturated(scaling.begin(rule), rule, now=100.0)
    assert scaling.next_place(scale, rule, now=100.05) == pytest.approx(0.15)


def test_failures_halve_the_places_down_to_one_and_successes_win_them_back() -> None:
    rule = scaling.SQS
    scale = Scale(20)
    for expected in (10, 5, 2, 1, 1):
        scale = scaling.failed(scale)
        assert scale.places == expected
    for expected in (2, 3, 4, 5, 5):
        scale = scaling.succeeded(scale, rule)
        assert scale.places == expected


def test_an_idle_lane_gives_back_what_it_gained() -> None:
    assert scaling.idle(Scale(300), scaling.SQS).places == 5
    assert scaling.idle(Scale(2), scaling.SQS).places == 2


def test_picking_of_a_batch_keeps_what_else_its_claim_met() -> None:
    records = [{"n": 0}, {"n": 1}, {"n": 2}]
    batch = Batch(records, ["a", "b", "c"], [10, 11, 12], dead_lettered=4, suppressed=5)
    assert pick(batch, [0, 2]) == Batch([{"n": 0}, {"n": 2}], ["a", "c"], [10, 12], 4, 5)
