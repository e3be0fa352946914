"""The admin of knowledge as an operator uses it: upload, watch, mend, try; nothing for who may not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.services import accounts
from datasets.models import Dataset, DatasetQuery, Document, Segment
from datasets.tests.knowledge import indexed, make_dataset, make_document, paragraphs, work
from difyproj.testing.cast import Cast

MOST_QUERIES = 15
TEXT = "Invoices are paid within thirty days.\n\nRefunds need a receipt.\n\n<script>alert('told')</script> is a tag."
RULE = {"doc_form": "text_model", "max_tokens": "200", "chunk_overlap": "0", "separator": "\\n\\n"}
JSON = {"Accept": "application/json"}
# Pages await the house's loop, whose threads see what is committed only.
live = pytest.mark.django_db(transaction=True)


@pytest.fixture
def root(cast: Cast, client: Client) -> Client:
    client.force_login(accounts.create(email="root@house.example", name="Root", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def document(cast: Cast) -> Document:
    """Alice's, indexed."""
    made = make_document(make_dataset(cast.alice.tenant), TEXT, rule=paragraphs())
    work()
    made.refresh_from_db()
    return made


def shown(client: Client, path: str) -> str:
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(f"/admin/datasets/{path}", follow=True)
    assert answer.status_code == 200, path
    assert len(asked) <= MOST_QUERIES, [query["sql"] for query in asked]
    return answer.content.decode()


def upload(client: Client, dataset: Dataset, name: str, content: bytes, **more: Any) -> Any:
    file = SimpleUploadedFile(name, content, content_type="text/markdown")
    return client.post(f"/admin/datasets/dataset/{dataset.pk}/upload/", {**RULE, "file": file, **more}, headers=JSON)


def act(client: Client, action: str, *rows: Document) -> str:
    chosen = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return client.post("/admin/datasets/document/", chosen, follow=True).content.decode()


def test_lists_searches_and_pages_load_with_few_queries(root: Client, document: Document) -> None:
    for _ in range(8):
        make_document(document.dataset, TEXT)
    segment = Segment.objects.filter(document=document).first()
    assert segment is not None
    query = DatasetQuery.objects.create(tenant=document.tenant, dataset=document.dataset, content="refunds", source="app")
    for model, row in (("dataset", document.dataset), ("document", document), ("segment", segment), ("datasetquery", query)):
        for path in ("", "?q=refunds", f"?q={row.pk}", f"{row.pk}/change/"):
            page = shown(root, f"{model}/{path}")
            assert "<script>alert('told')" not in page and "&lt;a href" not in page
    assert "Nothing here yet" in shown(root, "externalknowledgeapi/")


@live
def test_an_operator_makes_a_dataset_uploads_a_file_and_watches_it(root: Client, cast: Cast) -> None:
    given = {"tenant": cast.alice.tenant.pk, "name": "Handbook", "indexing_technique": "high_quality", "permission": "only_me"}
    answer = root.post("/admin/datasets/dataset/add/", given)
    dataset = Dataset.objects.get()
    assert answer.headers["Location"] == f"/admin/datasets/dataset/{dataset.pk}/upload/"
    assert (dataset.tenant, dataset.embedding_model) == (cast.alice.tenant, "hashing-384")
    made = upload(root, dataset, "terms.md", TEXT.encode())
    assert made.status_code == 201
    key = made.json()["id"]
    where, same = (
        f"/admin/datasets/document/progress/?id={key}",
        {"share": None, "address": f"/admin/datasets/document/{key}/change/"},
    )
    assert root.get(where).json() == {key: {"text": "Waiting", "face": "at-work", "done": False, **same}}
    work()
    assert root.get(where).json() == {key: {"text": "3 segments", "face": "done", "done": True, **same}}
    document = Document.objects.get()
    assert (document.indexing_status, document.process_rule.mode, document.size) == ("completed", "custom", len(TEXT))
    assert "terms.md" in shown(root, f"dataset/{dataset.pk}/upload/")


@live
def test_what_cannot_be_uploaded_is_told_and_leaves_nothing(root: Client, cast: Cast) -> None:
    dataset = make_dataset(cast.alice.tenant)
    refused = upload(root, dataset, "setup.exe", b"MZ")
    assert refused.status_code == 400 and "setup.exe" in refused.json()["error"]
    assert "Overlap" in upload(root, dataset, "a.md", b"A", chunk_overlap="300").json()["error"]
    assert not Document.objects.exists()


@live
def test_a_question_is_tried_with_two_settings_side_by_side(root: Client, document: Document) -> None:
    sides = {f"{side}-{name}": value for side in "ab" for name, value in (("top_k", "3"), ("vector_weight", "0.5"))}
    query = {"q": "refunds", "a-search_method": "hybrid_search", "b-search_method": "full_text_search", **sides}
    answer = root.get(f"/admin/datasets/dataset/{document.dataset_id}/retrieval/", query)
    page = answer.content.decode()
    found = re.findall(r"<article>.*?<p>(.*?)</p>", page, re.DOTALL)
    assert found[0] == "Refunds need a receipt." and found[-1] == "Refunds need a receipt."
    assert "words rank 1" in page and "semantic rank" in page
    assert {row.source for row in DatasetQuery.objects.all()} == {"hit_testing"}


@live
def test_a_segment_is_mended_and_found_by_its_new_words(root: Client, document: Document) -> None:
    segment = Segment.objects.get(document=document, position=2)
    form = {"content": "Returns need a bill.", "answer": "", "words": "", "enabled": "on"}
    assert root.post(f"/admin/datasets/segment/{segment.pk}/change/", form).status_code == 302
    segment.refresh_from_db()
    assert (segment.content, segment.edited, segment.status) == ("Returns need a bill.", True, "completed")
    root.post(f"/admin/datasets/segment/{segment.pk}/change/", {**form, "enabled": ""})
    segment.refresh_from_db()
    assert not segment.enabled
    work()
    assert segment.pk not in indexed(document.dataset)


@live
def test_documents_are_paused_tried_again_disabled_and_deleted(root: Client, document: Document) -> None:
    waiting = make_document(document.dataset, TEXT)
    page = act(root, "pause", waiting, document)
    assert "1 documents pause." in page and "is not being indexed" in page
    waiting.refresh_from_db()
    assert waiting.indexing_status == "paused"
    act(root, "resume", waiting)
    work()
    act(root, "disable", waiting, document)
    assert set(Document.objects.values_list("indexing_status", "enabled")) == {("completed", False)}
    work()
    assert not indexed(document.dataset)
    act(root, "remove", waiting)
    assert list(Document.objects.all()) == [document]


@live
def test_whoever_may_only_look_changes_nothing(cast: Cast, client: Client, document: Document) -> None:
    staff = accounts.create(email="staff@house.example", name="Staff", is_staff=True)
    client.force_login(staff)
    assert client.get("/admin/datasets/document/").status_code == 403
    assert client.get("/admin/datasets/document/progress/", {"id": str(document.pk)}).status_code == 403
    for page in ("upload", "retrieval"):
        assert client.get(f"/admin/datasets/dataset/{document.dataset_id}/{page}/").status_code == 403
    staff.user_permissions.set(Permission.objects.filter(codename__in=("view_document", "view_segment", "view_dataset")))
    assert 'value="remove"' not in shown(client, "document/")
    act(client, "remove", document)
    assert upload(client, document.dataset, "a.md", b"A").status_code == 403
    segment = Segment.objects.filter(document=document).first()
    assert segment is not None
    changed = client.post(f"/admin/datasets/segment/{segment.pk}/change/", {"content": "stolen"})
    assert changed.status_code == 403
    assert list(Document.objects.values_list("pk", flat=True)) == [document.pk]
    assert not Segment.objects.filter(content="stolen").exists()
