"""What an index holds follows what the rows say, whoever changes them and however many work at it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from accounts.models import Tenant
from datasets.models import ChildChunk, Dataset, Document, Embedding, IndexEntry, Leftover, Segment
from datasets.services import indexing, models, pipeline, removal, segments
from datasets.services.refusals import SegmentNotFound
from datasets.services.vectors import Filling, hash_of
from datasets.tests.knowledge import OPENAI, asked, entries, indexed, make_dataset, make_document, paragraphs, upstream, work
from difyproj.infra.storage import get_storage
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import DomainError
from difyproj.testing.cast import Cast
from difyproj.testing.upstream import Script

TEXT = "Invoices are paid within thirty days.\n\nRefunds need a receipt.\n\nOrders above 100 ship for free."


@pytest.fixture
def tenant(cast: Cast) -> Tenant:
    return cast.alice.tenant


@pytest.fixture
def document(tenant: Tenant) -> Document:
    made = make_document(make_dataset(tenant), TEXT, rule=paragraphs())
    work()
    made.refresh_from_db()
    return made


def test_a_changed_segment_is_indexed_while_its_writer_waits(document: Document) -> None:
    segment = Segment.objects.filter(document=document)[0]
    before = {entry.node_id: entry.vector for entry in entries(document.dataset)}[segment.index_node_id]
    segment.content, segment.status = "Invoices are never paid.", "waiting"
    segment.save()
    assert indexing.refresh(document, [segment])
    assert (segment.status, segment.index_node_hash) == ("completed", hash_of(segment.content))
    assert {entry.node_id: entry.vector for entry in entries(document.dataset)}[segment.index_node_id] != before
    segment.enabled = False
    segment.save()
    indexing.refresh(document, [segment])
    assert segment.pk not in indexed(document.dataset)


def test_a_model_that_does_not_answer_leaves_the_change_to_a_job(tenant: Tenant) -> None:
    with upstream(tenant) as fake:
        document = make_document(make_dataset(tenant, **OPENAI), TEXT, rule=paragraphs())
        work()
        segment = Segment.objects.filter(document=document)[0]
        segment.content, segment.status = "Something new.", "waiting"
        segment.save()
        fake.script = Script(fail=400, dimensions=8)
        assert not indexing.refresh(document, [segment])
        assert segment.status == "waiting"
        fake.script = Script(dimensions=8)
        work()
    segment.refresh_from_db()
    assert segment.status == "completed"
    assert asked(fake).count("Something new.") == 2


def test_passages_are_switched_together(cast: Cast, document: Document) -> None:
    rows = list(Segment.objects.filter(document=document))
    whose: dict[str, Any] = {"principal": cast.alice.principal, "dataset": document.dataset, "document": document}
    segments.switch(**whose, segments=rows[:2], enabled=False)
    assert indexed(document.dataset) == {rows[2].pk}
    segments.switch(**whose, segments=segments.several(document, [row.pk for row in rows]), enabled=True)
    assert indexed(document.dataset) == {row.pk for row in rows}
    told = Segment.objects.filter(document=document).values_list("status", "enabled", "edited")
    assert list(told) == [("completed", True, True), ("completed", True, True), ("completed", True, False)]
    with pytest.raises(SegmentNotFound):
        segments.several(document, [rows[0].pk, ids.new_id()])


def test_who_waits_does_so_once_however_many_calls_there_are(tenant: Tenant) -> None:
    with upstream(tenant) as fake:
        document = make_document(make_dataset(tenant, **OPENAI), TEXT, rule=paragraphs())
        work()
        rows = list(Segment.objects.filter(document=document))
        for segment in rows:
            segment.content, segment.status = f"{segment.content} Or not.", "waiting"
            segment.save()
        before = len(asked(fake))
        assert not indexing.refresh(document, rows, seconds=-1.0)
        assert len(asked(fake)) == before
        work()
    assert not Segment.objects.exclude(status="completed").exists()


def test_a_document_that_is_put_away_leaves_the_index_and_comes_back_unpaid(tenant: Tenant) -> None:
    with upstream(tenant) as fake:
        document = make_document(make_dataset(tenant, **OPENAI), TEXT, rule=paragraphs())
        work()
        for change in ({"enabled": False}, {"enabled": True, "archived": True}):
            Document.objects.filter(pk=document.pk).update(**change)
            pipeline.changed(document)
            work()
            assert indexed(document.dataset) == set()
        Document.objects.filter(pk=document.pk).update(archived=False)
        pipeline.changed(document)
        work()
    assert len(indexed(document.dataset)) == 3
    assert len(asked(fake)) == 3


def test_deletions_take_entries_and_bytes_with_them(document: Document, tenant: Tenant) -> None:
    dataset = document.dataset
    other = make_document(dataset, "Stays for now.")
    work()
    removal.remove_segments(dataset, list(Segment.objects.filter(document=document)[:1]))
    assert Leftover.objects.count() == 1
    work()
    assert len(indexed(dataset)) == 3
    removal.remove_documents(dataset, [document])
    work()
    assert indexed(dataset) == set(Segment.objects.filter(document=other).values_list("pk", flat=True))
    assert [get_storage().exists(one.key) for one in (document, other)] == [False, True]
    removal.remove_dataset(dataset)
    assert not Dataset.objects.exists() and not Document.objects.exists() and not Segment.objects.exists()
    work()
    assert not IndexEntry.objects.exists()
    assert not get_storage().exists(other.key)
    assert not Leftover.objects.exists()


def test_two_workers_embed_the_same_text_once(tenant: Tenant) -> None:
    """Each claims what it embeds; what the other one claimed it waits for."""
    texts = {hash_of(f"Text {number}"): f"Text {number}" for number in range(20)}
    start = Barrier(2)

    def fill(dataset: Dataset) -> dict[str, bytes]:
        try:
            start.wait(10)
            embedder = models.embedder(dataset)
            assert embedder is not None
            return Filling(embedder, ids.new_id()).of(texts)
        finally:
            connections.close_all()

    with upstream(tenant, Script(first_delay=0.2, dimensions=8)) as fake, ThreadPoolExecutor(2) as pool:
        dataset = make_dataset(tenant, **OPENAI)
        one, two = pool.map(fill, [dataset, dataset])
    assert one == two
    assert sorted(asked(fake)) == sorted(texts.values())


def test_a_claim_goes_on_with_its_job_and_ends_with_its_time(tenant: Tenant) -> None:
    with upstream(tenant):
        embedder = models.embedder(make_dataset(tenant, **OPENAI))
        assert embedder is not None
        mine = Filling(embedder, ids.new_id())
        text = {hash_of("One"): "One"}
        row = {"tenant": tenant, "provider": "openai", "model": embedder.model, "dimensions": 0, "vector": b""}
        claimed = Embedding.objects.create(**row, hash=hash_of("One"), claim=mine.claim, claimed_until=clock.now())
        other = Filling(embedder, ids.new_id(), seconds=0)
        Embedding.objects.update(claimed_until=clock.now().replace(year=2100))
        with pytest.raises(TimeoutError):
            other.of(text)
        assert len(mine.of(text)) == 1
        Embedding.objects.filter(pk=claimed.pk).update(dimensions=0, vector=b"", claim=ids.new_id(), claimed_until=clock.now())
        assert len(Filling(embedder, ids.new_id()).of(text)) == 1


def test_what_came_is_kept_when_another_call_fails(tenant: Tenant) -> None:
    with upstream(tenant) as fake:
        embedder = models.embedder(make_dataset(tenant, embedding_model_provider="openai", embedding_model="of-ours"))
        assert embedder is not None
        texts = {hash_of(f"{number}"): f"{number}" for number in range(20)}
        fake.choose = lambda request: Script(fail=400 if len(request.body["input"]) < 16 else 0, dimensions=8)
        with pytest.raises(DomainError):
            Filling(embedder, ids.new_id()).of(texts)
        assert Embedding.objects.for_tenant(tenant).made().count() == Embedding.objects.count() == 16
        fake.choose = None
        assert len(Filling(embedder, ids.new_id()).of(texts)) == 20
    assert len(asked(fake)) == 24


def test_children_that_go_leave_the_index(tenant: Tenant) -> None:
    parts = {"separator": ".", "max_tokens": 50}
    rules = {"segmentation": {"separator": "\n\n", "max_tokens": 500}, "subchunk_segmentation": parts}
    rule = {"mode": "hierarchical", "rules": rules}
    dataset = make_dataset(tenant, doc_form="hierarchical_model")
    document = make_document(dataset, "One. Two. Three.", rule=rule, doc_form="hierarchical_model")
    work()
    child = ChildChunk.objects.filter(document=document)[0]
    removal.remove_children(dataset, [child])
    work()
    assert len(entries(dataset)) == 2
