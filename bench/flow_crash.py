"""Kills servers in the midst of graphs and prints what it cost: requests made twice, time until every run has ended.

`.venv/bin/python -m bench.flow_crash --kills 50 [--postgres postgres://.../any --redis redis://...]`

With PostgreSQL and Redis two processes serve, and the other one goes on with what the dead one ran. A kill after which a node
whose end was kept runs again, a run stays, or a reader hears a boundary twice or another text than the kept one, ends the
script with an AssertionError.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
from pathlib import Path

from difyproj.testing.flow_kill import Killed, Round, counting, make_apps
from difyproj.testing.process import free_port, installation, start_upstream


async def rounds(folder: Path, args: argparse.Namespace) -> list[Killed]:
    """One installation, whose processes are killed and started again and again."""
    upstream, seen, dice = start_upstream(folder), [], random.Random(args.seed)
    try:
        async with counting(free_port()) as service:
            allowed = " ".join(url.removeprefix("http://") for url in (upstream.url, service.url))
            place = folder / "installation"
            with installation(place, upstream.url, postgres=args.postgres, redis=args.redis, EGRESS_ALLOW=allowed) as made:
                servers = [made.start() for _ in range(2 if args.postgres and args.redis else 1)]
                tokens = make_apps(made, service)
                for number in range(args.kills):
                    at = number % len(servers)
                    other = servers[1 - at] if len(servers) > 1 else None
                    one = Round(made, service, tokens, dice, people=args.people)
                    figures, servers[at] = await one.kill(servers[at], other)
                    seen.append(figures)
                    print(f"{number + 1:3} {figures}", flush=True)
    finally:
        upstream.end()
    return seen


def show(seen: list[Killed]) -> None:
    """The figures of all kills together."""
    for name in ("runs", "interrupted", "kept", "repeated", "replaced"):
        print(f"{name}: {sum(getattr(figures, name) for figures in seen)}")
    times = [figures.end_seconds for figures in seen]
    print(f"from the kill until no run is running, seconds: median {statistics.median(times):.2f}, most {max(times):.2f}")


def main() -> None:
    """Reads the flags, kills and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--postgres", default="", help="URL of any database of a server; the bench makes its own there")
    parser.add_argument("--redis", default="")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="difyproj-flow-crash-") as folder:
        show(asyncio.run(rounds(Path(folder), args)))


if __name__ == "__main__":
    main()
