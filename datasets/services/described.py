"""Datasets with what lists tell of them: counts, tags, fields, members, names. A fixed number of queries for any number."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, Sum, prefetch_related_objects

from accounts.models import Account, Tag
from accounts.services import model_access
from datasets.models import Dataset, Document, IndexingTechnique, MetadataField
from datasets.models.dataset import DatasetRows
from datasets.models.document import SEARCHABLE
from difyproj.infra.paging import Page, page_of
from difyproj.kernel.errors import DomainError
from difyproj.kernel.principal import Principal
from difyproj.model_runtime.base import ModelType

from . import access, members, tags


@dataclass(frozen=True, slots=True)
class Described:
    dataset: Dataset
    apps: int
    documents: int
    available: int
    words: int
    author: str
    embedding_available: bool
    tags: Sequence[Tag]
    fields: Sequence[MetadataField]
    members: Sequence[UUID]


def page(
    principal: Principal,
    *,
    page: int,
    limit: int,
    keyword: str = "",
    tag_ids: Collection[UUID] = (),
    ids: Collection[UUID] = (),
    include_all: bool = False,
) -> Page[Dataset]:
    """Datasets that the principal may see, the newest first; the owner's list has what others keep for themselves only with
    ``include_all``. Of several tags a dataset carries each."""
    rows = access.visible_to(principal) if include_all else access.shared_with(principal)
    if keyword:
        rows = rows.filter(name__icontains=keyword)
    if ids:
        rows = rows.filter(pk__in=ids)
    for tag_id in set(tag_ids):
        rows = rows.filter(pk__in=_carrying(principal, tag_id))
    return page_of(rows.select_related("external_api"), page=page, limit=limit)


def describe(rows: Sequence[Dataset]) -> list[Described]:
    """Six queries at most."""
    prefetch_related_objects(rows, "metadata_fields", "members")
    counts = _counts(rows)
    uses = dict(_visible(rows).order_by().annotate(used=Count("uses")).values_list("pk", "used"))
    carried, authors = tags.of(rows), names({row.created_by_id for row in rows})
    nothing: dict[str, Any] = {"total": 0, "available": 0, "words": 0}
    found = []
    for row in rows:
        told = counts.get(row.pk, nothing)
        found.append(
            Described(
                dataset=row,
                apps=uses.get(row.pk, 0),
                documents=told["total"],
                available=told["available"],
                words=told["words"] or 0,
                author=authors.get(row.created_by_id, ""),
                embedding_available=_is_callable(row),
                tags=carried.get(row.pk, []),
                fields=list(row.metadata_fields.all()),
                members=members.chosen(row),
            )
        )
    return found


def one(dataset: Dataset) -> Described:
    return describe([dataset])[0]


def names(account_ids: Collection[UUID | None]) -> dict[UUID | None, str]:
    """What people are called, by their ids: one query."""
    return dict(Account.objects.filter(pk__in=[key for key in account_ids if key]).values_list("pk", "name"))


def _visible(rows: Sequence[Dataset]) -> DatasetRows:
    return Dataset.objects.filter(pk__in=[row.pk for row in rows])


def _counts(rows: Sequence[Dataset]) -> dict[UUID, dict[str, Any]]:
    found = Document.objects.filter(dataset__in=[row.pk for row in rows]).order_by().values("dataset_id")
    told = found.annotate(total=Count("pk"), available=Count("pk", filter=SEARCHABLE), words=Sum("word_count"))
    return {row["dataset_id"]: dict(row) for row in told}


def _carrying(principal: Principal, tag_id: UUID) -> Any:
    found = Tag.objects.visible_to(principal).filter(Q(pk=tag_id, type="knowledge"))
    return found.values("bindings__target_id").filter(bindings__target_id__isnull=False)


def _is_callable(row: Dataset) -> bool:
    """Whether its vectors can be asked; keywords always can."""
    if row.indexing_technique != IndexingTechnique.HIGH_QUALITY:
        return True
    try:
        model_access.credentials_for(
            row.tenant_id, row.embedding_model_provider, model=row.embedding_model, model_type=ModelType.TEXT_EMBEDDING
        )
    except DomainError:
        return False
    return True
