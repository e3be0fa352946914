"""A dataset goes to another installation in one file."""

from __future__ import annotations

import zipfile
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from datasets.models import ChildChunk, Dataset, Document, Embedding, MetadataField, Segment
from datasets.services import bundles
from datasets.tests.knowledge import OPENAI, asked, entries, indexed, make_dataset, make_document, paragraphs, upstream, work
from difyproj.infra.storage import get_storage
from difyproj.kernel.errors import Conflict
from difyproj.testing.cast import Cast

TEXT = "Invoices are paid within thirty days.\n\nRefunds need a receipt.\n\nOrders above 100 ship for free."


def test_a_dataset_comes_to_another_workspace_without_a_call_to_its_model(cast: Cast, tmp_path: Path) -> None:
    file = tmp_path / "set.zip"
    with upstream(cast.alice.tenant) as fake, upstream(cast.eve.tenant) as other:
        dataset = make_dataset(cast.alice.tenant, name="Bills", **OPENAI)
        MetadataField.objects.create(tenant=cast.alice.tenant, dataset=dataset, name="year", type="number")
        document = make_document(dataset, TEXT, rule=paragraphs(), doc_metadata={"year": 2026})
        work()
        Segment.objects.filter(document=document, position=1).update(enabled=False, edited=True)
        said = StringIO()
        call_command("dataset", "export", str(dataset.pk), str(file), stdout=said)
        assert said.getvalue().strip() == "1 documents, 3 segments, 3 vectors"
        call_command("dataset", "import", str(file), "--tenant", cast.eve.tenant.name, stdout=StringIO())
        work()
        assert (len(asked(fake)), len(asked(other))) == (3, 0)
    taken = Dataset.objects.get(tenant=cast.eve.tenant)
    copy = Document.objects.get(dataset=taken)
    assert (taken.name, copy.name, copy.indexing_status, copy.doc_metadata) == ("Bills", "page.md", "completed", {"year": 2026})
    assert get_storage().read(copy.key) == TEXT.encode() and copy.key != document.key
    told = list(Segment.objects.filter(document=copy).values_list("content", "enabled", "edited"))
    assert told == [(text, position > 0, position == 0) for position, text in enumerate(TEXT.split("\n\n"))]
    assert len(indexed(taken)) == 2
    assert {entry.vector for entry in entries(taken)} < set(Embedding.objects.values_list("vector", flat=True))
    with pytest.raises(CommandError, match="there already"):
        call_command("dataset", "import", str(file), "--tenant", cast.eve.tenant.name)


def test_parents_come_with_their_children(cast: Cast) -> None:
    parts = {"separator": ".", "max_tokens": 50}
    rules = {"segmentation": {"separator": "\n\n", "max_tokens": 500}, "subchunk_segmentation": parts}
    dataset = make_dataset(cast.alice.tenant, doc_form="hierarchical_model")
    rule = {"mode": "hierarchical", "rules": rules}
    make_document(dataset, "One. Two.\n\nThree.", rule=rule, doc_form="hierarchical_model")
    work()
    bundle = BytesIO()
    bundles.write(dataset, bundle)
    taken = bundles.read(bundle, tenant=cast.alice.tenant, by=None, name="Again")
    work()
    assert ChildChunk.objects.filter(dataset=taken).count() == len(entries(taken)) == 3


def test_what_is_no_bundle_leaves_nothing_behind(cast: Cast) -> None:
    dataset = make_dataset(cast.alice.tenant)
    make_document(dataset, TEXT)
    work()
    whole = BytesIO()
    bundles.write(dataset, whole)
    with pytest.raises(Conflict):
        bundles.read(whole, tenant=cast.alice.tenant, by=None)
    for change in (
        {"documents.jsonl": b'{"id": 5}\n'},
        {"manifest.json": b"[]"},
        {"segments.jsonl": b"nonsense"},
        {"vectors.jsonl": b"{}"},
    ):
        with pytest.raises(bundles.BrokenBundle):
            bundles.read(changed(whole, change), tenant=cast.alice.tenant, by=None, name="Other")
    with pytest.raises(bundles.BrokenBundle):
        bundles.read(BytesIO(b"no zip"), tenant=cast.alice.tenant, by=None)
    assert Dataset.objects.count() == Document.objects.count() == 1


def changed(bundle: BytesIO, parts: dict[str, bytes]) -> BytesIO:
    made = BytesIO()
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(name, parts.get(name, old.read(name)))
    return made
