"""Workflow runs over the API, durable: how many a second a core carries, and how long one takes under load.

`.venv/bin/python -m bench.flows [--db postgres] [--redis] [--workers 2] [--quick]`

One process is pinned to one core and the client to the other (two processes to one core each). Blocking answers: each is read
and checked, and each leaves its rows.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from uvicorn.loops.auto import auto_loop_factory

from bench import procfs
from bench.http1 import BrokenConnection, Client
from bench.load import quantile
from bench.processes import ROOT, Project, Server, start_upstream

AT_ONCE = 60
SHARE_OF_PEAK = 0.6
EMPTY_PER_CORE, ECHO_P95_MS = 100.0, 150.0


@dataclass(slots=True)
class Seen:
    """What one load saw. Times in milliseconds, from the moment a request was due; CPU in seconds of the server's tree."""

    seconds: float = 0.0
    cpu: float = 0.0
    times: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Finished runs a second."""
        return len(self.times) / self.seconds if self.seconds else 0.0

    @property
    def per_core(self) -> float:
        """Finished runs per second of server CPU."""
        return len(self.times) / self.cpu if self.cpu else 0.0


class Flow:
    """Runs of one workflow app on one server."""

    def __init__(self, server: Server, token: str, wanted: dict[str, str]) -> None:
        self._client = Client(server.url, token)
        self._pid, self._wanted = server.pid, wanted
        self._seen = Seen()

    async def closed(self, runs: int, at_once: int) -> Seen:
        """So many at once, until `runs` are done."""
        left = iter(range(runs))

        async def ask() -> None:
            for number in left:
                await self._run(number, time.monotonic())

        return await self._measured(asyncio.gather(*(ask() for _ in range(at_once))))

    async def open(self, rate: float, seconds: float) -> Seen:
        """So many a second, whatever the server does."""

        async def ask() -> None:
            began, tasks = time.monotonic(), []
            for number in range(round(rate * seconds)):
                due = began + number / rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                tasks.append(asyncio.create_task(self._run(number, due)))
            await asyncio.gather(*tasks)

        return await self._measured(ask())

    async def _measured(self, work: asyncio.Future[list[None]] | object) -> Seen:
        self._seen = Seen()
        cpu, began = procfs.cpu_seconds(self._pid), time.monotonic()
        await work  # type: ignore[misc]
        self._seen.seconds = time.monotonic() - began
        await asyncio.sleep(0.3)
        self._seen.cpu = procfs.cpu_seconds(self._pid) - cpu
        return self._seen

    async def _run(self, number: int, due: float) -> None:
        body = {"inputs": {"text": f"n{number}"}, "response_mode": "blocking", "user": "bench"}
        try:
            exchange = await self._client.run(self._client.build("POST", "/v1/workflows/run", body))
        except (BrokenConnection, OSError, TimeoutError) as error:
            self._seen.faults.append(f"{type(error).__name__}: {error}")
            return
        if fault := self._fault(exchange.status, exchange.body, number):
            self._seen.faults.append(fault)
        else:
            self._seen.times.append(1000 * (time.monotonic() - due))

    def _fault(self, status: int, body: bytes, number: int) -> str:
        if status != 200:
            return f"status {status}: {body[:160].decode(errors='replace')}"
        data = msgspec.json.decode(body)["data"]
        wanted = {name: form.format(number=number) for name, form in self._wanted.items()}
        good = data["status"] == "succeeded" and data["outputs"] == wanted
        return "" if good else f"{data['status']}: {data['outputs']} {data['error']}"


def pin(server: Server, cores: list[int]) -> None:
    """The server's web processes each to a core of `cores`, in turn; this process keeps what is left."""
    for number, pid in enumerate(procfs.tree(server.pid)):
        os.sched_setaffinity(pid, {cores[number % len(cores)]})


def tokens_of(project: Project) -> dict[str, str]:
    """The bench's workflow apps, made anew."""
    script = (Path(__file__).parent / "flow_apps.py").read_text()
    words = [sys.executable, "manage.py", "shell", "--verbosity", "0", "-c", script]
    done = subprocess.run(words, cwd=ROOT, env=project.environment(), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    made: dict[str, str] = msgspec.json.decode(done.stdout[done.stdout.rindex("{") :])
    return made


def told(name: str, seen: Seen, limit: str = "") -> None:
    """Prints one load."""
    p50, p95 = quantile(seen.times, 0.5), quantile(seen.times, 0.95)
    print(
        f"{name:<34}{len(seen.times):>6} runs {seen.per_second:>7.1f}/s {seen.per_core:>7.1f}/CPU s   "
        f"p50 {p50:>6.1f} ms  p95 {p95:>6.1f} ms  {len(seen.faults)} errors  {limit}",
        flush=True,
    )
    for fault in seen.faults[:3]:
        print("    error:", fault)


async def measure(server: Server, tokens: dict[str, str], quick: bool) -> bool:
    """Both graphs; whether the limits held."""
    many, seconds = (300, 5.0) if quick else (1500, 15.0)
    empty, echo = Flow(server, tokens["empty"], {}), Flow(server, tokens["echo"], {"text": "n{number}"})
    await empty.closed(50, 4)
    first = await empty.closed(many, 8)
    told("empty workflow, 8 at once", first, f"limit {EMPTY_PER_CORE:.0f}/CPU s")
    await echo.closed(50, 4)
    peak = await echo.closed(many, AT_ONCE)
    told(f"three nodes, {AT_ONCE} at once", peak, "limit 0 errors")
    opened = await echo.open(peak.per_second * SHARE_OF_PEAK, seconds)
    told("three nodes, open loop at 60 %", opened, f"limit p95 {ECHO_P95_MS:.0f} ms")
    faults = first.faults + peak.faults + opened.faults
    return first.per_core >= EMPTY_PER_CORE and not faults and quantile(opened.times, 0.95) <= ECHO_P95_MS


def main() -> int:
    """Prepares an installation, serves, measures; 1 when a limit was passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--postgres", default="postgres://postgres@127.0.0.1:5432/difyproj_bench", help="dropped, made anew")
    parser.add_argument("--redis", action="store_true")
    parser.add_argument("--redis-url", default="redis://127.0.0.1:6379/9")
    parser.add_argument("--workers", type=int, default=1, help="web processes; two need PostgreSQL and Redis")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="difyproj-flows-"))
    upstream = start_upstream(folder)
    project = Project(folder, upstream, args.postgres if args.db == "postgres" else "", args.redis_url if args.redis else "")
    try:
        project.prepare()
        tokens = tokens_of(project)
        server = project.start([sys.executable, "manage.py", "serve", "--workers", str(args.workers)])
        cores = sorted(os.sched_getaffinity(0))
        pin(server, cores[:1] if args.workers == 1 else cores)
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            good = runner.run(measure(server, tokens, args.quick))
        server.stop()
    finally:
        upstream.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
