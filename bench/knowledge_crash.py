"""Kills workers while documents are indexed, and prints what it cost: texts that were embedded again, time until all was done.

`.venv/bin/python -m bench.knowledge_crash --kills 30 --documents 200 [--postgres postgres://.../any --redis redis://...]`

With PostgreSQL and Redis two workers run, and are killed in turn. A document that does not get there, a segment that is lost or
doubled, or a text that was kept and is embedded again ends the script with an AssertionError.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from pathlib import Path

from difyproj.testing.knowledge_crash import MAKE, Figures, Killing, embeddings, prepare
from difyproj.testing.process import free_port, installation


async def killed(folder: Path, args: argparse.Namespace) -> Figures:
    async with embeddings(free_port()) as service:
        with installation(folder, service.url, postgres=args.postgres, redis=args.redis, **WITHOUT_PGVECTOR) as made:
            await asyncio.to_thread(prepare, made, MAKE.replace("@@", str(args.documents)))
            killing = Killing(made, service, args.documents, random.Random(args.seed))
            return await killing.run(args.kills, 2 if args.postgres and args.redis else 1)


# Entries are counted in the tables of the embedded store.
WITHOUT_PGVECTOR = {"KNOWLEDGE_STORE": "embedded"}


def main() -> None:
    """Reads the flags, kills and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--postgres", default="", help="URL of any database of a server; the bench makes its own there")
    parser.add_argument("--redis", default="")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="difyproj-knowledge-crash-") as folder:
        figures = asyncio.run(killed(Path(folder), args))
    print(f"{figures.documents} documents, {figures.texts} texts, {figures.kills} kills, {figures.seconds:.1f} s")
    print(f"in flight at the kills: {figures.in_flight} texts; asked for again: {figures.asked_again}; kept and asked again: 0")


if __name__ == "__main__":
    main()
