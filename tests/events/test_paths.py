"""JSONPath to one place, and JMESPath."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.events import paths

DOCUMENT = {"a": {"b c": [1, {"d": None}], "e-f": "x"}, "n": 0, "flag": False}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", DOCUMENT),
        ("$.a", DOCUMENT["a"]),
        ("$.a['b c'][0]", 1),
        ('$["a"]["b c"][1].d', None),
        ("$.a['b c'][-2]", 1),
        ("$.a['b c'][7]", None),
        ("$.a.e-f", "x"),
        ("$.a.e-f.x", None),
        ("$.a.e-f[0]", None),
        ("$.n", 0),
        ("$.flag", False),
        ("a.\"e-f\"", "x"),
        ("[n, flag]", [0, False]),
        ("length(n)", None),
        ("missing", None),
    ],
)  # fmt: skip
def test_a_path_gives_what_lies_there(path: str, value: object) -> None:
    assert paths.parse(path)(DOCUMENT) == value


@pytest.mark.parametrize("path", ["$..a", "$.a[*]", "$.", "$a", "$.a[1:2]", "$[?(@.x)]", "a[", ""])
def test_what_names_no_one_place_is_refused(path: str) -> None:
    with pytest.raises(paths.InvalidPath):
        paths.parse(path)


@given(st.text(max_size=20))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    with contextlib.suppress(paths.InvalidPath):
        paths.parse(text)(DOCUMENT)
