"""What members say of documents and datasets, and what is left of it when those are gone."""

from __future__ import annotations

import math

import pytest

from accounts.models import TagBinding, TagType
from accounts.services import tags
from datasets.models import Document
from datasets.services import datasets, documents, metadata, upkeep
from datasets.services import tags as bindings
from datasets.services.refusals import DocumentNotFound
from datasets.tests.knowledge import make_dataset, make_document, paragraphs
from difyproj.testing.cast import Cast


def test_facts_of_a_document_are_added_to_those_that_it_has_by_now(cast: Cast) -> None:
    dataset, principal = make_dataset(cast.alice.tenant), cast.alice.principal
    seen = make_document(dataset, "Text.")
    Document.objects.filter(pk=seen.pk).update(doc_metadata={"author": "Ada"})
    told = upkeep.describe(
        principal=principal, dataset=dataset, document=seen, doc_type="book", values={"ti\0tle": "N\0otes", "pages": math.inf}
    )  # fmt: skip
    assert told.doc_metadata == {"author": "Ada", "title": "Notes", "pages": None}
    documents.delete(principal=principal, dataset=dataset, document=seen)
    with pytest.raises(DocumentNotFound):
        upkeep.describe(principal=principal, dataset=dataset, document=seen, doc_type="book", values={})


def test_rules_are_kept_as_every_database_takes_them(cast: Cast) -> None:
    rule = {**paragraphs(), "rules": {**paragraphs()["rules"], "note": ["\0"]}}
    document = make_document(make_dataset(cast.alice.tenant), "Text.", rule=rule)
    document.refresh_from_db()
    assert document.process_rule.rules["note"] == [""]


def test_a_batch_that_cannot_be_is_not_found(cast: Cast) -> None:
    with pytest.raises(DocumentNotFound):
        documents.of_batch(make_dataset(cast.alice.tenant), "\0")


def test_a_field_is_renamed_as_it_is_called_by_now(cast: Cast) -> None:
    dataset, principal = make_dataset(cast.alice.tenant), cast.alice.principal
    document = make_document(dataset, "Text.", doc_metadata={"author": "Ada"})
    field = metadata.create(principal=principal, dataset=dataset, name="author", type="string")
    seen = metadata.get(dataset, field.pk)
    for row, name in ((field, "writer"), (seen, "poet")):
        metadata.rename(principal=principal, dataset=dataset, field=row, name=name)
    document.refresh_from_db()
    assert document.doc_metadata == {"poet": "Ada"}
    metadata.delete(principal=principal, dataset=dataset, field=seen)
    with pytest.raises(metadata.MetadataNotFound):
        metadata.rename(principal=principal, dataset=dataset, field=seen, name="author")


def test_a_dataset_that_is_gone_carries_no_tags(cast: Cast) -> None:
    dataset, principal = make_dataset(cast.alice.tenant), cast.alice.principal
    tag = tags.create(principal=principal, type=TagType.KNOWLEDGE, name="Law")
    bindings.bind(principal=principal, tag_ids=[tag.pk], target_id=dataset.pk)
    datasets.delete(principal=principal, dataset=dataset)
    assert not TagBinding.objects.exists()
