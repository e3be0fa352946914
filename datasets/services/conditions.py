"""Metadata conditions as documents: which of a dataset's may be searched, told to the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from datasets.models import Dataset, Document
from datasets.rag.filters import Filter

from . import metadata
from .described import names


def within(tenant_id: UUID, datasets: Sequence[Dataset], wanted: Filter) -> dict[UUID, set[UUID]]:
    """By dataset, the documents that meet the conditions. One query, and one for the uploaders' names where they are asked.

    What is built in may be asked where the dataset says so.
    """
    columns = ("dataset_id", "id", "doc_metadata", "name", "data_source_type", "created_by_id", "created_at", "updated_at")
    chosen = {dataset.pk: dataset for dataset in datasets}
    rows = Document.objects.for_tenant(tenant_id).searchable().filter(dataset_id__in=chosen)
    documents = list(rows.only(*columns))
    people = names({row.created_by_id for row in documents}) if "uploader" in wanted.names else {}
    found: dict[UUID, set[UUID]] = {key: set() for key in chosen}
    for row in documents:
        is_built_in = chosen[row.dataset_id].built_in_field_enabled
        if wanted.holds(_facts(row, people) if is_built_in else row.doc_metadata):
            found[row.dataset_id].add(row.pk)
    return found


def _facts(document: Document, people: Mapping[UUID | None, str]) -> Mapping[str, Any]:
    return {**document.doc_metadata, **metadata.built_in_values(document, people.get(document.created_by_id, ""))}
