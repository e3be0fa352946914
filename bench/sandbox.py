"""What one call of the sandbox costs: wall time and CPU of Python, JavaScript and templates, per walls that this machine has.

`.venv/bin/python -m bench.sandbox --calls 500`
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable

from bench.procfs import cpu_seconds, look
from difyproj.infra.sandbox.programs import Bounds
from difyproj.infra.sandbox.sandbox import Sandbox
from difyproj.infra.sandbox.walls import WALLS

PYTHON = """
import json, re
def main(text, rows):
    words = re.findall(r"\\w+", text)
    counts = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    total = sum(row["n"] for row in rows)
    best = sorted(counts, key=lambda word: -counts[word])[:3]
    return {"best": best, "total": total, "text": json.dumps(counts)}
"""
JAVASCRIPT = """
function main({text, rows}) {
    const counts = {};
    for (const word of text.match(/\\w+/g)) counts[word] = (counts[word] || 0) + 1;
    const best = Object.keys(counts).sort((a, b) => counts[b] - counts[a]).slice(0, 3);
    return {best, total: rows.reduce((sum, row) => sum + row.n, 0), text: JSON.stringify(counts)};
}
"""
TEMPLATE = "{% for row in rows %}{{ loop.index }}. {{ row.n * 2 }} {% if row.n > 3 %}{{ text|upper }}{% endif %}\n{% endfor %}"
VALUES = {"text": "the quick brown fox jumps over the lazy dog", "rows": [{"n": n} for n in range(10)]}
# Only CPython knows the module: behind walls where there is one, that is a try by Monty and one by CPython.
WHOLE = "import html\n" + PYTHON

Call = Callable[[], Awaitable[object]]


async def measure(name: str, call: Call, calls: int) -> None:
    """Prints the first call, which starts the worker, and the figures of the warm ones, one after the other."""
    began = time.perf_counter()
    await call()
    first, taken, used = time.perf_counter() - began, [], cpu_seconds(os.getpid())
    for _ in range(calls):
        began = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - began)
    used = (cpu_seconds(os.getpid()) - used) / calls
    p95 = statistics.quantiles(taken, n=20)[-1]
    figures = (first, statistics.median(taken), p95, used)
    print(f"{name:32}" + "".join(f"{figure * 1000:10.2f}" for figure in figures), flush=True)


async def run(calls: int) -> None:
    print(f"{'ms':32}{'first':>10}{'p50':>10}{'p95':>10}{'CPU':>10}")
    for walls in WALLS:
        behind = WALLS.get(walls)()
        if refusal := behind.refusal():
            print(f"{walls}: skipped, {refusal}")
            continue
        sandbox = Sandbox(behind, size=1, bounds=Bounds(5.0, 64 * 1024**2))
        await measure(f"{walls}, Python", lambda s=sandbox: s.run_code("python3", PYTHON, VALUES), calls)
        if len(behind.languages["python3"]) > 1:
            await measure(f"{walls}, Python by CPython", lambda s=sandbox: s.run_code("python3", WHOLE, VALUES), calls)
        await measure(f"{walls}, JavaScript", lambda s=sandbox: s.run_code("javascript", JAVASCRIPT, VALUES), calls)
        await measure(f"{walls}, template", lambda s=sandbox: s.render(TEMPLATE, VALUES, limit=100_000), calls)
        everything = look(os.getpid())
        await sandbox.aclose()
        alone = look(os.getpid())
        processes, megabytes = everything.processes - alone.processes, everything.pss - alone.pss
        print(f"{walls}: {processes} processes, {megabytes:.0f} MB, one worker of each")


def main() -> None:
    """Reads the flags, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=500)
    asyncio.run(run(parser.parse_args().calls))


if __name__ == "__main__":
    main()
