"""What it costs to read documents and to part them: CPU, and the memory of the process that reads. No database, no models.

`.venv/bin/python -m bench.extract --large-mb 1000`
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

import docx

from bench.procfs import cpu_seconds, tree
from datasets.rag.extract.base import Page
from datasets.rag.split import Rule, clean, split
from datasets.rag.words import keywords
from difyproj.infra import documents
from difyproj.testing.documents import drawn_pdf, shown

WORDS = "Invoices of the second quarter are due within thirty days, as far as the customer has not agreed to another term. "
LIMITS = documents.Limits(text=4 * 1024**3, pages=100_000, seconds=600)


def pdf(pages: int) -> bytes:
    rows = [WORDS[:90] for _ in range(45)]
    page = shown(*((60, 740 - 15 * at, row) for at, row in enumerate(rows)), size=10)
    return drawn_pdf(*[page] * pages)


def word(pages: int) -> bytes:
    document = docx.Document()
    for at in range(pages):
        document.add_heading(f"Part {at}", level=2)
        for _ in range(6):
            document.add_paragraph(WORDS * 4)
    made = io.BytesIO()
    document.save(made)
    return made.getvalue()


def html(pages: int) -> bytes:
    return "".join(f"<h2>Part {at}</h2>" + f"<p>{WORDS * 4}</p>" * 6 for at in range(pages)).encode()


class Peak:
    """The most memory that a process which reads has had, in MB."""

    def __init__(self) -> None:
        self.megabytes = 0

    def look(self) -> None:
        for pid in tree(os.getpid())[1:]:
            try:
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            except OSError:
                continue
            found = [int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM")]
            self.megabytes = max(self.megabytes, *found, 0)

    def watched(self, pages: Iterable[Page]) -> Iterator[Page]:
        for at, page in enumerate(pages):
            if at % 20 == 0:
                self.look()
            yield page
        self.look()


def measured(name: str, pages: int, work: Callable[[Peak], int]) -> None:
    """Prints CPU of this process and of those that read, pages for each second of it, and memory."""
    documents.close()
    peak = Peak()
    began, used = time.perf_counter(), cpu_seconds(os.getpid())
    count = work(peak)
    cpu = cpu_seconds(os.getpid()) - used
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    wall = time.perf_counter() - began
    print(f"{name:34}{count:>9}{cpu:>9.2f}{wall:>9.2f}{pages / max(cpu, 0.01):>12.0f}{peak.megabytes:>10}{own:>10}", flush=True)


def parted(file: IO[bytes], extension: str, peak: Peak) -> int:
    with documents.stream(file, extension=extension, owner="bench", limits=LIMITS) as reading:
        rule = Rule()
        return sum(1 for piece in split(clean(peak.watched(reading), rule), rule) if piece.content)


def plain_pages(count: int, peak: Peak) -> int:
    """Short documents one after the other, with their keywords."""
    found = 0
    for at in range(count):
        file = io.BytesIO((f"Page {at}. " + WORDS * 25).encode())
        with documents.stream(file, extension="txt", owner="bench", limits=LIMITS) as reading:
            rule = Rule()
            for piece in split(clean(reading, rule), rule):
                found += bool(keywords(piece.content))
    peak.look()
    return found


def large_text(megabytes: int, peak: Peak) -> int:
    with tempfile.TemporaryFile() as file:
        block = (WORDS + "\n").encode() * 10_000
        while file.tell() < megabytes * 1_000_000:
            file.write(block)
        file.flush()
        return parted(file, "log", peak)


def main() -> None:
    """Reads the flags, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large-mb", type=int, default=1000)
    flags = parser.parse_args()
    heads = ("passages", "CPU s", "wall s", "pages/CPU s", "reader MB", "own MB")
    print(f"{'':34}{heads[0]:>9}{heads[1]:>9}{heads[2]:>9}{heads[3]:>12}{heads[4]:>10}{heads[5]:>10}")
    measured("1 000 plain pages, one by one", 1000, lambda peak: plain_pages(1000, peak))
    for name, extension, data in (
        ("PDF, 300 pages", "pdf", pdf(300)),
        ("Word, 300 pages", "docx", word(300)),
        ("HTML, 300 pages", "html", html(300)),
    ):
        measured(name, 300, lambda peak, data=data, kind=extension: parted(io.BytesIO(data), kind, peak))
    measured(
        f"a text of {flags.large_mb} MB", flags.large_mb * 1_000_000 // 2900, lambda peak: large_text(flags.large_mb, peak)
    )
    documents.close()


if __name__ == "__main__":
    main()
