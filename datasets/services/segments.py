"""Passages as people and integrators write them. What is committed here is indexed right after, or by a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max

from datasets.models import ChildChunk, Dataset, DocForm, Document, IndexingStatus, Segment, SegmentStatus
from datasets.rag import words
from datasets.rag.extract.base import Page as Text
from datasets.rag.split import split
from difyproj.infra.paging import Page, page_of
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import InvalidParam, NotFound
from difyproj.kernel.principal import Principal
from difyproj.model_runtime import tokens

from . import access, indexing, removal, rules
from .refusals import DocumentNotFound, SegmentNotFound

MOST_AT_ONCE: Final = 1_000
LONGEST: Final = 100_000
MOST_KEYWORDS: Final = 50


@dataclass(frozen=True, slots=True)
class Written:
    """A passage to be added."""

    content: str
    answer: str = ""
    keywords: Sequence[str] | None = None
    attachments: Sequence[str] = ()


def get(document: Document, segment_id: UUID | str) -> Segment:
    """Raises SegmentNotFound."""
    key = ids.parse(segment_id)
    found = Segment.objects.filter(document=document, pk=key).first() if key else None
    if found is None:
        raise SegmentNotFound
    return found


def several(document: Document, segment_ids: Sequence[UUID | str]) -> list[Segment]:
    """Each of them, once. Raises SegmentNotFound where one is missing."""
    keys = [ids.parse(value) for value in segment_ids]
    rows = {row.pk: row for row in Segment.objects.filter(document=document, pk__in=[key for key in keys if key])}
    if any(key not in rows for key in keys):
        raise SegmentNotFound
    return list(rows.values())


def page(
    document: Document,
    *,
    page: int,
    limit: int,
    status: Sequence[str] = (),
    keyword: str = "",
    enabled: bool | None = None,
    hits: int | None = None,
) -> Page[Segment]:
    """In the order of the document; ``hits`` is the least number of times that they were found."""
    rows = Segment.objects.filter(document=document).exclude(status=SegmentStatus.RE_SEGMENT)
    if status:
        rows = rows.filter(status__in=status)
    if keyword:
        rows = rows.filter(content__icontains=keyword)
    if enabled is not None:
        rows = rows.filter(enabled=enabled)
    if hits is not None:
        rows = rows.filter(hit_count__gte=hits)
    return page_of(rows, page=page, limit=limit)


def create(*, principal: Principal, dataset: Dataset, document: Document, written: Sequence[Written]) -> list[Segment]:
    """Behind those that are there. Raises InvalidParam, and NotFound for a document that is not indexed or is disabled."""
    if len(written) > MOST_AT_ONCE:
        raise InvalidParam(f"At most {MOST_AT_ONCE} segments may be created at once.", params="segments")
    with transaction.atomic():
        held = _held(principal, dataset, document)
        if held.indexing_status != IndexingStatus.COMPLETED:
            raise NotFound("Document is not completed.")
        if not held.enabled:
            raise NotFound("Document is disabled.")
        last = Segment.objects.filter(document=held).aggregate(last=Max("position"))["last"] or 0
        rows = [_new(principal, dataset, held, one, last + at) for at, one in enumerate(written, start=1)]
        Segment.objects.bulk_create(rows)
        if held.doc_form == DocForm.HIERARCHICAL:
            for row in rows:
                _split_children(row, held)
        _count(held, len(rows), rows)
    indexing.refresh(held, rows)
    return rows


def update(
    *,
    principal: Principal,
    dataset: Dataset,
    document: Document,
    segment: Segment,
    content: str | None = None,
    answer: str | None = None,
    keywords: Sequence[str] | None = None,
    enabled: bool | None = None,
    regenerate_child_chunks: bool = False,
    attachments: Sequence[str] | None = None,
    summary: str | None = None,
) -> Segment:
    """Change what is given; a later re-parse of the document leaves the passage as it is now.

    Raises InvalidParam while it is indexed, and for another change of one that is disabled.
    """
    with transaction.atomic():
        held = _held(principal, dataset, document)
        row = Segment.objects.select_for_update().get(pk=get(held, segment.pk).pk)
        if row.status == SegmentStatus.INDEXING:
            raise InvalidParam("Segment is indexing, please try again later.")
        _switch(row, principal, enabled)
        if not row.enabled and enabled is None:
            raise InvalidParam("Can't update disabled segment.")
        before = (row.word_count, row.tokens)
        _write(row, held, content, answer, keywords)
        row.attachments = row.attachments if attachments is None else list(attachments)
        row.summary = row.summary if summary is None else summary
        row.edited, row.updated_by_id, row.status = True, principal.actor_id, SegmentStatus.WAITING
        row.save()
        if regenerate_child_chunks and held.doc_form == DocForm.HIERARCHICAL:
            removal.remove_children(dataset, list(row.child_chunks.all()))
            _split_children(row, held)
        _add(held, 0, row.word_count - before[0], row.tokens - before[1])
    indexing.refresh(held, [row])
    return row


def switch(*, principal: Principal, dataset: Dataset, document: Document, segments: Sequence[Segment], enabled: bool) -> None:
    """Those that are so already stay. Raises InvalidParam while one is indexed."""
    with transaction.atomic():
        held = _held(principal, dataset, document)
        keys = [segment.pk for segment in segments if segment.enabled != enabled]
        rows = list(Segment.objects.select_for_update().filter(document=held, pk__in=keys))
        if any(row.status == SegmentStatus.INDEXING for row in rows):
            raise InvalidParam("Segment is indexing, please try again later.")
        for row in rows:
            _switch(row, principal, enabled)
            row.edited, row.updated_by_id, row.status = True, principal.actor_id, SegmentStatus.WAITING
            row.updated_at = clock.now()
        changed = ["enabled", "disabled_at", "disabled_by_id", "edited", "updated_by_id", "status", "updated_at"]
        Segment.objects.bulk_update(rows, changed, batch_size=MOST_AT_ONCE // 10)
    if rows:
        indexing.refresh(held, rows)


@transaction.atomic
def delete(*, principal: Principal, dataset: Dataset, document: Document, segments: Sequence[Segment]) -> None:
    """With their children; the index follows."""
    held = _held(principal, dataset, document)
    rows = list(Segment.objects.select_for_update().filter(document=held, pk__in=[row.pk for row in segments]))
    if len(rows) != len(segments):
        raise SegmentNotFound
    _count(held, -len(rows), rows)
    removal.remove_segments(dataset, rows)


def children(rows: Sequence[Segment]) -> dict[UUID, list[ChildChunk]]:
    """The children of each segment that has some: one query."""
    found: dict[UUID, list[ChildChunk]] = {}
    for child in ChildChunk.objects.filter(segment__in=[row.pk for row in rows]):
        found.setdefault(child.segment_id, []).append(child)
    return found


def _held(principal: Principal, dataset: Dataset, document: Document) -> Document:
    """The document, locked behind its dataset."""
    access.locked(principal, dataset.pk)
    rows = Document.objects.select_for_update(of=("self",)).select_related("process_rule")
    found = rows.filter(dataset=dataset, pk=document.pk).first()
    if found is None:
        raise DocumentNotFound
    return found


def _new(principal: Principal, dataset: Dataset, document: Document, given: Written, position: int) -> Segment:
    row = Segment(
        tenant_id=dataset.tenant_id, dataset=dataset, document=document, position=position, revision=document.revision,
        edited=True, created_by_id=principal.actor_id, updated_by_id=principal.actor_id, attachments=list(given.attachments),
    )  # fmt: skip
    _write(row, document, given.content, given.answer, given.keywords)
    return row


def _write(
    row: Segment,
    document: Document,
    content: str | None,
    answer: str | None,
    keywords: Sequence[str] | None,
) -> None:
    text, is_qa = row.content if content is None else content.strip(), document.doc_form == DocForm.QA
    if not text:
        raise InvalidParam("Content is empty.", params="content")
    if is_qa and answer is not None:
        row.answer = answer.strip()
    if is_qa and not row.answer:
        raise InvalidParam("Answer is required.", params="answer")
    if max(len(text), len(row.answer)) > LONGEST:
        raise InvalidParam(f"A segment has at most {LONGEST} characters.", params="content")
    if keywords is not None:
        row.keywords = list(dict.fromkeys(word for word in keywords if word))[:MOST_KEYWORDS]
    elif text != row.content:
        row.keywords = words.keywords(text)
    row.content = text
    row.word_count = len(text) + (len(row.answer) if is_qa else 0)
    row.tokens = tokens.estimate(text) + tokens.estimate(row.answer)


def _switch(row: Segment, principal: Principal, enabled: bool | None) -> None:
    if enabled is None or enabled == row.enabled:
        return
    row.enabled = enabled
    row.disabled_at = None if enabled else clock.now()
    row.disabled_by_id = None if enabled else principal.actor_id


def _split_children(row: Segment, document: Document) -> None:
    rule = replace(rules.parsed(document.process_rule), parent_mode="full-doc")
    parts = [part for piece in split([Text(0, row.content)], rule, DocForm.HIERARCHICAL) for part in piece.children]
    ChildChunk.objects.bulk_create(
        ChildChunk(
            tenant_id=row.tenant_id, dataset_id=row.dataset_id, document_id=row.document_id, segment=row,
            position=position, content=content, word_count=len(content),
        )
        for position, content in enumerate(parts, start=1)
    )  # fmt: skip


def _count(document: Document, segments: int, rows: Sequence[Segment]) -> None:
    sign = 1 if segments > 0 else -1
    _add(document, segments, sign * sum(row.word_count for row in rows), sign * sum(row.tokens for row in rows))


def _add(document: Document, segments: int, word_count: int, token_count: int) -> None:
    now: Mapping[str, Any] = {
        "segment_count": F("segment_count") + segments,
        "completed_segments": F("completed_segments") + segments,
        "word_count": F("word_count") + word_count,
        "tokens": F("tokens") + token_count,
        "updated_at": clock.now(),
    }
    Document.objects.filter(pk=document.pk).update(**now)
