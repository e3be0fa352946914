"""What members say of documents and datasets, and what is left of it when those are gone."""

from __future__ import annotations

import pytest

from accounts.models import TagBinding, TagType
from accounts.services import tags
from datasets.models import Document
from datasets.services import datasets, documents, upkeep
from datasets.services import tags as bindings
from datasets.services.refusals import DocumentNotFound
from datasets.tests.knowledge import make_dataset, make_document
from difyproj.testing.cast import Cast


def test_facts_of_a_document_are_added_to_those_that_it_has_by_now(cast: Cast) -> None:
    dataset, principal = make_dataset(cast.alice.tenant), cast.alice.principal
    seen = make_document(dataset, "Text.")
    Document.objects.filter(pk=seen.pk).update(doc_metadata={"author": "Ada"})
    told = upkeep.describe(
        principal=principal, dataset=dataset, document=seen, doc_type="book", values={"ti\0tle": "N\0otes"}
    )  # fmt: skip
    assert told.doc_metadata == {"author": "Ada", "title": "Notes"}
    documents.delete(principal=principal, dataset=dataset, document=seen)
    with pytest.raises(DocumentNotFound):
        upkeep.describe(principal=principal, dataset=dataset, document=seen, doc_type="book", values={})


def test_a_dataset_that_is_gone_carries_no_tags(cast: Cast) -> None:
    dataset, principal = make_dataset(cast.alice.tenant), cast.alice.principal
    tag = tags.create(principal=principal, type=TagType.KNOWLEDGE, name="Law")
    bindings.bind(principal=principal, tag_ids=[tag.pk], target_id=dataset.pk)
    datasets.delete(principal=principal, dataset=dataset)
    assert not TagBinding.objects.exists()
