"""Datasets and documents for tests, made below the services that people call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from accounts.models import Tenant
from datasets.models import Dataset, Document, IndexEntry, IndexingTechnique, Segment
from datasets.services import pipeline, rules
from difyproj.infra import jobs, loop
from difyproj.infra.storage import get_storage
from difyproj.kernel import ids
from difyproj.testing.served import use_upstream
from difyproj.testing.upstream import FakeUpstream, Script

KINDS = ("datasets.index", "datasets.remove", "datasets.reindex")


def make_dataset(tenant: Tenant, **values: Any) -> Dataset:
    values = {"name": f"Set {ids.new_id()}"[:40], "indexing_technique": IndexingTechnique.HIGH_QUALITY, **values}
    values = {"embedding_model_provider": "builtin", "embedding_model": "hashing-384", **values}
    return Dataset.objects.create(tenant=tenant, **values)


def make_document(dataset: Dataset, text: str | bytes, *, rule: dict[str, Any] | None = None, **values: Any) -> Document:
    """One that waits for its job."""
    key = f"datasets/{dataset.tenant_id}/{ids.new_id()}.md"
    get_storage().save(key, text if isinstance(text, bytes) else text.encode())
    values = {"name": "page.md", "extension": "md", "mime_type": "text/markdown", "batch": "b1", **values}
    row = rules.create(dataset=dataset, given=rule, created_by_id=None)
    document = Document.objects.create(
        tenant_id=dataset.tenant_id, dataset=dataset, process_rule=row, key=key, size=len(text), **values
    )
    pipeline.start(document)
    return document


def paragraphs(size: int = 500) -> dict[str, Any]:
    """A rule: a passage per paragraph."""
    return {"mode": "custom", "rules": {"segmentation": {"separator": "\n\n", "max_tokens": size}, "pre_processing_rules": []}}


def work() -> None:
    """Everything that waits, retries included."""
    jobs.run_waiting(*KINDS, due_only=False)


def texts(document: Document) -> list[str]:
    return list(Segment.objects.filter(document=document).values_list("content", flat=True))


def indexed(dataset: Dataset, generation: int | None = None) -> set[UUID]:
    """The segments that the serving index holds."""
    dataset.refresh_from_db()
    rows = IndexEntry.objects.filter(index__dataset_id=dataset.pk, index__generation=generation or dataset.generation)
    return set(rows.values_list("segment_id", flat=True))


@contextmanager
def upstream(tenant: Tenant, script: Script | None = None) -> Iterator[FakeUpstream]:
    """The tenant's OpenAI, for threads that are not the loop's."""
    fake = FakeUpstream("openai", script or Script(dimensions=8))
    loop.wait(fake.__aenter__(), seconds=5)
    try:
        use_upstream(tenant, fake.url)
        yield fake
    finally:
        loop.wait(fake.__aexit__(None, None, None), seconds=5)


def asked(fake: FakeUpstream) -> list[str]:
    """All texts that were to be embedded, in order."""
    return [text for request in fake.received if request.path.endswith("/embeddings") for text in request.body["input"]]


OPENAI = {"embedding_model_provider": "openai", "embedding_model": "text-embedding-3-small"}


def rewrite(document: Document, text: str) -> None:
    """Another text under the same key."""
    get_storage().save(document.key, text.encode())
    document.refresh_from_db()
    pipeline.restart(document)


def entries(dataset: Dataset) -> list[IndexEntry]:
    dataset.refresh_from_db()
    return list(IndexEntry.objects.filter(index__dataset_id=dataset.pk, index__generation=dataset.generation))
