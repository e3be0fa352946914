"""Documents read by confined processes: their text, and how little a hostile one can do."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from datasets.rag.extract.base import Source, Unreadable
from difyproj.infra import documents, extraction_process
from difyproj.infra.documents import ConfinedDocuments, extracted, stream
from difyproj.kernel.errors import InvalidParam
from difyproj.testing import documents as made

ROOT = Path(__file__).resolve().parents[3]
ENDLESS = b"<div>" * 300_000


@pytest.fixture(autouse=True)
def nobody_reads_yet() -> None:
    documents.close()


def settled(most: int) -> None:
    """No more processes than that are left, soon."""
    for _ in range(100):
        if len(children()) <= most:
            return
        time.sleep(0.02)
    raise AssertionError(children())


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
    """Processes that read documents for this one."""

    def below(pid: int | str) -> list[str]:
        found = subprocess.run(
            ["ps", "-ww", "--ppid", str(pid), "-o", "pid=,args="], capture_output=True, text=True, check=False
        )
        return [line.split()[0] for line in found.stdout.splitlines() if "extraction_process" in line]

    return {child for server in below(os.getpid()) for child in below(server)}


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


async def test_a_document_that_takes_too_long_is_given_up() -> None:
    began = time.monotonic()
    with pytest.raises(Unreadable, match="too long"):
        await extracted(ENDLESS, extension="html", limits=documents.Limits(seconds=1.0))
    assert time.monotonic() - began < 5
    await asyncio.to_thread(settled, 0)


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
    await asyncio.to_thread(settled, 0)


async def test_only_a_few_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def counted(*args: Any) -> Any:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        raise Unreadable

    monkeypatch.setattr(documents, "_opened", counted)
    await asyncio.gather(*(extracted(b"x") for _ in range(20)), return_exceptions=True)
    assert most == documents.AT_ONCE


def test_documents_of_one_owner_are_read_by_one_process_and_those_of_others_by_others() -> None:
    def read(owner: str) -> None:
        with stream(io.BytesIO(b"text"), extension="txt", owner=owner) as reading:
            assert [page.text for page in reading] == ["text"]

    read("ann")
    first = children()
    read("ann")
    assert children() == first
    read("bob")
    read("")
    assert len(children() - first) == 1


def test_many_threads_read_at_once_and_nobody_gets_anothers_text() -> None:
    def read(at: int) -> bool:
        data = f"text {at}".encode() * 1000
        with stream(io.BytesIO(data), extension="txt", owner=f"owner {at % 3}") as reading:
            return "".join(page.text for page in reading) == data.decode()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(100)))
    settled(documents.MOST_WAITING)


def test_what_ended_for_lack_of_work_is_begun_again() -> None:
    for _ in range(2):
        assert [page.text for page in stream(io.BytesIO(b"text"), owner="ann")] == ["text"]
        server = documents._server
        assert server._process is not None
        server._process.kill()
        server._process.wait()
        for child in children():
            os.kill(int(child), signal.SIGKILL)


def test_a_reader_that_has_enough_ends_the_process() -> None:
    with stream(io.BytesIO(b"line\n" * 4_000_000), extension="txt") as reading:
        assert next(reading).text.startswith("line")
    settled(0)


@pytest.mark.parametrize(
    ("limits", "told"),
    [({"text": 1_000_000}, "text is too large"), ({"pages": 1}, "at most 1"), ({"cpu_seconds": 0}, "time")],
)
def test_a_document_has_limits(limits: dict[str, Any], told: str) -> None:
    data = made.pdf("One", "Two") if "pages" in limits else ENDLESS if "cpu_seconds" in limits else b"line\n" * 2_000_000
    with pytest.raises(Unreadable, match=told):
        list(stream(io.BytesIO(data), extension="html" if data is ENDLESS else "", limits=documents.Limits(**limits)))


def confined(code: str) -> subprocess.CompletedProcess[bytes]:
    """What ``code`` does where documents are read."""
    walls = "outer(); extraction_process.confine(memory=1024**3); extraction_process.limit_time(0); inner()\n"
    return subprocess.run(documents.command(walls + code), cwd=ROOT, env={}, capture_output=True, check=False)


@pytest.mark.parametrize(
    "code",
    [
        "x = bytearray(2 * 1024**3)",
        "import subprocess; subprocess.run(['true'])",
        "import json; x = [open(json.__file__) for _ in range(100)]",
        "import socket; socket.socket()",
        "import os; os.kill(os.getppid(), 0)",
        "f = open('FOLDER/written', 'w'); f.write('x'); f.flush()",
        "while True: bytearray(10)",
        "open('/etc/passwd')",
        "open('ROOT/manage.py')",
    ],
)
def test_the_process_has_no_more_than_it_needs(code: str, tmp_path: Path) -> None:
    if "open('/" in code or "ROOT" in code:
        known = subprocess.run(documents.command("sys.exit(not landlock.allow_reading(['/']))"), cwd=ROOT, env={}, check=False)
        if known.returncode:
            pytest.skip("this kernel cannot keep files away")
    assert confined("x = 1").returncode == 0
    assert confined(code.replace("FOLDER", str(tmp_path)).replace("ROOT", str(ROOT))).returncode != 0
    assert not any(file.stat().st_size for file in tmp_path.iterdir())


def test_the_process_knows_no_framework_and_no_setting() -> None:
    code = "import sys; print([name for name in ('django', 'difyproj.settings', 'redis', 'aiohttp') if name in sys.modules])"
    assert confined(code).stdout.strip() == b"[]"


def test_what_needs_too_much_memory_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(source: Source) -> Any:
        raise MemoryError

    monkeypatch.setattr(type(extraction_process.FORMATS), "get", lambda self, name: greedy)
    (reply,) = extraction_process.replies(Source(io.BytesIO(b"x"), 1))
    assert isinstance(reply, extraction_process.Refusal) and "too large" in reply.message


async def test_what_no_database_holds_is_not_in_the_text() -> None:
    found = await extracted(b"Subject: \xff\xfe odd\nFrom: a@example.com\n\nbody \x00 end", extension="eml")
    assert "body" in found.text and "\0" not in found.text
    assert found.text.encode() and found.title.encode()
