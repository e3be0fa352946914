"""Passages of datasets that speak of a query: every way of search, who may ask, and what is left in the rows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from accounts.models import Tenant
from accounts.services import credentials
from datasets.models import Dataset, DatasetMember, DatasetQuery, Document, QuerySource, Segment
from datasets.services import retrieval
from datasets.services.retrieval import Passages
from datasets.tests.knowledge import make_dataset, make_document, paragraphs, work
from difyproj.infra import loop
from difyproj.kernel.errors import ProviderNotInitialize
from difyproj.testing.cast import Cast, Person
from difyproj.testing.queries import counted
from difyproj.testing.upstream import FakeUpstream

PAID = "Invoices are paid within thirty days of their date."
REFUND = "Refunds need the receipt and take a week."
SHIPPED = "Parcels are shipped on Mondays by train."
TEXT = "\n\n".join((PAID, REFUND, SHIPPED))


def search(person: Person, query: str, *datasets: Dataset, **model: Any) -> Passages:
    settings = retrieval.parse(model)
    asked = retrieval.asker(person.principal, QuerySource.HIT_TESTING)
    return loop.wait(retrieval.retrieve(asked, query, [one.pk for one in datasets], settings), seconds=10)


def contents(made: Passages) -> list[str]:
    return [one.content for one in made.passages]


@pytest.fixture
def tenant(cast: Cast) -> Tenant:
    return cast.alice.tenant


@pytest.fixture
def dataset(tenant: Tenant) -> Dataset:
    made = make_dataset(tenant, permission="all_team_members")
    make_document(made, TEXT, rule=paragraphs())
    work()
    return made


@pytest.mark.parametrize("method", ["semantic_search", "full_text_search", "keyword_search", "hybrid_search"])
def test_every_way_finds_what_speaks_of_the_query(alice: Person, dataset: Dataset, method: str) -> None:
    made = search(alice, "when are invoices paid", dataset, search_method=method, top_k=2)
    assert contents(made)[0] == PAID
    assert len(made.passages) <= 2
    scores = [one.score for one in made.passages]
    assert scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores)
    best = made.passages[0]
    assert best.segment is not None and best.segment.document.name == "page.md"
    assert Segment.objects.get(pk=best.segment.pk).hit_count == 1
    row = DatasetQuery.objects.get()
    assert (row.content, row.source, row.created_by_id) == ("when are invoices paid", "hit_testing", alice.account.pk)
    assert row.trace is not None and row.trace["method"] == method
    assert row.trace["passages"][0]["segment_id"] == str(best.segment.pk)
    assert set(row.trace["passages"][0]) >= {"position", "score", "document_id"}


def test_hybrid_search_weighs_meaning_and_words_exactly(alice: Person, dataset: Dataset) -> None:
    weights = {"vector_setting": {"vector_weight": 0.4}, "keyword_setting": {"keyword_weight": 0.6}}
    made = search(
        alice, "refunds", dataset, search_method="hybrid_search", reranking_mode="weighted_score", weights=weights, top_k=3
    )
    for one in made.passages:
        assert one.score == pytest.approx(0.4 * one.why["semantic"] + 0.6 * one.why.get("words", 0.0), abs=1e-5)
    assert contents(made)[0] == REFUND and made.passages[0].why["words"] == 1.0


def test_the_threshold_is_asked_of_the_final_score(alice: Person, dataset: Dataset) -> None:
    def ask(**more: Any) -> Passages:
        return search(alice, "refunds and receipts", dataset, search_method="hybrid_search", **more)

    scores = [one.score for one in ask().passages]
    assert len(scores) == 3
    middle = (scores[0] + scores[1]) / 2
    assert contents(ask(score_threshold_enabled=True, score_threshold=middle)) == [REFUND]
    assert len(ask(score_threshold_enabled=False, score_threshold=middle).passages) == 3


def test_several_datasets_answer_on_one_scale(alice: Person, tenant: Tenant, dataset: Dataset) -> None:
    economy = make_dataset(tenant, indexing_technique="economy", embedding_model="", embedding_model_provider="")
    make_document(economy, f"Invoices have a number.\n\n{SHIPPED}", rule=paragraphs())
    work()
    weights = {"vector_setting": {"vector_weight": 0.5}, "keyword_setting": {"keyword_weight": 0.5}}
    made = search(alice, "invoices paid", dataset, economy, reranking_mode="weighted_score", weights=weights, top_k=2)
    assert contents(made) == [PAID, "Invoices have a number."]
    assert made.passages[1].score < 0.5
    assert DatasetQuery.objects.count() == 2
    assert {row.trace["method"] for row in DatasetQuery.objects.all() if row.trace} == {"hybrid_search", "keyword_search"}
    assert made.trace[economy.pk]["passages"][0]["position"] == 2


def test_what_is_put_away_is_not_given_back(alice: Person, dataset: Dataset) -> None:
    Segment.objects.filter(content=PAID).update(enabled=False)
    assert PAID not in contents(search(alice, "invoices paid", dataset, search_method="hybrid_search"))
    for values in ({"enabled": False}, {"enabled": True, "archived": True}):
        Document.objects.update(**values)
        assert contents(search(alice, "refunds", dataset, search_method="hybrid_search")) == []


def test_nobody_is_given_what_is_not_for_them(cast: Cast, dataset: Dataset) -> None:
    assert contents(search(cast.eve, "refunds", dataset)) == []
    assert contents(search(cast.bob, "refunds", dataset))
    Dataset.objects.update(permission="only_me", created_by_id=cast.alice.account.pk)
    assert contents(search(cast.bob, "refunds", dataset)) == []
    Dataset.objects.update(permission="partial_members")
    assert contents(search(cast.bob, "refunds", dataset)) == []
    DatasetMember.objects.create(tenant=dataset.tenant, dataset=dataset, account=cast.bob.account)
    assert contents(search(cast.bob, "refunds", dataset))
    assert DatasetQuery.objects.filter(tenant=cast.eve.tenant).count() == 0


def test_parents_are_given_with_the_children_that_were_found(alice: Person, tenant: Tenant) -> None:
    dataset = make_dataset(tenant, doc_form="hierarchical_model")
    parents, parts = {"separator": "\n\n", "max_tokens": 500}, {"separator": ". ", "max_tokens": 20}
    rule = {"mode": "hierarchical", "rules": {"segmentation": parents, "subchunk_segmentation": parts}}
    text = "Whales are mammals. Whales breathe air. They sing.\n\nSharks are fish. Sharks have gills."
    make_document(dataset, text, rule=rule, doc_form="hierarchical_model")
    work()
    made = search(alice, "do whales breathe air", dataset, search_method="hybrid_search", top_k=1)
    best = made.passages[0]
    assert best.content.startswith("Whales are mammals. Whales breathe air")
    assert best.children[0].content.startswith("Whales breathe air")
    assert best.children[0].score == best.score
    assert [child.score for child in best.children] == sorted((child.score for child in best.children), reverse=True)
    assert len({child.id for child in best.children}) == len(best.children) > 1


def test_questions_are_given_with_their_answers(alice: Person, tenant: Tenant) -> None:
    dataset = make_dataset(tenant, doc_form="qa_model")
    make_document(dataset, TEXT, rule=paragraphs())
    work()
    Segment.objects.filter(content=REFUND).update(answer="Within a week.")
    made = search(alice, REFUND, dataset, top_k=1)
    assert contents(made) == [f"question:{REFUND} \nanswer:Within a week."]


def test_conditions_choose_the_documents_that_are_searched(alice: Person, dataset: Dataset) -> None:
    other = make_document(dataset, "Refunds of 2020 took a month.", name="old.md")
    work()
    Document.objects.filter(pk=other.pk).update(doc_metadata={"year": 2020})

    def ask(name: str, operator: str, value: Any = None) -> list[str]:
        rows = [{"name": name, "comparison_operator": operator, "value": value}]
        return contents(search(alice, "refunds", dataset, top_k=1, metadata_filtering_conditions={"conditions": rows}))

    assert ask("year", "≤", 2020) == ["Refunds of 2020 took a month."]
    assert ask("year", "empty") == [REFUND]
    assert ask("year", "=", 1999) == []
    assert ask("document_name", "is", "old.md") == []
    Dataset.objects.update(built_in_field_enabled=True)
    assert ask("document_name", "is", "old.md") == ["Refunds of 2020 took a month."]
    assert ask("source", "is", "file_upload")
    Document.objects.filter(pk=other.pk).update(created_by_id=alice.account.pk)
    assert ask("uploader", "is", "Alice") == ["Refunds of 2020 took a month."]


def test_a_query_costs_the_same_however_much_is_found(alice: Person, tenant: Tenant, dataset: Dataset) -> None:
    def statements(top_k: int, *datasets: Dataset) -> int:
        with counted() as told:
            search(alice, "refunds need the receipt of parcels", *datasets, search_method="hybrid_search", top_k=top_k)
        return len(told)

    statements(1, dataset)
    one = statements(1, dataset)
    make_document(dataset, "\n\n".join(f"Receipt number {number} of refunds." for number in range(50)), rule=paragraphs())
    work()
    statements(50, dataset)
    many = statements(50, dataset)
    print(f"statements of a hybrid search: {one} for one passage, {many} for fifty")
    assert many == one <= 11
    assert len(search(alice, "refunds", dataset, search_method="hybrid_search", top_k=50).passages) == 50


def test_an_empty_query_and_datasets_that_hold_nothing_find_nothing(alice: Person, tenant: Tenant) -> None:
    empty = make_dataset(tenant)
    assert contents(search(alice, "refunds", empty)) == []
    assert contents(search(alice, " \0 ", empty)) == []
    unknown = retrieval.retrieve(retrieval.asker(alice.principal), "refunds", [UUID(int=1)], retrieval.parse({}))
    assert loop.wait(unknown, seconds=10).passages == []


def test_a_rerank_model_has_the_last_word(alice: Person, tenant: Tenant, dataset: Dataset) -> None:
    model = {"reranking_provider_name": "jina", "reranking_model_name": "jina-reranker-v2-base-multilingual"}
    given = {"reranking_enable": True, "reranking_mode": "reranking_model", "reranking_model": model, "top_k": 2}
    fake = FakeUpstream("jina")
    loop.wait(fake.__aenter__(), seconds=5)
    try:
        credentials.create(tenant=tenant, provider="jina", values={"api_key": "jina-0123456789abcdef", "base_url": fake.url})
        made = search(alice, "shipped parcels", dataset, search_method="semantic_search", **given)
        cut = search(alice, "shipped parcels", dataset, **given, score_threshold_enabled=True, score_threshold=0.9)
    finally:
        loop.wait(fake.__aexit__(None, None, None), seconds=5)
    assert contents(made)[0] == SHIPPED and len(made.passages) == 2
    assert made.passages[0].score == made.passages[0].why["rerank"] == 1.0
    assert made.passages[0].why["semantic"] < 1.0
    assert contents(cut) == [SHIPPED]
    row = DatasetQuery.objects.latest("created_at")
    assert row.trace is not None and row.trace["rerank"]["model"] == "jina-reranker-v2-base-multilingual"


def test_a_reranker_that_nobody_chose_changes_nothing(alice: Person, dataset: Dataset) -> None:
    plain = search(alice, "shipped parcels", dataset)
    empty = {"reranking_provider_name": "", "reranking_model_name": ""}
    assert contents(search(alice, "shipped parcels", dataset, reranking_enable=True, reranking_model=empty)) == contents(plain)
    named = {"provider": "cohere", "model": "rerank-v3.5"}
    with pytest.raises(ProviderNotInitialize):
        search(alice, "shipped parcels", dataset, reranking_enable=True, reranking_model=named)
