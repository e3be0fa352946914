# ruff: noqa: RUF001  the wide punctuation is meant
"""From the first start to a cited answer, in a real browser: no key, no service, nothing but the server and its worker."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import docx
import pytest
from django.conf import settings

from difyproj.testing.chromium import CHROMIUM, Tab, tab
from difyproj.testing.documents import drawn_pdf, shown
from difyproj.testing.process import Installation, installation

BOOKLET = (
    ("Warranty of the Norvik heat pump", "The warranty lasts five years from the day of installation. It covers the",
     "compressor, the valves and the control unit. Damage by frost is covered only where",
     "the outdoor unit stood on its rubber feet."),
    ("Maintenance", "The air filter has to be washed every six weeks in lukewarm water, without soap.",
     "The refrigerant is checked once a year by a licensed technician. The drain is flushed",
     "each autumn with two litres of water."),
    ("Error codes", "E04 says that the flow sensor sees too little: open both valves and bleed the circuit.",
     "E11 says that the outdoor sensor is broken. After three of them the unit locks itself."),
)  # fmt: skip
TRAVEL = {
    "Trains and flights": "Journeys under six hours go by train in second class. Flights are booked by the travel desk only.",
    "Daily allowance": "The daily allowance is 42 euros within the country and 58 euros abroad. Receipts are not needed.",
    "Lost luggage": "Whoever loses luggage tells the airline at once and sends the report within three days.",
}
LIBRARY = """# 图书馆使用指南

## 借书规则

每位读者最多可以借阅十本图书，借期为三十天。逾期每天每本罚款两角钱，损坏图书需要照价赔偿。

## 开放时间

图书馆周一至周五上午八点开门，晚上十点关门。周末开放时间为上午九点到下午六点。
"""
# Of each question: the document, its page, words of the passage, words of the answer.
ASKED = {
    "How often is the air filter washed?": ("booklet.pdf", 2, "washed every six weeks in lukewarm water", "every six weeks"),
    "What is the daily allowance abroad?": ("travel.docx", None, TRAVEL["Daily allowance"], "58 euros"),
    "周末开放时间是几点到几点？": ("library.md", None, "周末开放时间为上午九点到下午六点", "上午九点到下午六点"),
}


@pytest.fixture
def fresh(tmp_path: Path, django_db_setup: str) -> Iterator[Installation]:
    kind = {"postgres": settings.DATABASE_URL, "redis": settings.REDIS_URL, "migrated": django_db_setup}
    nothing = dict.fromkeys(("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "EGRESS_ALLOW"), "")
    with installation(tmp_path / "house", "", **kind, **nothing) as made:
        yield made


def files(folder: Path) -> tuple[Path, ...]:
    pages = [shown(*((72, 720 - 18 * at, line) for at, line in enumerate(lines))) for lines in BOOKLET]
    document, word = docx.Document(), io.BytesIO()
    document.add_heading("Travel policy", level=1)
    for heading, text in TRAVEL.items():
        document.add_heading(heading, level=2)
        document.add_paragraph(text)
    document.save(word)
    contents = {"booklet.pdf": drawn_pdf(*pages), "travel.docx": word.getvalue(), "library.md": LIBRARY.encode()}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return tuple(folder / name for name in contents)


async def sign_in(page: Tab, url: str, facts: dict[str, Any]) -> None:
    await page.open(f"{url}/admin/login/")
    await page.write("[name=username]", facts["admin"]["email"])
    await page.write("[name=password]", facts["admin"]["password"])
    await page.press("[type=submit]")
    await page.until("location.pathname == '/admin/'")


async def upload(page: Tab, url: str, paths: tuple[Path, ...]) -> None:
    """A new dataset, its files, and what its page says while they are indexed."""
    await page.open(f"{url}/admin/datasets/dataset/add/")
    await page.write("[name=name]", "Handbooks")
    await page.read("document.querySelector('[name=tenant]').selectedIndex = 1")
    await page.press("[name=_save]")
    await page.until("document.readyState == 'complete' && location.pathname.endsWith('/upload/')")
    await page.press(".rule summary")
    await page.write("[name=max_tokens]", "80")
    await page.write("[name=chunk_overlap]", "0")
    await page.attach("#files", *paths)
    await page.press("button.primary")
    await page.until("document.querySelectorAll('.files [data-face]').length == 3")
    await page.until("document.querySelectorAll('.files [data-face=done]').length == 3")
    assert await page.read("[...document.querySelectorAll('.files a')].map(one => one.textContent)") == [
        one.name for one in paths
    ]
    assert "/admin/datasets/document/" in await page.read("document.querySelector('.files a').href")


async def give(page: Tab, url: str, app_id: str) -> None:
    """The app asks the only dataset from now on."""
    await page.open(f"{url}/admin/apps/app/{app_id}/change/")
    await page.read("document.querySelector('[name=knowledge]').options[0].selected = true")
    await page.press("[name=_save]")
    await page.until("location.pathname == '/admin/apps/app/'")


@pytest.mark.timeout(240)
@pytest.mark.skipif(not CHROMIUM.exists(), reason="There is no Chromium here; Debian's package chromium has one.")
async def test_three_files_are_uploaded_watched_and_cited_with_page_and_passage(fresh: Installation, tmp_path: Path) -> None:
    server = await asyncio.to_thread(fresh.start, worker=True)
    facts = fresh.facts()
    async with tab(tmp_path / "browser", scripts=True) as page:
        await sign_in(page, server.url, facts)
        await upload(page, server.url, files(tmp_path))
        await give(page, server.url, next(app["id"] for app in facts["apps"] if app["mode"] == "chat"))
    headers = {"Authorization": f"Bearer {fresh.token()}"}
    async with aiohttp.ClientSession(server.url, headers=headers) as client:
        for query, (name, number, passage, answer) in ASKED.items():
            body = {"inputs": {}, "query": query, "user": "u1", "response_mode": "blocking"}
            async with client.post("/v1/chat-messages", json=body) as response:
                told = await response.json()
            assert response.status == 200, told
            cited = told["metadata"]["retriever_resources"][0]
            assert (cited["document_name"], cited["page"], cited["position"]) == (name, number, 1), cited
            assert passage in cited["content"].replace("\n", " ") and cited["score"] > 0
            assert answer in told["answer"]
            assert {box[0] for box in cited["boxes"]} >= ({number} if number else set())
