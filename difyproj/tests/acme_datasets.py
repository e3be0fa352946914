"""Datasets of somebody for the sweeps: a row of every kind, by the names that paths and bodies give their ids."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

from accounts.models.tag import TagType
from accounts.services import tags
from apps.models import UploadFile
from apps.services import stored_bytes
from datasets.models import Dataset, DocForm, Document, IndexingStatus, Permission
from datasets.services import child_chunks, datasets, documents, external_apis, metadata, segments
from datasets.services import tags as bindings
from datasets.services.sources import Source
from difyproj.infra.storage import get_storage
from difyproj.kernel import clock
from difyproj.testing.cast import Person

BUILT_IN: dict[str, Any] = {"embedding_model_provider": "builtin", "embedding_model": "hashing-384"}
CHILDREN = {
    "mode": "hierarchical",
    "rules": {"parent_mode": "paragraph", "segmentation": {"separator": "\n\n", "max_tokens": 500}, "pre_processing_rules": []},
}
_numbers = count()


def furnish(person: Person, secret: str) -> dict[str, str]:
    """What is kept says ``secret``. In a thread of the database."""
    principal = person.principal
    dataset = make(person, secret)
    field = metadata.create(principal=principal, dataset=dataset, name=f"of {secret}", type="string")
    document = add_document(person, dataset, secret)
    value: dict[str, Any] = {"id": field.pk, "name": field.name, "value": secret}
    metadata.write(principal=principal, dataset=dataset, operations=[{"document_id": document.pk, "metadata_list": [value]}])
    tag = tags.create(principal=principal, type=TagType.KNOWLEDGE, name=secret[:50])
    bindings.bind(principal=principal, tag_ids=[tag.pk], target_id=dataset.pk)
    (segment,) = segments.create(
        principal=principal, dataset=dataset, document=document, written=[segments.Written(f"{secret}. It is kept.")]
    )
    child = child_chunks.create(
        principal=principal, dataset=dataset, document=document, segment=segment, content=f"A part of {secret}"
    )
    api = external_apis.create(
        principal=principal, name=secret, endpoint="https://knowledge.example/api", api_key="external-key-0123456789"
    )
    return {
        "dataset_id": str(dataset.pk),
        "document_id": str(document.pk),
        "batch": document.batch,
        "segment_id": str(segment.pk),
        "child_chunk_id": str(child.pk),
        "metadata_id": str(field.pk),
        "knowledge_tag_id": str(tag.pk),
        "external_api_id": str(api.pk),
        "pipeline_file_id": str(_upload(person).pk),
    }


def add(person: Person, ids: Mapping[str, str]) -> None:
    """One more of all that lists show. In a thread of the database."""
    number, principal = next(_numbers), person.principal
    dataset = Dataset.objects.get(pk=ids["dataset_id"])
    document = Document.objects.get(pk=ids["document_id"])
    another = make(person, f"More {number}")
    metadata.create(principal=principal, dataset=dataset, name=f"field {number}", type="string")
    metadata.create(principal=principal, dataset=another, name="field", type="number")
    tag = tags.create(principal=principal, type=TagType.KNOWLEDGE, name=f"Knowledge {number}")
    for bound in (dataset, another):
        bindings.bind(principal=principal, tag_ids=[tag.pk], target_id=bound.pk)
    add_document(person, dataset, f"More {number}", batch=document.batch)
    (segment,) = segments.create(
        principal=principal, dataset=dataset, document=document, written=[segments.Written(f"More of {number}")]
    )
    for row in (segment, segments.get(document, ids["segment_id"])):
        child_chunks.create(principal=principal, dataset=dataset, document=document, segment=row, content=f"Part {number}")


def make(person: Person, name: str) -> Dataset:
    return datasets.create(
        principal=person.principal, name=name[:40], indexing_technique="high_quality", permission=Permission.PARTIAL,
        partial_member_list=[person.account.pk], **BUILT_IN,
    )  # fmt: skip


def add_document(person: Person, dataset: Dataset, text: str, **more: Any) -> Document:
    """One that is indexed, as far as its row knows."""
    source = Source.planned(tenant_id=person.tenant.pk, name="notes.txt", extension="txt", mime_type="text/plain")
    stored_bytes.expect(source.key)
    get_storage().save(source.key, text.encode())
    stored_bytes.claim(source.key)
    made = documents.create(
        principal=person.principal, dataset=dataset, source=source.measured([text.encode()]), process_rule=CHILDREN,
        doc_form=DocForm.HIERARCHICAL, **more,
    )  # fmt: skip
    now = clock.now()
    Document.objects.filter(pk=made.pk).update(
        indexing_status=IndexingStatus.COMPLETED, completed_at=now, splitting_completed_at=now, name=f"{text}.txt"
    )
    made.refresh_from_db()
    return made


def _upload(person: Person) -> UploadFile:
    key = f"upload_files/{person.tenant.pk}/{next(_numbers)}.txt"
    return UploadFile.objects.create(
        tenant=person.tenant, key=key, name="plan.txt", size=1, extension="txt", mime_type="text/plain", hash="0" * 64,
        account_id=person.account.pk, created_by_role="account",
    )  # fmt: skip
