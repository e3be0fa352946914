"""What indexing costs: CPU of server and worker for pages of plain text, and the worker's memory with a large PDF.

`.venv/bin/python -m bench.indexing [--pages 1000] [--postgres postgres://.../any --redis redis://...] [--beside PYTHON]`

The embedding model is a fake one on a socket. Pages come by the Service API, a document each; then as one document of as many
pages. ``--beside`` names a Python that has langchain-chroma, langchain-openai and langchain-text-splitters: the same pages, cut
as long, with the same model, in one script.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from difyproj.testing.documents import drawn_pdf, shown
from difyproj.testing.knowledge_crash import UNFINISHED, Service, embeddings, prepare, start_worker
from difyproj.testing.process import Installation, free_port, installation

from . import procfs

LIMIT_SECONDS, LIMIT_MEGABYTES = 20.0, 400.0
AT_ONCE = 4
DIMENSIONS = 1536
KEY = """
from accounts.models import Tenant
from apps.models.token import TokenKind
from apps.services import tokens
print("token:" + tokens.create(tenant=Tenant.objects.first(), app=None, kind=TokenKind.DATASET)[1])
"""
WORDS = """
account amount bill bank branch card cash change charge claim client code contract cost country court credit customer
date day debt delivery department deposit document fee file form goods guarantee hour income insurance interest
invoice item law letter limit list loan loss mail market member money month name number offer office order owner page
paper partner payment period person place plan policy price process product profit project proof purchase quality
question rate reason receipt record refund rent report request result return right risk rule salary sale sample sector
service share signature stock store sum supplier support tax term time title total trade transfer travel type unit
user value visit wage warranty week work year
"""
SETTINGS = {
    "indexing_technique": "high_quality",
    "embedding_model_provider": "openai",
    "embedding_model": "text-embedding-3-small",
}


def page(number: int) -> str:
    """About 2 500 characters in paragraphs, other ones on each page."""
    dice = random.Random(number)
    told = [" ".join(dice.choices(WORDS.split(), k=dice.randint(8, 16))).capitalize() + "." for _ in range(36)]
    return "\n\n".join(" ".join(told[at : at + 6]) for at in range(0, len(told), 6))


class House:
    """A server and a worker, and what they have used so far."""

    def __init__(self, made: Installation, url: str, server: int, worker: int, client: aiohttp.ClientSession) -> None:
        self.made, self.url, self.server, self.worker, self.client = made, url, server, worker, client

    def used(self) -> tuple[float, float]:
        return procfs.cpu_seconds(self.server), procfs.cpu_seconds(self.worker)

    async def post(self, path: str, **fields: object) -> dict[str, object]:
        async with self.client.post(f"{self.url}/v1/{path}", **fields) as response:  # type: ignore[arg-type]
            assert response.status < 300, await response.text()
            return dict(await response.json())

    async def dataset(self, name: str) -> str:
        return str((await self.post("datasets", json={"name": name, **SETTINGS}))["id"])

    async def until_done(self) -> float:
        """Gives the most memory that the worker and its children used meanwhile, in MB."""
        most = 0.0
        while (await asyncio.to_thread(self.made.rows, UNFINISHED))[0][0]:
            most = max(most, (await asyncio.to_thread(procfs.look, self.worker)).pss)
            await asyncio.sleep(0.2)
        errors = self.made.rows("SELECT error FROM datasets_document WHERE indexing_status = 'error'")
        assert not errors, errors[:3]
        return most


@asynccontextmanager
async def house(folder: Path, service: Service, args: argparse.Namespace) -> AsyncIterator[House]:
    with installation(folder, service.url, postgres=args.postgres, redis=args.redis) as made:
        token = (await asyncio.to_thread(prepare, made, KEY)).rpartition("token:")[2].strip()
        server = await asyncio.to_thread(made.start)
        worker = start_worker(made)
        try:
            headers = {"Authorization": f"Bearer {token}"}
            async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=AT_ONCE)) as client:
                await asyncio.sleep(4)
                yield House(made, server.url, server.pid, worker.process.pid, client)
        finally:
            worker.kill()


async def many_documents(own: House, pages: int) -> float:
    dataset = await own.dataset("Many")
    await own.post(f"datasets/{dataset}/document/create-by-text", json={"name": "warm", "text": page(-1), **SETTINGS})
    await own.until_done()
    before, began = own.used(), time.monotonic()

    async def one(number: int) -> None:
        body = {"name": f"page {number}", "text": page(number), **SETTINGS}
        await own.post(f"datasets/{dataset}/document/create-by-text", json=body)

    for start in range(0, pages, 50):
        await asyncio.gather(*(one(number) for number in range(start, min(start + 50, pages))))
    taken = time.monotonic() - began
    await own.until_done()
    return _show(f"{pages} documents of a page", own, before, began, f"taken in {taken:.1f} s")


async def one_document(own: House, pages: int) -> None:
    dataset = await own.dataset("One")
    before, began = own.used(), time.monotonic()
    text = "\n\n".join(page(number + 1_000_000) for number in range(pages))
    await own.post(f"datasets/{dataset}/document/create-by-text", json={"name": "book", "text": text, **SETTINGS})
    most = await own.until_done()
    _show(f"a document of {pages} pages", own, before, began, f"most memory of the worker {most:.0f} MB")


async def large_pdf(own: House, pages: int = 300) -> float:
    dataset = await own.dataset("PDF")
    drawn = [_drawn(page(number + 2_000_000)) for number in range(pages)]
    form = aiohttp.FormData()
    form.add_field("data", '{"indexing_technique": "high_quality", "process_rule": {"mode": "automatic"}}')
    form.add_field("file", drawn_pdf(*drawn), filename="large.pdf", content_type="application/pdf")
    before, began = own.used(), time.monotonic()
    await own.post(f"datasets/{dataset}/document/create-by-file", data=form)
    most = await own.until_done()
    _show(f"a PDF of {pages} pages", own, before, began, f"most memory of the worker {most:.0f} MB")
    return most


def _drawn(text: str) -> str:
    lines = [text[at : at + 90].replace("\n", " ") for at in range(0, len(text), 90)]
    return shown(*((40, 760 - 20 * at, line) for at, line in enumerate(lines)), size=9)


def _show(name: str, own: House, before: tuple[float, float], began: float, more: str) -> float:
    server, worker = (now - then for now, then in zip(own.used(), before, strict=True))
    wall = time.monotonic() - began
    print(
        f"{name}: server {server:.2f} s + worker {worker:.2f} s = {server + worker:.2f} s CPU, {wall:.1f} s, {more}", flush=True
    )
    return server + worker


async def beside(python: str, service: Service, pages: int, folder: Path) -> None:
    """The same work by a plain script."""
    texts = folder / "pages"
    texts.mkdir()
    for number in range(pages):
        (texts / f"{number}.txt").write_text(page(number))
    command = (
        python,
        str(Path(__file__).parent / "langchain_chroma_script.py"),
        service.url,
        str(texts),
        str(folder / "chroma"),
    )
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    print(done.stdout.strip() or done.stderr[-2000:])


async def run(folder: Path, args: argparse.Namespace) -> bool:
    async with embeddings(free_port()) as service:
        service.seconds, service.dimensions = 0.0, DIMENSIONS
        async with house(folder / "house", service, args) as own:
            cpu = await many_documents(own, args.pages)
            await one_document(own, args.pages)
            memory = await large_pdf(own)
        if args.beside:
            await beside(args.beside, service, args.pages, folder)
    print(f"limits: {LIMIT_SECONDS:.0f} s CPU ({cpu:.2f}), {LIMIT_MEGABYTES:.0f} MB ({memory:.0f})")
    return cpu <= LIMIT_SECONDS and memory <= LIMIT_MEGABYTES


def main() -> None:
    """Exits with 1 when a limit was passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--postgres", default="", help="URL of any database of a server; the bench makes its own there")
    parser.add_argument("--redis", default="")
    parser.add_argument("--beside", default="", help="A Python with langchain-chroma")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="difyproj-indexing-") as folder:
        raise SystemExit(0 if asyncio.run(run(Path(folder), args)) else 1)


if __name__ == "__main__":
    main()
