"""Compares ASGI servers on one bare application: CPU per request and per streamed event, so that the choice is a measurement.

`.venv/bin/python -m bench.servers [uvicorn granian daphne]`; a server that is not installed is passed over.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import statistics
import sys
import tempfile
from pathlib import Path

from uvicorn.loops.auto import auto_loop_factory

from bench import procfs
from bench.load import Outcome, Plan, drive, quantile
from bench.processes import Server, start_asgi
from bench.wire import Spec

_APP = "bench.bare:app"
_PORT = ("--port", "{port}")
COMMANDS: dict[str, tuple[str, ...]] = {
    "uvicorn": ("uvicorn", _APP, *_PORT, "--no-access-log", "--log-level", "warning"),
    "granian": ("granian", "--interface", "asginl", *_PORT, "--workers", "1", "--no-access-log", _APP),
    "daphne": ("daphne", "-b", "127.0.0.1", "-p", "{port}", "-v", "0", _APP),
}
_PLANS = {
    "plain GET": Plan(Spec(), path="/v1/parameters", requests=1000, concurrency=8),
    "stream of 1": Plan(Spec(1, 0, 0), requests=600, concurrency=8),
    "stream of 100, full speed": Plan(Spec(100, 0, 0), requests=300, concurrency=8),
    "stream of 100, 10 ms apart": Plan(Spec(100, 10, 10), requests=100, concurrency=50),
}
_ROUNDS = 3


async def measure(servers: dict[str, Server]) -> dict[str, dict[str, list[Outcome]]]:
    """Runs every plan on every server in turn, several rounds."""
    seen: dict[str, dict[str, list[Outcome]]] = {name: {plan: [] for plan in _PLANS} for name in servers}
    for _ in range(_ROUNDS):
        for what, plan in _PLANS.items():
            for name, server in servers.items():
                seen[name][what].append(await drive(server.url, "", plan, server.pid))
    return seen


def show(name: str, server: Server, seen: dict[str, list[Outcome]]) -> None:
    """Prints one server's figures."""
    looked = procfs.look(server.pid)
    cost = {what: 1000 * statistics.median(outcome.cpu_ms for outcome in outcomes) for what, outcomes in seen.items()}
    one, burst, paced = (cost[what] for what in list(_PLANS)[1:])
    print(f"{name}: {looked.rss:.0f} MB, {looked.threads} threads, {looked.processes} processes")
    for what, outcomes in seen.items():
        median = quantile([value for outcome in outcomes for value in outcome.total_ms], 0.5)
        errors = sum(len(outcome.errors) for outcome in outcomes)
        print(f"    {what:<28}{cost[what]:>9.0f} us CPU / request   p50 {median:7.1f} ms   {errors} errors")
    print(f"    {'one event':<28}{(burst - one) / 99:>9.1f} us at full speed, {(paced - one) / 99:.1f} us paced")


def main() -> None:
    """Compares the servers named on the command line, or all that are installed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("servers", nargs="*", help=f"any of: {' '.join(COMMANDS)} (default: all that are installed)")
    wanted = parser.parse_args().servers or list(COMMANDS)
    if unknown := set(wanted) - set(COMMANDS):
        parser.error(f"unknown server {min(unknown)}; there are {', '.join(COMMANDS)}")
    servers: dict[str, Server] = {}
    with tempfile.TemporaryDirectory(prefix="difyproj-bench-") as folder:
        try:
            for name in wanted:
                if importlib.util.find_spec(name):
                    command = (sys.executable, "-m", *COMMANDS[name])
                    servers[name] = start_asgi(name, _APP, Path(folder), command=command)
                else:
                    print(f"{name}: not installed")
            with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
                seen = runner.run(measure(servers))
            for name, server in servers.items():
                show(name, server, seen[name])
        finally:
            for server in servers.values():
                server.stop()


if __name__ == "__main__":
    main()
