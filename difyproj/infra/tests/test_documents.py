"""Documents read by confined processes: their text, and how little a hostile one can do."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from datasets.rag.extract.base import Unreadable
from difyproj.infra import documents, extraction_process
from difyproj.infra.documents import ConfinedDocuments, extracted
from difyproj.kernel.errors import InvalidParam
from difyproj.testing import documents as made

ROOT = Path(__file__).resolve().parents[3]
ENDLESS = b"<div>" * 300_000


class Shelf:
    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, file: Mapping[str, Any], *, limit: int) -> bytes:
        if len(self._data) > limit:
            raise InvalidParam("too large")
        return self._data

    async def keep(self, data: bytes, *, name: str, mime_type: str) -> Mapping[str, Any]:
        raise AssertionError("nothing is kept")


def children() -> set[str]:
    """Processes of this one that read documents."""
    found = subprocess.run(
        ["ps", "-ww", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True, check=False
    )
    return {line for line in found.stdout.splitlines() if "extraction_process" in line}


@pytest.mark.parametrize(
    ("file", "data", "text"),
    [
        ({"extension": ".pdf"}, made.pdf("Hello"), "Hello"),
        ({"filename": "a.DOCX"}, made.word(), "Results"),
        ({"filename": "a.xlsx"}, made.sheets(One=[["a", 1]]), "| a | 1 |"),
        ({"filename": "a.csv"}, b"a,b", "| a | b |"),
        ({"filename": "a.html"}, b"<h1>x", "# x"),
        ({"filename": "a.eml"}, made.mail(text="Hi"), "Hi"),
        ({"filename": "a b;$(x).txt", "mime_type": "text/plain; charset=utf-8"}, "ü".encode(), "ü"),
        ({}, "这是一个测试文件。用来检查编码。".encode("gb18030"), "测试文件"),
    ],
)
async def test_a_file_gives_its_text(file: dict[str, Any], data: bytes, text: str) -> None:
    assert text in await ConfinedDocuments(Shelf(data)).text(file)


async def test_pages_come_with_the_text() -> None:
    found = await extracted(made.pdf("One", "Two"), extension="pdf")
    assert [page.text for page in found.pages] == ["One", "Two"]


@pytest.mark.parametrize(
    ("data", "extension"),
    [
        (b"nothing of the kind", "pdf"),
        (made.word()[:500], "docx"),
        (made.zipped({"a": "x"}), "xlsx"),
        (bytes(range(256)), "txt"),
    ],
)
async def test_what_cannot_be_read_is_refused_in_words(data: bytes, extension: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        await extracted(data, extension=extension)
    assert len(refusal.value.message) > 10


async def test_a_document_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "SECONDS", 1.0)
    began = time.monotonic()
    with pytest.raises(Unreadable, match="too long"):
        await extracted(ENDLESS, extension="html")
    assert time.monotonic() - began < 5
    await asyncio.sleep(0.2)
    assert not children()


async def test_who_waits_no_longer_ends_the_process() -> None:
    waiting = asyncio.ensure_future(extracted(ENDLESS, extension="html"))
    for _ in range(100):
        await asyncio.sleep(0.05)
        if children():
            break
    assert children()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0.2)
    assert not children()


async def test_only_a_few_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0

    async def counted(*args: Any) -> bytes:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return b""

    monkeypatch.setattr(documents, "_made", counted)
    await asyncio.gather(*(extracted(b"x") for _ in range(20)), return_exceptions=True)
    assert most == documents.AT_ONCE


def confined(code: str) -> subprocess.CompletedProcess[bytes]:
    """What ``code`` does where documents are read."""
    command = documents.command(call="confine")
    command[command.index("-c") + 1] += f"\n{code}"
    return subprocess.run(command, cwd=ROOT, env={}, capture_output=True, check=False)


@pytest.mark.parametrize(
    "code",
    [
        "x = bytearray(2 * 1024**3)",
        "import subprocess; subprocess.run(['true'])",
        "x = [open('/dev/null') for _ in range(100)]",
        "import socket; socket.socket()",
        "import os; os.kill(os.getppid(), 0)",
        "f = open('FOLDER/written', 'w'); f.write('x'); f.flush()",
        "while True: bytearray(10)",
    ],
)
def test_the_process_has_no_more_than_it_needs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if code.startswith("while"):
        short = documents.START.replace(
            "extraction_process.{call}", "extraction_process.CPU_SECONDS = 1; extraction_process.{call}"
        )
        monkeypatch.setattr(documents, "START", short)
    assert confined("x = 1").returncode == 0
    assert confined(code.replace("FOLDER", str(tmp_path))).returncode != 0
    assert not any(file.stat().st_size for file in tmp_path.iterdir())


def test_the_process_knows_no_framework_and_no_setting() -> None:
    code = "import sys; print([name for name in ('django', 'difyproj.settings', 'redis', 'aiohttp') if name in sys.modules])"
    assert confined(code).stdout.strip() == b"[]"


def test_what_needs_too_much_memory_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(data: bytes) -> Any:
        raise MemoryError

    monkeypatch.setattr(extraction_process, "format_of", lambda *args, **options: "text")
    monkeypatch.setattr(type(extraction_process.FORMATS), "get", lambda self, name: greedy)
    reply = extraction_process.reply_to(b"x", "txt", "")
    assert reply.refusal is not None and "too large" in reply.refusal.message


async def test_what_no_database_holds_is_not_in_the_text() -> None:
    found = await extracted(b"Subject: \xff\xfe odd\nFrom: a@example.com\n\nbody \x00 end", extension="eml")
    assert "body" in found.text and "\0" not in found.text
    assert found.text.encode() and found.title.encode()
