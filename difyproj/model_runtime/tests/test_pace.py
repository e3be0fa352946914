"""A steady stream is read 20 times a second; its beginning, and a slow one, at once."""

from __future__ import annotations

import asyncio

import pytest

from difyproj.model_runtime import streams
from difyproj.model_runtime.streams import Pace


async def waited(monkeypatch: pytest.MonkeyPatch, gaps: list[float]) -> list[float]:
    """How long each of the waits took whose pieces come ``gaps`` seconds after the one before, by a clock of our own."""
    now, waits, held = 100.0, [], []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(streams, "monotonic", lambda: now)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    pace = Pace()
    for gap in gaps:
        now += gap
        before = now
        await pace.wait(lambda: held.append(True))
        waits.append(round(now - before, 6))
    assert len(held) == sum(wait > 0 for wait in waits)
    return waits


async def test_the_first_pieces_pass_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await waited(monkeypatch, [0.0] * 4) == [0.0] * 4


async def test_a_flood_is_read_at_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await waited(monkeypatch, [0.0] * 10))[4:] == [pytest.approx(0.05)] * 6


async def test_a_slow_stream_never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(await waited(monkeypatch, [0.06] * 50)) == {0.0}


async def test_after_a_pause_the_stream_is_read_at_once_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = await waited(monkeypatch, [0.0] * 8 + [1.0, 0.0, 0.0, 0.0])
    assert waits[-4:] == [0.0] * 4
