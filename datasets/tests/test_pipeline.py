"""Documents on their way from a file to an index."""

from __future__ import annotations

from datasets.models import Embedding, Segment
from datasets.tests.knowledge import indexed, make_dataset, make_document, paragraphs, texts, work
from difyproj.testing.cast import Cast

TEXT = "Invoices are paid within thirty days.\n\nRefunds need a receipt.\n\nOrders above 100 ship for free."


def test_a_document_is_carried_to_its_index(cast: Cast) -> None:
    dataset = make_dataset(cast.alice.tenant)
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
    assert dataset.dimensions == 384
    assert Embedding.objects.for_tenant(cast.alice.tenant).made().count() == 3
