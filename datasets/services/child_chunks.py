"""Child chunks: parts of a passage that are looked for in its place."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from datasets.models import ChildChunk, ChildChunkType, Dataset, DocForm, Document, Segment
from difyproj.infra.paging import Page, page_of
from difyproj.kernel import ids
from difyproj.kernel.errors import InvalidParam
from difyproj.kernel.principal import Principal

from . import access, indexing, removal
from .refusals import ChildChunkNotFound, SegmentNotFound
from .segments import LONGEST


def get(segment: Segment, child_id: UUID | str) -> ChildChunk:
    """Raises ChildChunkNotFound."""
    key = ids.parse(child_id)
    found = ChildChunk.objects.filter(segment=segment, pk=key).first() if key else None
    if found is None:
        raise ChildChunkNotFound
    return found


def page(segment: Segment, *, page: int, limit: int, keyword: str = "") -> Page[ChildChunk]:
    rows = ChildChunk.objects.filter(segment=segment)
    return page_of(rows.filter(content__icontains=keyword) if keyword else rows, page=page, limit=limit)


def create(*, principal: Principal, dataset: Dataset, document: Document, segment: Segment, content: str) -> ChildChunk:
    """Behind those that are there. Raises InvalidParam for a document that has no children."""
    if document.doc_form != DocForm.HIERARCHICAL:
        raise InvalidParam("Only passages of parent-child documents have child chunks.")
    with transaction.atomic():
        access.locked(principal, dataset.pk)
        held = _locked(segment)
        last = ChildChunk.objects.filter(segment=held).aggregate(last=Max("position"))["last"] or 0
        row = _new(dataset, document, held)
        row.position = last + 1
        _write(row, content)
        row.save(force_insert=True)
        _mark(held, principal)
    indexing.refresh(document, [held])
    return row


def update(
    *, principal: Principal, dataset: Dataset, document: Document, segment: Segment, child: ChildChunk, content: str
) -> ChildChunk:
    with transaction.atomic():
        access.locked(principal, dataset.pk)
        held = _locked(segment)
        row = get(held, child.pk)
        _write(row, content)
        row.type = ChildChunkType.CUSTOMIZED
        row.save()
        _mark(held, principal)
    indexing.refresh(document, [held])
    return row


@transaction.atomic
def delete(*, principal: Principal, dataset: Dataset, segment: Segment, child: ChildChunk) -> None:
    access.locked(principal, dataset.pk)
    held = _locked(segment)
    removal.remove_children(dataset, [get(held, child.pk)])
    held.edited, held.updated_by_id = True, principal.actor_id
    held.save(update_fields=["edited", "updated_by_id", "updated_at"])


def replace(
    *,
    principal: Principal,
    dataset: Dataset,
    document: Document,
    segment: Segment,
    chunks: Sequence[tuple[UUID | None, str]],
) -> None:
    """These and no others, in this order. An id names one that stays, with its text as it is given; without one it is new.

    Raises InvalidParam, and ChildChunkNotFound.
    """
    if document.doc_form != DocForm.HIERARCHICAL:
        raise InvalidParam("Only passages of parent-child documents have child chunks.")
    with transaction.atomic():
        access.locked(principal, dataset.pk)
        held = _locked(segment)
        before = {row.pk: row for row in ChildChunk.objects.filter(segment=held)}
        for position, (key, content) in enumerate(chunks, start=1):
            row = before.pop(key, None) if key else _new(dataset, document, held)
            if row is None:
                raise ChildChunkNotFound
            if row.content != content.strip():
                row.type = ChildChunkType.CUSTOMIZED
            row.position = position
            _write(row, content)
            row.save()
        removal.remove_children(dataset, list(before.values()))
        _mark(held, principal)
    indexing.refresh(document, [held])


def _locked(segment: Segment) -> Segment:
    found = Segment.objects.for_tenant(segment.tenant_id).select_for_update().filter(pk=segment.pk).first()
    if found is None:
        raise SegmentNotFound
    return found


def _new(dataset: Dataset, document: Document, segment: Segment) -> ChildChunk:
    kind = ChildChunkType.CUSTOMIZED
    return ChildChunk(tenant_id=dataset.tenant_id, dataset=dataset, document=document, segment=segment, type=kind)


def _write(row: ChildChunk, content: str) -> None:
    text = content.strip()
    if not text:
        raise InvalidParam("Content is empty.", params="content")
    if len(text) > LONGEST:
        raise InvalidParam(f"A child chunk has at most {LONGEST} characters.", params="content")
    row.content, row.word_count = text, len(text)


def _mark(segment: Segment, principal: Principal) -> None:
    """Its index is to follow; a re-parse of the document leaves it as it is."""
    segment.edited, segment.updated_by_id, segment.status = True, principal.actor_id, "waiting"
    segment.save(update_fields=["edited", "updated_by_id", "status", "updated_at"])
