"""The scenarios under load: what a streamed answer costs, how soon it begins, how many can be open at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from bench import procfs
from bench.load import Outcome, Plan, drive, quantile
from bench.stage import BARE, OURS, RELAY, Row, Stage, every, median
from bench.wire import Spec

_FULL_SPEED = Spec(100, 0, 0)
_PACED = Spec(100, 20, 10)
_AT_ONCE = 8
_CPU_LIMIT_MS = {"sqlite": 8.0, "postgres": 10.0}


def _table(seen: dict[str, list[Outcome]], name: str) -> dict[str, float]:
    return {server: median(outcomes, name) for server, outcomes in seen.items()}


def _quantiles(seen: dict[str, list[Outcome]], name: str, share: float) -> dict[str, float]:
    return {server: quantile(every(outcomes, name), share) for server, outcomes in seen.items()}


def _errors(seen: dict[str, list[Outcome]]) -> dict[str, float]:
    return {server: sum(len(outcome.errors) for outcome in outcomes) for server, outcomes in seen.items()}


def _times(scenario: str, seen: dict[str, list[Outcome]]) -> list[Row]:
    """First event and total over the upstream's own; the bare app has no upstream and is left out."""
    real = {server: outcomes for server, outcomes in seen.items() if server != BARE}
    return [
        Row(scenario, f"{label} {word}, ms", _quantiles(real, name, share))
        for name, label in (("first_ms", "first event"), ("total_ms", "total"))
        for word, share in (("p50", 0.5), ("p95", 0.95))
    ]


async def burst(stage: Stage) -> list[Row]:
    """100 tokens at full speed: server CPU per streamed chat request."""
    times, requests = stage.choose(5, 2), stage.choose(200, 60)
    plan = Plan(_FULL_SPEED, requests=requests, concurrency=_AT_ONCE)
    seen = await stage.rounds(plan, (OURS, RELAY, BARE), times)
    limit = _CPU_LIMIT_MS["postgres" if stage.project and stage.project.postgres else "sqlite"]
    rows = [
        Row("burst", "CPU ms / request, new conversations", _table(seen, "cpu_ms"), limit),
        Row("burst", "requests / s", _table(seen, "per_second")),
        *_times("burst", seen),
        Row("burst", "errors", _errors(seen), 0),
    ]
    same = Plan(_FULL_SPEED, same_conversation=True, requests=requests // 2, concurrency=_AT_ONCE)
    rows.append(Row("burst", "CPU ms / request, going on", _table(await stage.rounds(same, (OURS, RELAY)), "cpu_ms")))
    blocking = Plan(_FULL_SPEED, blocking=True, requests=requests // 2, concurrency=_AT_ONCE)
    rows.append(Row("burst", "CPU ms / request, blocking", _table(await stage.rounds(blocking, (OURS, RELAY)), "cpu_ms")))
    return rows


async def paced(stage: Stage) -> list[Row]:
    """20 ms, then 10 ms per token, 50 at once: CPU against the bare relay."""
    plan = Plan(_PACED, requests=stage.choose(200, 50), concurrency=50)
    seen = await stage.rounds(plan, (OURS, RELAY, BARE), stage.choose(3, 1))
    return [
        Row("paced", "CPU ms / request at 50 open", _table(seen, "cpu_ms"), 2.5, RELAY),
        *_times("paced", seen),
        Row("paced", "errors", _errors(seen), 0),
    ]


async def first(stage: Stage) -> list[Row]:
    """Time to the first event over the upstream's own: alone, and in an open loop at half the peak."""
    late = Spec(100, 20, 0)
    names = (OURS, RELAY)
    alone = await stage.rounds(Plan(late, requests=stage.choose(60, 20), concurrency=1), names)
    hundred = await stage.rounds(Plan(_FULL_SPEED, requests=stage.choose(600, 200), concurrency=100), names)
    peaks = _table(hundred, "per_second")
    half: dict[str, list[Outcome]] = {}
    for name, peak in peaks.items():
        rate = max(peak / 2, 1.0)
        plan = Plan(late, requests=round(rate * stage.choose(15, 5)), rate=rate)
        half |= await stage.rounds(plan, (name,))
    return [
        Row("first", "alone p50, ms", _quantiles(alone, "first_ms", 0.5), 10),
        Row("first", "alone p95, ms", _quantiles(alone, "first_ms", 0.95)),
        Row("first", "peak requests / s, 100 at once", peaks),
        Row("first", "errors with 100 at once", _errors(hundred), 0),
        Row("first", "at half the peak p50, ms", _quantiles(half, "first_ms", 0.5)),
        Row("first", "at half the peak p95, ms", _quantiles(half, "first_ms", 0.95), 60),
        Row("first", "errors at half the peak", _errors(half), 0),
    ]


async def _watch(pid: int, peaks: procfs.Peaks) -> None:
    while True:
        peaks.looks.append(procfs.look(pid))
        await asyncio.sleep(1)


async def many_open(stage: Stage) -> list[Row]:
    """A thousand open streams of one token a second in one process."""
    streams = stage.choose(1000, 200)
    plan = Plan(Spec(stage.choose(30, 8), 0, 1000), requests=streams, rate=streams / stage.choose(10, 3))
    values: dict[str, dict[str, float]] = {}
    for name in (OURS, RELAY):
        if name in stage.servers:
            values[name] = await _hold_open(stage, name, plan)
    limits = {"errors": 0.0, "database connections": 8.0, "RSS MB": 400.0, "threads more than before": 16.0}
    figures: Sequence[str] = list(next(iter(values.values())))
    return [
        Row("open", f"{figure} ({streams} streams)", {name: seen[figure] for name, seen in values.items()}, limits.get(figure))
        for figure in figures
    ]


async def _hold_open(stage: Stage, name: str, plan: Plan) -> dict[str, float]:
    server = stage.servers[name]
    await stage.upstream_stats(reset=True)
    before, peaks = procfs.look(server.pid), procfs.Peaks()
    watching = asyncio.create_task(_watch(server.pid, peaks))
    outcome = await drive(server.url, server.token, plan, server.pid)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    stage.notes += [f"{name}: {fault}" for fault in outcome.errors[:3]]
    return {
        "errors": len(outcome.errors),
        "open at once": float((await stage.upstream_stats()).peak_open),
        "database connections": peaks.highest("database"),
        "threads more than before": peaks.highest("threads") - before.threads,
        "RSS MB": peaks.highest("rss"),
        "open files": peaks.highest("files"),
        "CPU share of a core, %": 100 * outcome.cpu / outcome.seconds if outcome.seconds else 0.0,
        "first event p95, ms": quantile(outcome.first_ms, 0.95),
    }


async def parameters(stage: Stage) -> list[Row]:
    """GET /v1/parameters."""
    plan = Plan(Spec(), path="/v1/parameters", requests=stage.choose(600, 200), concurrency=4)
    seen = await stage.rounds(plan, (OURS, BARE), stage.choose(3, 1))
    return [
        Row("parameters", "CPU ms / request", _table(seen, "cpu_ms"), 2.5),
        Row("parameters", "p50, ms (4 at once)", _quantiles(seen, "total_ms", 0.5)),
        Row("parameters", "requests / s", _table(seen, "per_second")),
        Row("parameters", "errors", _errors(seen), 0),
    ]
