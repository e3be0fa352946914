"""What members do with documents beside changing them: try failed ones again, pause, say what kind of text they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from datasets.models import Dataset, Document, IndexingStatus
from difyproj.kernel import jsonio
from difyproj.kernel.errors import InvalidParam
from difyproj.kernel.principal import Principal

from . import access, documents, pipeline
from .refusals import DocumentNotFound, InvalidAction

DOC_TYPES: Final = frozenset({
    "book", "web_page", "paper", "social_media_post", "wikipedia_entry", "personal_document", "business_document",
    "im_chat_log", "synced_from_notion", "synced_from_github", "others",
})  # fmt: skip


@transaction.atomic
def retry(*, principal: Principal, dataset: Dataset, document_ids: Sequence[UUID | str]) -> int:
    """Go on where these failed; others stay as they are. How many there were. Raises DocumentNotFound, Forbidden."""
    owner = access.locked(principal, dataset.pk)
    failed = [row for row in documents.several(owner, document_ids) if row.indexing_status == IndexingStatus.ERROR]
    for row in failed:
        pipeline.retry(row)
    return len(failed)


@transaction.atomic
def step(*, principal: Principal, dataset: Dataset, document: Document, action: str) -> None:
    """``pause`` or ``resume``. Raises InvalidAction for another word, and for a document that cannot be."""
    access.locked(principal, dataset.pk)
    if action == "pause":
        pipeline.pause(document, by=principal.actor_id)
    elif action == "resume":
        pipeline.resume(document)
    else:
        raise InvalidAction


@transaction.atomic
def describe(
    *, principal: Principal, dataset: Dataset, document: Document, doc_type: str, values: Mapping[str, Any]
) -> Document:
    """The kind of text, and facts about it, beside those of the dataset's own fields. Raises InvalidParam."""
    access.locked(principal, dataset.pk)
    if doc_type not in DOC_TYPES:
        raise InvalidParam("Invalid doc_type.", params="doc_type")
    if any(not isinstance(value, str | int | float | None) for value in values.values()):
        raise InvalidParam("doc_metadata holds texts and numbers.", params="doc_metadata")
    row = Document.objects.select_for_update().filter(dataset=dataset, pk=document.pk).first()
    if row is None:
        raise DocumentNotFound
    row.doc_type = doc_type
    row.doc_metadata = {**row.doc_metadata, **jsonio.storable(values)}
    row.save(update_fields=["doc_type", "doc_metadata", "updated_at"])
    return row
