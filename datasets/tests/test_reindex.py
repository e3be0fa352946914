"""Another embedding model: the next index is built while the old one answers."""

from __future__ import annotations

import pytest
from django.db import transaction

from accounts.models import Tenant
from datasets.models import Dataset, Document, IndexEntry, Segment
from datasets.services import indexing, models, reindex, removal
from datasets.tests.knowledge import OPENAI, entries, indexed, make_dataset, make_document, paragraphs, upstream, work
from difyproj.infra import jobs
from difyproj.infra.models import Job
from difyproj.testing.cast import Cast
from difyproj.testing.upstream import Script

TEXT = "Invoices are paid within thirty days.\n\nRefunds need a receipt.\n\nOrders above 100 ship for free."


@pytest.fixture
def tenant(cast: Cast) -> Tenant:
    return cast.alice.tenant


@pytest.fixture
def dataset(tenant: Tenant) -> Dataset:
    made = make_dataset(tenant)
    make_document(made, TEXT, rule=paragraphs())
    work()
    made.refresh_from_db()
    return made


def choose(dataset: Dataset, **values: str) -> None:
    with transaction.atomic():
        row = Dataset.objects.select_for_update().get(pk=dataset.pk)
        for name, value in values.items():
            setattr(row, name, value)
        reindex.begin(row)
        row.save()
    dataset.refresh_from_db()


def generations() -> set[int]:
    return set(IndexEntry.objects.values_list("index__generation", flat=True))


def test_the_old_index_serves_until_the_next_one_is_whole(dataset: Dataset, tenant: Tenant) -> None:
    with upstream(tenant):
        choose(dataset, **OPENAI)
        serving = models.embedder(dataset)
        assert serving is not None and (serving.provider, dataset.generation, dataset.next_generation) == ("builtin", 1, 2)
        assert len(indexed(dataset, 1)) == 3
        # What comes meanwhile is in both.
        document = make_document(dataset, "Said meanwhile.")
        jobs.run_waiting("datasets.index")
        meanwhile = Segment.objects.get(document=document).pk
        assert meanwhile in indexed(dataset, 1) and meanwhile in indexed(dataset, 2)
        work()
        dataset.refresh_from_db()
        assert (dataset.generation, dataset.next_generation, dataset.serving, dataset.dimensions) == (2, None, None, 8)
        serving = models.embedder(dataset)
        assert serving is not None and serving.provider == "openai"
    assert len(indexed(dataset)) == 4
    assert generations() == {2}


def test_economy_and_back(dataset: Dataset) -> None:
    choose(dataset, indexing_technique="economy", embedding_model="", embedding_model_provider="")
    work()
    assert [entry.vector for entry in entries(dataset)] == [None] * 3
    assert dataset.dimensions == 0
    choose(dataset, indexing_technique="high_quality", embedding_model="hashing-384", embedding_model_provider="builtin")
    work()
    assert all(entry.vector for entry in entries(dataset))
    assert (dataset.generation, dataset.dimensions) == (3, 384)


def test_a_model_that_fails_leaves_the_old_index_and_says_why(dataset: Dataset, tenant: Tenant) -> None:
    with upstream(tenant, Script(fail=400)):
        choose(dataset, **OPENAI)
        work()
        dataset.refresh_from_db()
        assert (dataset.generation, dataset.next_generation, dataset.embedding_model) == (1, None, "hashing-384")
        assert "OpenAI" in dataset.reindex_error
    assert generations() == {1}
    document = make_document(dataset, "Afterwards.")
    work()
    document.refresh_from_db()
    assert document.indexing_status == "completed"


def test_a_lost_job_is_made_again(dataset: Dataset, tenant: Tenant) -> None:
    with upstream(tenant):
        choose(dataset, **OPENAI)
        Job.objects.filter(kind=reindex.KIND, target_id=dataset.pk).delete()
        assert reindex.sweep() == 1
        work()
        assert reindex.sweep() == 0
    dataset.refresh_from_db()
    assert dataset.generation == 2


def test_without_a_segment_there_is_nothing_to_build(tenant: Tenant) -> None:
    dataset = make_dataset(tenant)
    with upstream(tenant):
        choose(dataset, **OPENAI)
        assert (dataset.generation, dataset.next_generation) == (1, None)
        make_document(dataset, TEXT)
        work()
    dataset.refresh_from_db()
    assert (dataset.dimensions, indexing.index_of(dataset).generation) == (8, 1)
    assert Document.objects.get(dataset=dataset).indexing_status == "completed"


def test_what_is_deleted_leaves_an_index_that_the_asker_did_not_know_of(dataset: Dataset, tenant: Tenant) -> None:
    before = Dataset.objects.get(pk=dataset.pk)
    with upstream(tenant):
        choose(dataset, **OPENAI)
        work()
    assert generations() == {2}
    removal.remove_documents(before, list(Document.objects.filter(dataset=dataset)))
    work()
    assert generations() == set()
