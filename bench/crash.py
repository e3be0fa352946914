"""Kills the server in mid-stream, many times, and prints what it cost: text lost, time until no run is running, restarts.

`.venv/bin/python -m bench.crash --kills 20 --people 30 [--postgres postgres://.../any --redis redis://...]`

A kill that loses what must not be lost ends the script with an AssertionError.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from difyproj.testing.crash import Figures, crash
from difyproj.testing.process import installation, start_upstream


async def rounds(folder: Path, args: argparse.Namespace) -> list[Figures]:
    """One installation, killed and started again and again."""
    upstream, seen = start_upstream(folder), []
    try:
        with installation(folder / "installation", upstream.url, postgres=args.postgres, redis=args.redis) as made:
            server = made.start()
            print(f"first start {server.started_in:.2f} s")
            for number in range(args.kills):
                figures, server = await crash(made, server, people=args.people, seed=args.seed + number)
                seen.append(figures)
                print(f"{number + 1:3} {figures}", flush=True)
    finally:
        upstream.end()
    return seen


def show(seen: list[Figures]) -> None:
    """The figures of all kills together."""
    columns: dict[str, Callable[[Figures], float]] = {
        "text lost, seconds": lambda figures: figures.lost_seconds,
        "text lost, tokens of one answer": lambda figures: figures.lost_tokens,
        "from the kill until no run is running, seconds": lambda figures: figures.reap_seconds,
        "from start to listening, seconds": lambda figures: figures.restart_seconds,
    }
    for name, read in columns.items():
        values = [read(figures) for figures in seen]
        print(f"{name}: median {statistics.median(values):.2f}, most {max(values):.2f}")
    for name in ("questions", "interrupted", "replaced", "repeated"):
        print(f"{name}: {sum(getattr(figures, name) for figures in seen)}")


def main() -> None:
    """Reads the flags, kills and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--postgres", default="", help="URL of any database of a server; the bench makes its own there")
    parser.add_argument("--redis", default="")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="difyproj-crash-") as folder:
        show(asyncio.run(rounds(Path(folder), args)))


if __name__ == "__main__":
    main()
