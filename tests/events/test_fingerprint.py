"""Failures that differ only in what changes from run to run have one fingerprint."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.events import failures, fingerprint
from lambent.events.contract import Outcome
from lambent.events.history import KEPT, NOTHING


@pytest.mark.parametrize(
    ("message", "normal"),
    [
        ("", ""),
        ("could not convert string to float", "could not convert string to float"),
        ("order 4711 not found", "order <n> not found"),
        ("order ord-7f3a9c12 not found", "order ord-<n> not found"),
        ("took 3.25 s of 3 s", "took <n> s of <n> s"),
        ("key 550e8400-e29b-41d4-a716-446655440000 is gone", "key <n> is gone"),
        ("<Order object at 0x7f3c2a1b>", "<Order object at <n>>"),
        ("cannot reach 10.0.0.7:5432", "cannot reach <address>"),
        ("no mail to ada@example.com", "no mail to <address>"),
        ("GET https://shop.example/orders/7?x=1 gave 503", "GET <url> gave <n>"),
        ("arn:aws:sqs:us-east-1:1:q is gone", "<arn> is gone"),
        ("2026-11-21T04:00:43.123Z late", "<time> late"),
        ("no file /tmp/x8s9/part", "no file <path>"),
        ("invalid literal for int() with base 10: 'abc'",
         "invalid literal for int() with base <n>: <text>"),
        ("'customer'", "'customer'"),
        ("'c-17'", "<text>"),
        ("it can't be done, don't try", "it can't be done, don't try"),
        ("two\n   lines", "two lines"),
    ],
)  # fmt: skip
def test_a_message_keeps_its_words_alone(message: str, normal: str) -> None:
    assert fingerprint.normal(message) == normal
    assert fingerprint.normal(normal) == normal


@pytest.mark.parametrize(
    ("line", "frame"),
    [
        ('  File "/var/task/app.py", line 12, in handler\n    raise X(1)\n',
         "/var/task/app.py handler"),
        ("    at handler (/var/task/index.js:3:5)", "at handler (/var/task/index.js)"),
        ("\tat example.Handler.run(Handler.java:42)", "at example.Handler.run(Handler.java)"),
    ],
)  # fmt: skip
def test_a_frame_loses_its_line_number(line: str, frame: str) -> None:
    assert fingerprint.frame(line) == frame


@given(st.uuids(), st.integers(0), st.floats(0, 1e6, allow_nan=False), st.uuids())
def test_ids_and_numbers_do_not_count(
    id: object, number: int, seconds: float, other: object
) -> None:
    def of(id: object, number: int, seconds: float) -> str:
        return fingerprint.of("E", f"order {id} line {number} after {seconds:f} s", ["f:1"])

    assert of(id, number, seconds) == of(other, 1, 2.0)


@given(st.text(max_size=200), st.text(max_size=50), st.lists(st.text(max_size=80), max_size=5))
def test_any_error_has_a_fingerprint_and_its_type_counts(
    message: str, kind: str, stack: list[str]
) -> None:
    found = fingerprint.of(kind, message, stack)
    assert len(found) == fingerprint.LENGTH
    assert found == fingerprint.of(kind, message, stack)
    assert found != fingerprint.of(kind + "x", message, stack)


@given(st.recursive(st.none() | st.text() | st.integers(),
                    lambda inner: st.lists(inner) | st.dictionaries(
                        st.sampled_from(["errorType", "errorMessage", "stackTrace", "trace"]),
                        inner)))  # fmt: skip
def test_whatever_a_function_returns_as_its_error_can_be_kept(value: object) -> None:
    outcome = Outcome(json.dumps(value).encode(), "Unhandled")
    kept = failures.failure(outcome, function="f", time=1.0, seconds=0.5)
    assert len(kept.message) <= 1024 and len(kept.stack) <= 20


def test_how_deep_a_recursion_went_does_not_count() -> None:
    line = '  File "/var/task/app.py", line 3, in deeper\n'
    assert fingerprint.of("RecursionError", "x", [line] * 3) == fingerprint.of(
        "RecursionError", "x", [line] * 9
    )


def test_the_last_failures_are_kept() -> None:
    history = NOTHING
    for number in range(KEPT + 5):
        outcome = Outcome(b"", "Failed", message=f"failure {number}")
        history = history.and_then(
            failures.failure(outcome, function="f", time=float(number), seconds=0.0)
        )
    assert [one.time for one in history.failures] == [float(n) for n in range(5, KEPT + 5)]


def test_a_python_error_is_kept_as_it_came() -> None:
    error = {
        "errorMessage": "broken 17",
        "errorType": "ValueError",
        "stackTrace": ['  File "/var/task/index.py", line 2, in handler\n    raise\n'],
    }
    outcome = Outcome(
        json.dumps(error).encode(), "Unhandled", version="3", request_id="r", log="/aws/lambda/f"
    )
    kept = failures.failure(outcome, function="arn", time=7.0, seconds=0.25)
    assert (kept.type, kept.message, kept.version) == ("ValueError", "broken 17", "3")
    assert (kept.time, kept.seconds, kept.request_id, kept.log) == (7.0, 0.25, "r", "/aws/lambda/f")
    assert kept.stack == tuple(error["stackTrace"])
