"""Hostile files: each ends in words or in harmless text, soon, in a process that stays small; what comes after it is read."""

from __future__ import annotations

import io
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from datasets.rag.extract.base import Unreadable
from difyproj.infra import documents
from difyproj.infra.documents import Limits, stream
from difyproj.testing.hostile import FILES

LIMITS = Limits(cpu_seconds=6, seconds=30, text=200_000_000)
# What may come out of them: nothing that was not in them.
HARMLESS = {
    "macros.xlsm", "climbing.docx", "climbing.epub", "entity.xml", "entity.svg", "entity.html", "entity.docx", "entity.pptx",
    "entity.epub", "laughs.xml", "line.txt", "broken.txt", "deep.html", "attributes.html", "wide.csv", "quotes.csv",
    "deep.json", "deep.eml", "heads.eml", "cues.vtt", "loop.pdf", "packed.pdf", "endless.pdf",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def the_whole_module_costs_little() -> Iterator[None]:
    documents.close()
    began = sum(os.times()[:4])
    yield
    documents.close()
    assert sum(os.times()[:4]) - began < 60


def largest_child() -> int:
    """The most memory that a reading process of ours has had, in MB."""

    def below(pid: int) -> list[int]:
        found = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True, check=False)
        return [int(line) for line in found.stdout.split()]

    sizes = [0]
    for server in below(os.getpid()):
        for child in below(server):
            try:
                status = Path(f"/proc/{child}/status").read_text(encoding="utf-8")
            except OSError:
                continue
            sizes += [int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM")]
    return max(sizes)


def text_of(data: bytes, name: str) -> str:
    with stream(io.BytesIO(data), extension=name.rpartition(".")[2], owner="ann", limits=LIMITS) as reading:
        return "".join(page.text for page in reading)


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_ends_and_does_no_harm(name: str) -> None:
    data = FILES[name]()
    began = time.monotonic()
    try:
        text = text_of(data, name)
    except Unreadable as refusal:
        assert len(refusal.message) > 10 and "Traceback" not in refusal.message
    else:
        assert name in HARMLESS, f"{name}: {text[:200]!r}"
        assert "root:" not in text and "haha" * 100 not in text
    assert time.monotonic() - began < 25
    assert largest_child() < 1000
    assert text_of(b"still here", "a.txt") == "still here"
    assert not Path("/tmp/climbed").exists()


def test_there_are_forty_of_them() -> None:
    assert len(FILES) >= 40
