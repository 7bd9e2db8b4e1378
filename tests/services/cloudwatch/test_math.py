"""Metric math and search: a table of expressions over two small series."""

from __future__ import annotations

import pytest

from lambent.services.cloudwatch import search
from lambent.services.cloudwatch.math import evaluation, tree
from lambent.services.cloudwatch.math.tree import Broken
from lambent.services.cloudwatch.math.values import Series, Value
from lambent.services.cloudwatch.model import Listed

TIMES = (0, 60, 120, 180)
M1 = Series({0: 1.0, 60: 4.0, 180: 10.0}, "one", 60, TIMES)
M2 = Series({0: 2.0, 60: 0.0, 120: 5.0}, "two", 60, TIMES)


def calculated(expression: str) -> Value:
    known: dict[str, Value] = {"m1": M1, "m2": M2}
    metrics = {"m1": M1, "m2": M2}
    return evaluation.evaluate(tree.parse(expression), known, metrics, TIMES, 60, {})


@pytest.mark.parametrize(
    ("expression", "points"),
    [
        ("m1 + 1", {0: 2.0, 60: 5.0, 180: 11.0}),
        ("-m1", {0: -1.0, 60: -4.0, 180: -10.0}),
        ("2 ^ 3 ^ 2 - 510 + m1 * 0", {0: 2.0, 60: 2.0, 180: 2.0}),
        ("(m1 + m2) * 10", {0: 30.0, 60: 40.0}),
        ("m1 / m2", {0: 0.5}),
        ("m1 > 3 AND m1 < 9", {0: 0.0, 60: 1.0, 180: 0.0}),
        ("IF(m1 >= 4, m1, 0)", {0: 0.0, 60: 4.0, 180: 10.0}),
        ("IF(m1 >= 4, m1)", {60: 4.0, 180: 10.0}),
        ("FILL(m1, 0)", {0: 1.0, 60: 4.0, 120: 0.0, 180: 10.0}),
        ("FILL(m1, REPEAT)", {0: 1.0, 60: 4.0, 120: 4.0, 180: 10.0}),
        ("FILL(m1, LINEAR)", {0: 1.0, 60: 4.0, 120: 7.0, 180: 10.0}),
        ("DIFF(m1)", {60: 3.0, 180: 6.0}),
        ("RATE(m1)", {60: 0.05, 180: 0.05}),
        ("RUNNING_SUM(m1)", {0: 1.0, 60: 5.0, 180: 15.0}),
        ("SUM([m1, m2])", {0: 3.0, 60: 4.0, 120: 5.0, 180: 10.0}),
        ("MAX(METRICS())", {0: 2.0, 60: 4.0, 120: 5.0, 180: 10.0}),
        ("AVG(METRICS('m2'))", {0: 2.0, 60: 0.0, 120: 5.0}),
        ("FLOOR(m1 / 4)", {0: 0.0, 60: 1.0, 180: 2.0}),
        ("MINUTE(m1)", {0: 0.0, 60: 1.0, 120: 2.0, 180: 3.0}),
        ("TIME_SERIES(7)", dict.fromkeys(TIMES, 7.0)),
        ("m1 - AVG(m1)", {0: -4.0, 60: -1.0, 180: 5.0}),
        ("FIRST(SORT(METRICS(), MAX, DESC))", dict(M1.points)),
    ],
)
def test_an_expression_of_series(expression: str, points: dict[int, float]) -> None:
    found = calculated(expression)
    assert isinstance(found, Series)
    assert found.points == pytest.approx(points)


@pytest.mark.parametrize(
    ("expression", "value"),
    [("METRIC_COUNT(METRICS())", 2.0), ("PERIOD(m1)", 60.0), ("SUM(m1) / MAX(m1)", 1.5)],
)
def test_an_expression_of_numbers(expression: str, value: float) -> None:
    assert calculated(expression) == value


@pytest.mark.parametrize(
    "expression",
    ["", "m1 +", "(m1", "m3", "NOPE(m1)", "m1 'x'", "FILL(m1)", "m1 $ 2", "[m1,m2]+[m1]", "(" * 99],
)
def test_what_cannot_be_calculated_is_refused(expression: str) -> None:
    with pytest.raises(Broken):
        calculated(expression)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('{AWS/Lambda,FunctionName} MetricName="Errors"', True),
        ("{AWS/Lambda,FunctionName} errors thumb", True),
        ("{AWS/Lambda} Errors", False),
        ('FunctionName="thumbs"', True),
        ('FunctionName="thumb"', False),
        ("NOT Errors", False),
        ("(Duration OR Errors) thumbs", True),
        ("Duration OR Throttles", False),
    ],
)
def test_a_search_means_a_metric(query: str, found: bool) -> None:
    metric = Listed("AWS/Lambda", "Errors", (("FunctionName", "thumbs"),), 0.0)
    assert search.matches(query, metric) is found
