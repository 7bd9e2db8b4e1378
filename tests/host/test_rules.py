"""The host's pure rules: places, reclaiming, output decoding, report lines, log batches."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.host import report, scaling
from lambent.host.logs import batches, stream_name
from lambent.host.output import MAX_EVENT, MAX_OUTPUT, OutputDecoder
from lambent.host.reclaim import Idle, KeepAlive
from lambent.host.scaling import Load, Place


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (Load(idle_own=1, idle_others=0, environments=1, limit=1), Place.REUSE),
        (Load(idle_own=0, idle_others=1, environments=1, limit=2), Place.START),
        (Load(idle_own=0, idle_others=1, environments=2, limit=2), Place.EVICT),
        (Load(idle_own=0, idle_others=0, environments=2, limit=2), Place.WAIT),
        (Load(idle_own=0, idle_others=0, environments=0, limit=2), Place.START),
    ],
)
def test_place(load: Load, expected: Place) -> None:
    assert scaling.place(load) is expected


def test_an_account_may_have_1000_invocations_at_once() -> None:
    assert scaling.admits(999)
    assert not scaling.admits(1000)


@pytest.mark.parametrize(
    ("full_at", "now", "expected"),
    [
        (0.0, 50.0, 50.01),  # nothing was used
        (50.01, 50.0, 50.02),
        (59.99, 50.0, 60.0),  # 999 were
        (60.0, 50.0, None),  # 1,000 were
        (60.0, 50.01, 60.01),  # one came back
        (60.0, 55.0, 60.01),
        (60.0, 1000.0, 1000.01),  # what is not used is not saved up
    ],
)
def test_growth(full_at: float, now: float, expected: float | None) -> None:
    assert scaling.grow(full_at, now) == pytest.approx(expected)


@given(st.lists(st.floats(0, 0.02), max_size=3000))
def test_a_function_gains_1000_environments_at_once_and_1000_more_in_ten_seconds(
    gaps: list[float],
) -> None:
    full_at, now, gained = 0.0, 100.0, 0
    for gap in gaps:
        now += gap
        if (grown := scaling.grow(full_at, now)) is not None:
            full_at, gained = grown, gained + 1
    assert gained <= 1000 + 100 * (now - 100.0) + 1e-3
    assert gained >= min(len(gaps), 1000)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ([], (0, None)),
        ([0.0, 50.0], (1, 50.0)),
        ([0.0], (1, None)),
        ([95.0, 96.0, 97.0, 98.0], (1, 96.0)),
    ],
)
def test_reclaim_takes_the_old_and_the_surplus(
    since: list[float], expected: tuple[int, float | None]
) -> None:
    idle = [Idle(f"arn:{place}", at) for place, at in enumerate(since)]
    chosen, again = KeepAlive(100.0, most=3).reclaim(idle, 100.0)
    assert (len(chosen), again) == expected
    assert list(chosen) == list(range(len(chosen)))


@pytest.mark.parametrize(("memory", "limit"), [(1 << 30, 8), (8 << 30, 64), (1 << 40, 1000)])
def test_machine_limit_follows_memory(memory: int, limit: int) -> None:
    assert scaling.machine_limit(memory) == limit


def frame(text: str, when: float = 100.5) -> bytes:
    data = text.encode()
    return (
        b"\xa5\x5a\x00\x0f"
        + len(data).to_bytes(4, "big")
        + int(when * 1e6).to_bytes(8, "big")
        + data
    )


PIECES = st.lists(
    st.one_of(
        st.text(max_size=30).map(lambda text: ("line", text.replace("\n", "") + "\n")),
        st.text(min_size=1, max_size=30).map(lambda text: ("frame", text)),
    ),
    max_size=12,
)


@given(PIECES, st.lists(st.integers(1, 40), min_size=1))
def test_output_decodes_the_same_however_it_is_cut(
    pieces: list[tuple[str, str]], cuts: list[int]
) -> None:
    data = b"".join(frame(text) if kind == "frame" else text.encode() for kind, text in pieces)
    decoder = OutputDecoder()
    events = []
    position = turn = 0
    while position < len(data):
        size = cuts[turn % len(cuts)]
        events += decoder.feed(data[position : position + size], 200.0)
        position += size
        turn += 1
    events += decoder.finish(200.0)
    expected = [(100.5 if kind == "frame" else 200.0, text) for kind, text in pieces]
    assert events == expected


def test_frame_after_an_unfinished_line_is_its_own_event() -> None:
    events = OutputDecoder().feed(b"partial" + frame("a\nb\n"), 200.0)
    assert events == [(200.0, "partial"), (100.5, "a\nb\n")]


def test_each_invocation_may_write_as_much_as_any_other() -> None:
    decoder = OutputDecoder()
    most = b"x" * (MAX_OUTPUT - 1) + b"\n"
    for _ in range(2):
        decoder.begin()
        assert len("".join(text for _, text in decoder.feed(most, 1.0))) == len(most)
        [(_, said)] = decoder.feed(b"one more", 1.0)
        assert said.startswith("[Output cut here")
        assert decoder.feed(b"\nand more\n", 1.0) == []


def test_frame_whose_clock_is_another_is_stamped_on_arrival() -> None:
    assert OutputDecoder().feed(frame("x", 10.0), 1e9) == [(1e9, "x")]


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded(data: bytes) -> None:
    decoder = OutputDecoder()
    decoder.feed(data, 0.0)
    decoder.finish(0.0)


def test_long_lines_are_cut() -> None:
    events = OutputDecoder().feed(b"x" * (2 * MAX_EVENT + 5) + b"\n", 0.0)
    assert [len(text) for _, text in events] == [MAX_EVENT, MAX_EVENT, 6]


@pytest.mark.parametrize(
    ("duration", "init", "expected"),
    [(0.0, None, 0.001), (0.0011, None, 0.002), (0.002, None, 0.002), (0.0011, 0.1, 0.102)],
)
def test_billed_is_whole_milliseconds(duration: float, init: float | None, expected: float) -> None:
    assert report.billed(duration, init) == expected


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (0, "Runtime exited without providing a reason"),
        (3 << 8, "Runtime exited with error: exit status 3"),
        (signal.SIGKILL, "Runtime exited with error: signal: killed"),
        (signal.SIGABRT, "Runtime exited with error: signal: aborted"),
    ],
)
def test_exit_error(status: int, message: str) -> None:
    assert report.exited(status).message == message


def test_report_line_of_a_timeout() -> None:
    line = report.report(
        "r-1",
        duration=3.0,
        billed_seconds=3.0,
        memory_size=128,
        memory_used=37,
        init=None,
        status="timeout",
    )
    assert line == (
        "REPORT RequestId: r-1\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 37 MB\tStatus: timeout\t\n"
    )


def test_stream_name_is_lambdas() -> None:
    assert stream_name(1_700_000_000, "$LATEST", "ab") == "2023/11/14/[$LATEST]ab"
    assert stream_name(1_700_000_000, "7", "ab", "f") == "2023/11/14/f[7]ab"


@given(
    st.lists(st.tuples(st.floats(0, 1e9), st.text(min_size=1, max_size=50)), max_size=50),
)
def test_batches_keep_every_event_in_order_of_time(events: list[tuple[float, str]]) -> None:
    made = batches(events)
    flat = [event for batch in made for event in batch]
    assert sorted(flat) == sorted(events)
    assert [when for when, _ in flat] == sorted(when for when, _ in events)


def test_batches_stay_within_the_limits() -> None:
    events = [(float(number), "x" * 100_000) for number in range(30)]
    assert [len(batch) for batch in batches(events)] == [10, 10, 10]
    assert [len(batch) for batch in batches([(0.0, "x")] * 10_001)] == [10_000, 1]
