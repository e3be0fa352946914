"""kill -9 while documents are indexed: all get there, no segment is lost or doubled, and no kept text is embedded again."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from django.conf import settings

from difyproj.testing.knowledge_crash import MAKE, Killing, embeddings, prepare
from difyproj.testing.process import free_port, installation

DOCUMENTS = 12


@pytest.mark.timeout(300)
async def test_documents_get_to_the_index_whoever_is_killed_on_the_way(tmp_path: Path) -> None:
    async with embeddings(free_port()) as service:
        kind = {"postgres": settings.DATABASE_URL, "redis": settings.REDIS_URL}
        with installation(tmp_path, service.url, **kind, KNOWLEDGE_STORE="embedded") as made:
            await asyncio.to_thread(prepare, made, MAKE.replace("@@", str(DOCUMENTS)))
            killing = Killing(made, service, DOCUMENTS, random.Random(1))
            figures = await killing.run(3, workers=2 if settings.DATABASE_URL and settings.REDIS_URL else 1)
    assert figures.kills == 3
    assert figures.asked_again <= figures.in_flight
