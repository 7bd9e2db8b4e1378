import pytest
from benchmarks.cold_starts_picture import Row, picture, spoken
from benchmarks.promises import Promise, figure, table


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0.158, "0.158 ms"),
        (0.2, "0.2 ms"),
        (28.83, "28.8 ms"),
        (282.7, "283 ms"),
        (999.0, "999 ms"),
        (1080.0, "1.08 s"),
        (10_000.0, "10 s"),
    ],
)
def test_durations_are_written_as_people_do(milliseconds: float, text: str) -> None:
    assert spoken(milliseconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.05, "0.050"), (0.158, "0.158"), (3.654, "3.65"), (28.83, "28.8"), (1080.4, "1,080")],
)
def test_figures_have_the_digits_that_say_something(value: float, text: str) -> None:
    assert figure(value) == text


def test_a_promise_is_told_with_whether_it_was_kept() -> None:
    rows = table(
        [Promise("cold", 28.8, 30.0, "ms"), Promise("rate", 2999.0, 3000.0, "/s", least=True)]
    ).splitlines()
    assert rows[2] == "| cold | 28.8 ms | at most 30 ms | kept |"
    assert rows[3] == "| rate | 2,999 /s | at least 3,000 /s | **not kept** |"


def test_the_picture_has_a_line_for_each_row() -> None:
    figures = {"least": 900.0, "p50": 1080.0, "p90": 1090.0, "p99": 1100.0}
    drawn = picture([Row("Java", "cold", figures), Row("Java", "hot", {**figures, "least": 0.2})])
    assert drawn.count('y1="81"') == 1 and drawn.count('y1="103"') == 1
    assert drawn.count(">1.08 s<") == 2
    assert "e+0" not in drawn
