"""Documents on their way from a file to an index."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from accounts.models import Tenant
from accounts.services import default_models
from datasets.models import ChildChunk, Document, IndexingStatus, Segment
from datasets.rag.stores import Entry, Index
from datasets.services import document_run, pipeline
from datasets.services.refusals import InvalidAction
from datasets.stores.embedded import EmbeddedStore
from datasets.tests.knowledge import (
    OPENAI,
    asked,
    entries,
    indexed,
    make_dataset,
    make_document,
    paragraphs,
    rewrite,
    texts,
    upstream,
    work,
)
from difyproj.infra import jobs
from difyproj.infra.models import Job
from difyproj.kernel.errors import ServiceUnavailable
from difyproj.testing.cast import Cast
from difyproj.testing.upstream import Script

TEXT = "Invoices are paid within thirty days.\n\nRefunds need a receipt.\n\nOrders above 100 ship for free."


@pytest.fixture
def tenant(cast: Cast) -> Tenant:
    return cast.alice.tenant


def test_a_document_is_carried_to_its_index(tenant: Tenant) -> None:
    dataset = make_dataset(tenant)
    document = make_document(dataset, TEXT, rule=paragraphs())
    work()
    document.refresh_from_db()
    assert (document.indexing_status, document.error) == ("completed", "")
    assert texts(document) == TEXT.split("\n\n")
    segments = Segment.objects.filter(document=document)
    assert {segment.status for segment in segments} == {"completed"}
    assert indexed(dataset) == {segment.pk for segment in segments}
    assert (document.segment_count, document.completed_segments) == (3, 3)
    assert document.tokens and document.word_count and document.completed_at and document.splitting_completed_at
    assert set(document.timings) == {"parsing", "cleaning", "splitting", "indexing"}
    assert dataset.dimensions == 384


def test_a_text_is_embedded_once_whatever_document_it_stands_in(tenant: Tenant) -> None:
    with upstream(tenant) as fake:
        dataset, other = make_dataset(tenant, **OPENAI), make_dataset(tenant, **OPENAI)
        first = make_document(dataset, TEXT, rule=paragraphs())
        work()
        second = make_document(other, f"{TEXT}\n\nOnly here.", rule=paragraphs())
        work()
    assert sorted(asked(fake)) == sorted([*texts(first), "Only here."])
    assert len(indexed(other)) == len(texts(second)) == 4
    assert other.dimensions == 8


def test_a_new_text_keeps_what_is_the_same_and_what_people_edited(tenant: Tenant) -> None:
    with upstream(tenant) as fake:
        dataset = make_dataset(tenant, **OPENAI)
        document = make_document(dataset, TEXT, rule=paragraphs())
        work()
        paid, refunds, _ = Segment.objects.filter(document=document)
        Segment.objects.filter(pk=refunds.pk).update(content="Refunds need the invoice.", edited=True, status="waiting")
        added = Segment.objects.create(
            tenant=tenant, dataset=dataset, document=document, position=4, content="Said by a person.", edited=True
        )
        rewrite(document, TEXT.replace("100", "200").replace("Refunds", "Hello.\n\nRefunds"))
        work()
    document.refresh_from_db()
    assert document.indexing_status == "completed"
    assert texts(document) == [
        "Invoices are paid within thirty days.",
        "Hello.",
        "Refunds need the invoice.",
        "Orders above 200 ship for free.",
        "Said by a person.",
    ]
    kept = list(Segment.objects.filter(document=document))
    assert (kept[0].pk, kept[2].pk, kept[4].pk) == (paid.pk, refunds.pk, added.pk)
    assert indexed(dataset) == {segment.pk for segment in kept}
    assert len(asked(fake)) == len(set(asked(fake))) == 7
    assert document.segment_count == document.completed_segments == 5


def test_parents_are_told_and_their_children_indexed(tenant: Tenant) -> None:
    dataset = make_dataset(tenant, doc_form="hierarchical_model")
    parents, parts = {"separator": "\n\n", "max_tokens": 500}, {"separator": ".", "max_tokens": 50}
    rule = {"mode": "hierarchical", "rules": {"segmentation": parents, "subchunk_segmentation": parts}}
    document = make_document(dataset, "One. Two. Three.\n\nFour. Five.", rule=rule, doc_form="hierarchical_model")
    work()
    children = ChildChunk.objects.filter(document=document)
    assert Segment.objects.filter(document=document).count() == 2
    assert children.count() == 5
    assert {entry.node_id for entry in entries(dataset)} == {child.index_node_id for child in children}


def test_economy_has_words_and_no_vectors(tenant: Tenant) -> None:
    dataset = make_dataset(tenant, indexing_technique="economy", embedding_model="", embedding_model_provider="")
    document = make_document(dataset, TEXT, rule=paragraphs())
    work()
    assert [entry.vector for entry in entries(dataset)] == [None] * 3
    assert "invoices" in Segment.objects.filter(document=document)[0].keywords
    assert dataset.dimensions == 0


def test_a_paused_document_writes_nothing_and_goes_on_where_it_was(tenant: Tenant) -> None:
    dataset = make_dataset(tenant)
    document = make_document(dataset, TEXT, rule=paragraphs())
    pipeline.pause(document)
    work()
    document.refresh_from_db()
    assert (document.indexing_status, texts(document)) == ("paused", [])
    with pytest.raises(InvalidAction):
        pipeline.pause(document)
    pipeline.resume(document)
    work()
    document.refresh_from_db()
    assert document.indexing_status == "completed"
    with pytest.raises(InvalidAction):
        pipeline.resume(document)


def test_an_attempt_that_was_overtaken_writes_nothing(tenant: Tenant) -> None:
    dataset = make_dataset(tenant)
    document = make_document(dataset, TEXT, rule=paragraphs())
    row = Job.objects.get(target_id=document.pk)
    job = jobs.JOBS.get("datasets.index")(row)
    late = document_run.begin(str(document.pk), job)
    assert late is not None
    rewrite(document, "Another text.")
    assert document_run.begin(str(document.pk), job) is None
    assert late.advance() == "stopped"
    late.fail("Too late.")
    assert texts(document) == []
    work()
    document.refresh_from_db()
    assert (document.indexing_status, texts(document)) == ("completed", ["Another text."])


def test_a_provider_that_fails_is_asked_again_and_then_named(tenant: Tenant) -> None:
    with upstream(tenant, Script(fail=500, fail_times=4, dimensions=8)) as fake:
        dataset = make_dataset(tenant, **OPENAI)
        document = make_document(dataset, TEXT, rule=paragraphs())
        work()
        document.refresh_from_db()
        assert document.indexing_status == "completed"
        fake.script = Script(fail=401, fail_message="sk-secret is wrong", keys={})
        other = make_document(dataset, "Something else.", rule=paragraphs())
        work()
        other.refresh_from_db()
        assert (other.indexing_status, other.stopped_at is not None) == ("error", True)
        assert "OpenAI" in other.error
        fake.script = Script(dimensions=8)
        pipeline.retry(other)
        work()
    other.refresh_from_db()
    assert (other.indexing_status, other.error) == ("completed", "")
    assert len(texts(other)) == 1


def test_a_store_that_is_away_is_asked_again(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    put, away = EmbeddedStore.put, iter([True])

    def sometimes(self: EmbeddedStore, index: Index, entries: Sequence[Entry]) -> None:
        if next(away, False):
            raise ServiceUnavailable
        put(self, index, entries)

    monkeypatch.setattr(EmbeddedStore, "put", sometimes)
    document = make_document(make_dataset(tenant), TEXT, rule=paragraphs())
    work()
    document.refresh_from_db()
    assert (document.indexing_status, len(indexed(document.dataset))) == ("completed", 3)


@pytest.mark.parametrize(("data", "said"), [("  \n ", "holds no text"), ("%PDF-1.7 broken", "")])
def test_a_document_that_cannot_be_read_says_why(tenant: Tenant, data: str, said: str) -> None:
    document = make_document(make_dataset(tenant), data)
    work()
    document.refresh_from_db()
    assert document.indexing_status == "error"
    assert document.error and said in document.error


def test_nothing_waits_for_ever(tenant: Tenant) -> None:
    dataset = make_dataset(tenant)
    lost, failed, done = (make_document(dataset, TEXT, rule=paragraphs()) for _ in range(3))
    Job.objects.filter(target_id=lost.pk).delete()
    Job.objects.filter(target_id=failed.pk).update(state=Job.State.FAILED, error="The worker that ran it stopped.")
    assert pipeline.sweep() == 2
    work()
    states = {row.pk: (row.indexing_status, row.error) for row in Document.objects.all()}
    assert states[lost.pk] == states[done.pk] == (IndexingStatus.COMPLETED, "")
    assert states[failed.pk] == (IndexingStatus.ERROR, "The worker that ran it stopped.")
    assert pipeline.sweep() == 0


def test_a_model_makes_questions_where_a_document_has_none(tenant: Tenant) -> None:
    said = '```json\n{"pairs": [{"question": "When is paid?", "answer": "Within thirty days."}]}\n```'
    with upstream(tenant, Script(tokens=[said], dimensions=8)) as fake:
        dataset = make_dataset(tenant, doc_form="qa_model", **OPENAI)
        document = make_document(dataset, TEXT, doc_form="qa_model")
        written = make_document(dataset, "Q: Who?\nA: We.", doc_form="qa_model")
        work()
    found = Segment.objects.get(document=document)
    assert (found.content, found.answer, found.status) == ("When is paid?", "Within thirty days.", "completed")
    assert Segment.objects.get(document=written).answer == "We."
    assert sorted(asked(fake)) == ["When is paid?", "Who?"]


def test_a_picture_is_read_by_a_model_that_sees(tenant: Tenant) -> None:
    picture = "\x89PNG\r\n\x1a\n".encode("latin-1") + bytes(20)
    with upstream(tenant, Script(tokens=["A bill of 12 EUR."], dimensions=8)) as fake:
        dataset = make_dataset(tenant, **OPENAI)
        document = make_document(dataset, picture, name="bill.png", extension="png", mime_type="image/png")
        work()
        document.refresh_from_db()
        assert document.error == ""
        assert texts(document) == ["A bill of 12 EUR."]
        default_models.update(tenant=tenant, model_type="llm", provider="openai", model="gpt-3.5-turbo")
        blind = make_document(dataset, picture, name="bill.png", extension="png", mime_type="image/png")
        work()
    blind.refresh_from_db()
    assert "picture" in blind.error
    assert any("chat" in request.path for request in fake.received)
