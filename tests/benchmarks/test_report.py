from pathlib import Path

import pytest

from benchmarks import report


def round_of(lambent: float, peer: float, key: str = "sqs.send") -> report.Rounds:
    return [{"Lambent": {key: lambent}, "moto": {key: peer}}]


def test_a_ratio_is_taken_in_each_round_before_the_median() -> None:
    # In the second round the machine was ten times as slow for both.
    rounds = [*round_of(1000, 100), *round_of(100, 10), *round_of(900, 30)]
    assert report.ratios(rounds, ["moto"])["moto"]["sqs.send"] == 10
    assert report.summary(rounds)["Lambent"]["sqs.send"] == 900


def test_less_time_is_a_better_ratio() -> None:
    found = report.ratios(round_of(2.0, 50.0, "lambda.warm_p50"), ["moto"])
    assert found["moto"]["lambda.warm_p50"] == 25


def test_what_only_one_system_has_gets_no_ratio() -> None:
    assert report.ratios([{"Lambent": {"start": 0.4}, "moto": {}}], ["moto"]) == {"moto": {}}


def result(**figures: float) -> dict[str, object]:
    keyed = {name.replace("__", "."): value for name, value in figures.items()}
    rounds = [{"Lambent": keyed, "moto": {"sqs.send": 1000.0}}]
    return {
        "systems": {"Lambent": "0.1.0", "moto": "5"},
        "figures": report.summary(rounds),
        "ratios": report.ratios(rounds, ["moto"]),
    }


@pytest.mark.parametrize(
    ("figures", "broken"),
    [
        ({"sqs__send": 25_000.0}, 0),
        ({"sqs__send": 24_000.0}, 1),  # not 25 times moto
        ({"sqs__send": 9_000.0}, 2),  # nor 10,000 a second
        ({"start": 0.69}, 0),
        ({"start": 0.70}, 1),
    ],
)
def test_a_promise_that_is_not_kept_is_told(figures: dict[str, float], broken: int) -> None:
    assert len(report.broken_promises(result(**figures))) == broken


def test_the_table_shows_what_is_missing() -> None:
    row = report.table(result(sqs__send=25_000.0, start=0.4)).splitlines()
    assert row[2] == "| SQS SendMessage | 25,000/s | 1,000/s | 25x |"
    assert row[3] == "| Start to healthy | 0.40 s | - | - |"


def test_only_what_lies_between_the_markers_is_rewritten(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n{report.START}\nold \\1\n{report.END}\nafter\n")
    assert report.rewrite(page, "new \\1")
    assert page.read_text() == f"before\n{report.START}\nnew \\1\n{report.END}\nafter\n"
    page.write_text("no markers\n")
    assert not report.rewrite(page, "new")
    assert page.read_text() == "no markers\n"
