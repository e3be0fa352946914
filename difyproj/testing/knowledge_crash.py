"""Documents are indexed by workers that are killed: all get there, nothing is lost or doubled, or paid for twice once kept."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from .process import ROOT, Installation

DIMENSIONS = 8
ANSWER_SECONDS = 0.15
END_SECONDS = 240.0
UNFINISHED = "SELECT count(*) FROM datasets_document WHERE indexing_status NOT IN ('completed', 'error')"
KEPT = "SELECT hash FROM datasets_embedding WHERE dimensions > 0"
BEFORE = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("bootstrap")
"""
# Run inside the installation: @@ documents, each long ones, some paragraphs of which stand in several documents.
MAKE = """
from accounts.models import Tenant
from datasets.models import Dataset, Document
from datasets.services import pipeline, rules
from difyproj.infra.storage import get_storage
from difyproj.testing.knowledge_crash import paragraphs
tenant = Tenant.objects.first()
dataset = Dataset.objects.create(tenant=tenant, name="Killed", indexing_technique="high_quality",
    embedding_model_provider="openai", embedding_model="text-embedding-3-small")
given = {"mode": "custom", "rules": {"segmentation": {"separator": "\\n\\n", "max_tokens": 500}}}
rule = rules.create(dataset=dataset, given=given, created_by_id=None)
for number in range(@@):
    key = f"datasets/{tenant.pk}/{number}.txt"
    get_storage().save(key, "\\n\\n".join(paragraphs(number)).encode())
    document = Document.objects.create(tenant=tenant, dataset=dataset, process_rule=rule, key=key, name=str(number),
        extension="txt", batch="b")
    pipeline.start(document)
print("made")
"""


def paragraphs(number: int) -> list[str]:
    """Of one document: some are its own, some stand in others, too, one twice; every tenth document has several batches."""
    count = 230 if number % 10 == 0 else 6 + number % 7
    own = [f"Document {number} says in its paragraph {at} what no other one says." for at in range(count)]
    shared = [f"All the documents of group {number % 20} say this at the end, {at}." for at in range(3)]
    return [*own, *shared, shared[0]]


@dataclass(slots=True)
class Service:
    """An embedding model that counts each text it is asked for."""

    url: str
    seen: Counter[str] = field(default_factory=Counter)
    seconds: float = ANSWER_SECONDS
    dimensions: int = DIMENSIONS
    requests: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests += 1
        texts = body["input"]
        self.seen.update(texts)
        await asyncio.sleep(self.seconds)
        rows = [{"index": at, "embedding": _vector(text, self.dimensions)} for at, text in enumerate(texts)]
        return web.json_response({"data": rows, "usage": {"prompt_tokens": len(texts), "total_tokens": len(texts)}})


def _vector(text: str, dimensions: int) -> list[float]:
    digest = hashlib.shake_128(text.encode()).digest(dimensions)
    return [byte / 255 - 0.5 for byte in digest]


@asynccontextmanager
async def embeddings(port: int) -> AsyncIterator[Service]:
    service = Service(f"http://127.0.0.1:{port}")
    application = web.Application(client_max_size=64 * 1024**2)
    application.router.add_post("/{tail:.*}", service.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield service
    finally:
        await runner.cleanup()


@dataclass(slots=True)
class Worker:
    """``manage.py work`` in a process group of its own."""

    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def cpu_seconds(self) -> float:
        """Of the process and of its children that have ended."""
        fields = open(f"/proc/{self.process.pid}/stat").read().rpartition(")")[2].split()  # noqa: SIM115, PTH123
        return sum(int(value) for value in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def start_worker(made: Installation, threads: int = 4) -> Worker:
    command, own = (sys.executable, "manage.py", "work", "--threads", str(threads)), made.environment()
    with (made.folder / "workers.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=own, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    return Worker(process)


def prepare(made: Installation, script: str) -> str:
    """A database with one workspace in it, and what ``script`` makes there; what it prints. One process: each costs seconds."""
    done = made.manage("shell", "-c", BEFORE + script)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return done.stdout


@dataclass(slots=True)
class Figures:
    documents: int = 0
    kills: int = 0
    texts: int = 0
    in_flight: int = 0
    """Texts whose answer was not kept when a worker was killed: all that may be asked for again."""
    asked_again: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Killing:
    """Kill one of the workers at random moments, start another in its place, and compare in the end."""

    made: Installation
    service: Service
    documents: int
    dice: random.Random
    _figures: Figures = field(default_factory=Figures)
    _lost: Counter[str] = field(default_factory=Counter)
    _kept: dict[str, int] = field(default_factory=dict)
    _before: dict[str, int] = field(default_factory=dict)

    async def run(self, kills: int, workers: int = 1) -> Figures:
        """Raises AssertionError for anything lost, doubled or paid for without need."""
        began = time.monotonic()
        running = [start_worker(self.made) for _ in range(workers)]
        try:
            for number in range(kills):
                if not await self._some_work():
                    break
                await asyncio.sleep(self.dice.uniform(0.0, 0.5))
                at = number % workers
                await asyncio.to_thread(running[at].kill)
                await self._look()
                running[at] = start_worker(self.made)
                self._figures.kills += 1
            await self._until_done()
        finally:
            for worker in running:
                worker.kill()
        self._figures.seconds = time.monotonic() - began
        self._compare()
        return self._figures

    async def _some_work(self) -> bool:
        """Until a worker asks for something, or nothing is left."""
        before, deadline = self.service.requests, time.monotonic() + 30
        while self.service.requests == before:
            if time.monotonic() > deadline or not self._unfinished():
                return False
            await asyncio.sleep(0.02)
        return True

    async def _look(self) -> None:
        """What was asked for and is not kept now was in flight."""
        kept = await asyncio.to_thread(self.made.rows, KEPT)
        hashes = {row[0] for row in kept}
        seen = dict(self.service.seen)
        lost = [text for text, count in seen.items() if count > self._before.get(text, 0) and _hash(text) not in hashes]
        self._before = seen
        self._figures.in_flight += len(lost)
        self._lost.update(lost)
        for text, count in seen.items():
            if _hash(text) in hashes:
                self._kept.setdefault(text, count)

    async def _until_done(self) -> None:
        deadline = time.monotonic() + END_SECONDS
        while left := await asyncio.to_thread(self._unfinished):
            assert time.monotonic() < deadline, f"{left} documents hang"
            await asyncio.sleep(0.2)

    def _unfinished(self) -> int:
        return int(self.made.rows(UNFINISHED)[0][0])

    def _compare(self) -> None:
        figures, seen = self._figures, self.service.seen
        states = Counter(self.made.rows("SELECT indexing_status, error FROM datasets_document"))
        assert states == {("completed", ""): self.documents}, states
        expected = [(str(number), text) for number in range(self.documents) for text in paragraphs(number)]
        sql = "SELECT d.name, s.content FROM datasets_segment s JOIN datasets_document d ON d.id = s.document_id"
        assert Counter(self.made.rows(sql)) == Counter(expected)
        assert self.made.rows("SELECT count(*) FROM datasets_segment WHERE status <> 'completed' OR index_node_hash = ''") == [
            (0,)
        ]
        nodes = "SELECT count(*), count(DISTINCT node_id) FROM datasets_indexentry"
        assert self.made.rows(nodes) == [(len(expected), len(expected))]
        nameless = "SELECT count(*) FROM datasets_segment WHERE index_node_id NOT IN (SELECT node_id FROM datasets_indexentry)"
        assert self.made.rows(nameless) == [(0,)]
        texts = {text for _, text in expected}
        assert set(seen) == texts == set(_texts(texts, self.made.rows(KEPT)))
        again = {text: count - 1 for text, count in seen.items() if count > 1}
        unneeded = {text: count for text, count in again.items() if count > self._lost[text]}
        assert not unneeded, f"asked for again though it was kept: {list(unneeded.items())[:5]} of {len(unneeded)}"
        figures.documents, figures.texts = self.documents, len(texts)
        figures.asked_again = sum(again.values())
        late = {text: count for text, count in self._kept.items() if seen[text] != count}
        assert not late, f"paid for after it was kept: {list(late)[:5]}"


def _texts(texts: Iterable[str], kept: Iterable[tuple[Any, ...]]) -> list[str]:
    hashes = {row[0] for row in kept}
    return [text for text in texts if _hash(text) in hashes]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
