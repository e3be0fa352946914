"""A steady stream is read 20 times a second, 10 times in a busy process; its beginning, and a slow one, at once."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from difyproj.model_runtime import streams
from difyproj.model_runtime.streams import Pace


def rests(monkeypatch: pytest.MonkeyPatch, gaps: list[float]) -> list[float]:
    """The rests before pieces that come ``gaps`` seconds after the rest before them, by a clock of our own."""
    now, rests = 100.0, []
    monkeypatch.setattr(streams, "monotonic", lambda: now)
    pace = Pace()
    for gap in gaps:
        now += gap
        rests.append(round(pace.rest(), 6))
        now += rests[-1]
    return rests


def test_the_first_pieces_pass_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rests(monkeypatch, [0.0] * 4) == [0.0] * 4


def test_a_flood_is_read_at_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (rests(monkeypatch, [0.0] * 10))[4:] == [pytest.approx(0.05)] * 6


def test_a_slow_stream_never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(rests(monkeypatch, [0.06] * 50)) == {0.0}


def test_after_a_pause_the_stream_is_read_at_once_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = rests(monkeypatch, [0.0] * 8 + [1.0, 0.0, 0.0, 0.0])
    assert waits[-4:] == [0.0] * 4


def test_what_was_read_before_its_rest_was_over_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "monotonic", lambda: 100.0)
    pace = Pace()
    assert [round(pace.rest(), 6) for _ in range(6)] == [0.0, 0.0, 0.0, 0.0, 0.05, 0.1]


def test_a_reader_who_is_late_does_not_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rests(monkeypatch, [0.0] * 5 + [0.03] * 5)[5:] == [pytest.approx(0.05)] * 5


@pytest.mark.parametrize(("others", "seconds"), [(0, 0.05), (20, 0.05), (30, 0.075), (40, 0.1), (1000, 0.1)])
def test_the_more_streams_are_open_the_less_often_each_is_read(
    monkeypatch: pytest.MonkeyPatch, others: int, seconds: float
) -> None:
    with ExitStack() as stack:
        for _ in range(others):
            stack.enter_context(Pace())
        assert rests(monkeypatch, [0.0] * 6)[4:] == [pytest.approx(seconds)] * 2
    assert rests(monkeypatch, [0.0] * 6)[4:] == [pytest.approx(0.05)] * 2
