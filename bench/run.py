"""Runs bench scenarios and prints their figures beside the yardsticks of the same run.

`.venv/bin/python -m bench.run [burst paced first open queries parameters startup stop] [--quick] [--db postgres] [--redis]`
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from uvicorn.loops.auto import auto_loop_factory

from bench import lifecycle, scenarios
from bench.processes import NotStarted
from bench.stage import BARE, OURS, RELAY, Row, Stage, build

SCENARIOS: dict[str, Callable[[Stage], Awaitable[list[Row]]]] = {
    "burst": scenarios.burst,
    "paced": scenarios.paced,
    "first": scenarios.first,
    "open": scenarios.many_open,
    "queries": lifecycle.queries,
    "parameters": scenarios.parameters,
    "startup": lifecycle.startup,
    "stop": lifecycle.stop,
}
_WIDTH = 48


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value == round(value) or value >= 1000 else f"{value:.2f}"


def show(rows: list[Row]) -> None:
    """Prints rows as a table."""
    for row in rows:
        cells = "".join(f"{_number(row.values.get(name)):>10}" for name in (OURS, RELAY, BARE))
        limit = "" if row.limit is None else f"{'x' if row.against else ''}{_number(row.limit)}"
        print(f"{row.scenario:<11}{row.figure:<{_WIDTH}}{cells}{_number(row.ratio):>9}{limit:>8}  {row.verdict}", flush=True)


async def run(stage: Stage, names: list[str]) -> list[Row]:
    """Runs the named scenarios, printing as they end."""
    print(f"{'scenario':<11}{'figure':<{_WIDTH}}{OURS:>10}{RELAY:>10}{BARE:>10}{'x relay':>9}{'limit':>8}")
    rows = []
    for name in names:
        try:
            found = await SCENARIOS[name](stage)
        except (NotStarted, RuntimeError, OSError, TimeoutError) as error:
            found = [Row(name, "did not run to its end", {OURS: 1}, 0)]
            stage.notes.append(f"{type(error).__name__}: {error}")
            stage.ensure_ours()
        show(found)
        rows += found
        for note in stage.notes:
            print("   ", note)
        stage.notes.clear()
    return rows


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", help=f"any of: {' '.join(SCENARIOS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a short version, for a first look")
    parser.add_argument("--db", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument(
        "--postgres", default="postgres://postgres@127.0.0.1:5432/difyproj_bench", help="this database is dropped and made anew"
    )
    parser.add_argument("--redis", action="store_true", help="with Redis")
    parser.add_argument("--redis-url", default="redis://127.0.0.1:6379/9")
    parser.add_argument("--settings", default="", help="DJANGO_SETTINGS_MODULE of the server under test")
    parser.add_argument("--yardsticks", action="store_true", help="only the relay and the bare app")
    parser.add_argument("--json", type=Path, help="write the rows there too")
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder with the logs")
    args = parser.parse_args()
    if unknown := [name for name in args.scenarios if name not in SCENARIOS]:
        parser.error(f"unknown scenario {unknown[0]}; there are {', '.join(SCENARIOS)}")
    return args


def main() -> int:
    """Runs what the command line asks for; 1 when a limit was passed, 2 when a server did not start."""
    args = _parse()
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    database = args.db + (" + redis" if args.redis else "")
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load}, {database}{', quick' if args.quick else ''}"
    )
    try:
        stage = build(
            with_project=not args.yardsticks,
            postgres=args.postgres if args.db == "postgres" else "",
            redis=args.redis_url if args.redis else "",
            settings=args.settings,
            quick=args.quick,
        )
    except NotStarted as error:
        print(error, file=sys.stderr)
        return 2
    try:
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            rows = runner.run(run(stage, args.scenarios or list(SCENARIOS)))
    finally:
        stage.close()
        if args.keep:
            print("logs:", stage.folder)
        else:
            shutil.rmtree(stage.folder, ignore_errors=True)
    if args.json:
        args.json.write_bytes(msgspec.json.format(msgspec.json.encode(rows)))
    return int(any(row.verdict == "OVER" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
