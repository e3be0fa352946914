"""Documents as lists show them: by what they are called and how far they are, each with what it amounts to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Q, Sum

from datasets.models import Dataset, Document, IndexingStatus, MetadataField, Segment
from difyproj.infra.paging import Page, page_of
from difyproj.kernel.errors import InvalidParam

from . import metadata
from .described import names

DONE: Final = Q(indexing_status=IndexingStatus.COMPLETED)
AT_WORK: Final = (IndexingStatus.PARSING, IndexingStatus.CLEANING, IndexingStatus.SPLITTING, IndexingStatus.INDEXING)
STATUSES: Final[Mapping[str, Q]] = {
    "queuing": Q(indexing_status=IndexingStatus.WAITING),
    "indexing": Q(indexing_status__in=AT_WORK),
    "paused": Q(indexing_status=IndexingStatus.PAUSED),
    "error": Q(indexing_status=IndexingStatus.ERROR),
    "available": DONE & Q(enabled=True, archived=False),
    "disabled": DONE & Q(enabled=False, archived=False),
    "archived": DONE & Q(archived=True),
}
SORTS: Final[Mapping[str, Sequence[str]]] = {
    "": ("-created_at", "-position", "-id"),
    "created_at": ("created_at", "position", "id"),
    "-created_at": ("-created_at", "-position", "-id"),
    "name": ("name", "id"),
    "-name": ("-name", "-id"),
    "word_count": ("word_count", "id"),
    "-word_count": ("-word_count", "-id"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    document: Document
    hits: int
    uploader: str
    values: Sequence[metadata.Value]
    process_rule: Mapping[str, object]


def page(dataset: Dataset, *, page: int, limit: int, keyword: str = "", status: str = "", sort: str = "") -> Page[Document]:
    """The newest first. Raises InvalidParam for a status or an order that there is not."""
    rows = Document.objects.filter(dataset=dataset).select_related("process_rule")
    if keyword:
        rows = rows.filter(name__icontains=keyword)
    if status:
        if status not in STATUSES:
            raise InvalidParam(f"status must be one of: {', '.join(STATUSES)}.", params="status")
        rows = rows.filter(STATUSES[status])
    if sort not in SORTS:
        raise InvalidParam(f"sort must be one of: {', '.join(filter(None, SORTS))}.", params="sort")
    return page_of(rows.order_by(*SORTS[sort]), page=page, limit=limit)


def show(dataset: Dataset, rows: Sequence[Document], fields: Sequence[MetadataField] | None = None) -> list[Shown]:
    """Three queries for any number of documents."""
    known = metadata.fields(dataset) if fields is None else fields
    uploaders, hits = names({row.created_by_id for row in rows}), _hits(rows)
    found = []
    for row in rows:
        uploader = uploaders.get(row.created_by_id, "")
        values = metadata.values(row, known, built_in=dataset.built_in_field_enabled, uploader=uploader)
        rule = {"mode": row.process_rule.mode, "rules": row.process_rule.rules}
        found.append(Shown(row, hits.get(row.pk, 0), uploader, values, rule))
    return found


def display_status(document: Document) -> str:
    """The contract's one word for how far a document is and whether it answers."""
    status = document.indexing_status
    if status == IndexingStatus.WAITING:
        return "queuing"
    if status in (IndexingStatus.PAUSED, IndexingStatus.ERROR):
        return str(status)
    if status != IndexingStatus.COMPLETED:
        return "indexing"
    if document.archived:
        return "archived"
    return "available" if document.enabled else "disabled"


def _hits(rows: Sequence[Document]) -> dict[UUID, int]:
    found = Segment.objects.filter(document__in=[row.pk for row in rows]).order_by().values("document_id")
    return {row["document_id"]: row["hits"] or 0 for row in found.annotate(hits=Sum("hit_count"))}
