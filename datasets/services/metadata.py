"""Metadata: a dataset's fields, what every document tells of itself, and the values that documents carry.

Values stand in ``Document.doc_metadata`` under the field's name; what is built in is read from the document, never kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, Q

from datasets.models import Dataset, Document, MetadataField, MetadataType
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import InvalidParam, NotFound
from difyproj.kernel.principal import Principal

from . import access

MOST: Final = 200
"""Fields of one dataset."""
LONGEST_NAME: Final = 255
LONGEST_VALUE: Final = 10_000
BATCH: Final = 500
BUILT_IN: Final = {
    "document_name": MetadataType.STRING,
    "uploader": MetadataType.STRING,
    "upload_date": MetadataType.TIME,
    "last_update_date": MetadataType.TIME,
    "source": MetadataType.STRING,
}
SOURCES: Final = {"upload_file": "file_upload", "website_crawl": "website", "notion_import": "notion"}


class MetadataNotFound(NotFound):
    default_message = "Metadata not found."


class MetadataNameTaken(InvalidParam):
    default_message = "Metadata name already exists."


@dataclass(frozen=True, slots=True)
class Value:
    """What one document says under one field. ``id`` is the field's, or ``built-in``."""

    id: str
    name: str
    type: str
    value: Any


def fields(dataset: Dataset) -> list[MetadataField]:
    return list(MetadataField.objects.filter(dataset=dataset))


def counted(dataset: Dataset) -> list[tuple[MetadataField, int]]:
    """Each field with the number of documents that carry it: two queries."""
    found = fields(dataset)
    counts = {f"field_{at}": Count("pk", filter=Q(doc_metadata__has_key=field.name)) for at, field in enumerate(found)}
    told = Document.objects.filter(dataset=dataset).aggregate(**counts) if counts else {}
    return [(field, told[f"field_{at}"]) for at, field in enumerate(found)]


def get(dataset: Dataset, field_id: UUID | str) -> MetadataField:
    """Raises MetadataNotFound."""
    key = ids.parse(field_id)
    found = MetadataField.objects.filter(dataset=dataset, pk=key).first() if key else None
    if found is None:
        raise MetadataNotFound
    return found


@transaction.atomic
def create(*, principal: Principal, dataset: Dataset, name: str, type: str) -> MetadataField:
    """Raises MetadataNameTaken, and InvalidParam for too many fields."""
    access.locked(principal, dataset.pk)
    if MetadataField.objects.filter(dataset=dataset).count() >= MOST:
        raise InvalidParam(f"A dataset has at most {MOST} metadata fields.")
    row = MetadataField(
        tenant_id=dataset.tenant_id, dataset=dataset, name=_free_name(name), type=type, created_by_id=principal.actor_id
    )
    _save(row)
    return row


@transaction.atomic
def rename(*, principal: Principal, dataset: Dataset, field: MetadataField, name: str) -> MetadataField:
    """The documents' values go with it. Raises MetadataNameTaken."""
    access.locked(principal, dataset.pk)
    row = get(dataset, field.pk)
    before, row.name = row.name, _free_name(name)
    _save(row)
    if before != row.name:
        _change_values(dataset, before, row.name)
    return row


@transaction.atomic
def delete(*, principal: Principal, dataset: Dataset, field: MetadataField) -> None:
    """The documents' values go with it."""
    access.locked(principal, dataset.pk)
    row = get(dataset, field.pk)
    row.delete()
    _change_values(dataset, row.name, None)


@transaction.atomic
def enable_built_in(*, principal: Principal, dataset: Dataset, enabled: bool) -> None:
    """Whether documents show what is built in, and may be filtered by it."""
    row = access.locked(principal, dataset.pk)
    row.built_in_field_enabled = enabled
    row.updated_by_id = principal.actor_id
    row.save(update_fields=["built_in_field_enabled", "updated_by_id", "updated_at"])


@transaction.atomic
def write(*, principal: Principal, dataset: Dataset, operations: Sequence[Mapping[str, Any]]) -> None:
    """``operations`` as the contract has them: ``document_id``, ``metadata_list`` of ``{id, name, value}``, ``partial_update``.

    Without the last one the values given replace all that the document had. Raises InvalidParam for a document or a field
    that is not the dataset's, and for a value that is not of its type.
    """
    access.locked(principal, dataset.pk)
    known = {field.pk: field for field in fields(dataset)}
    wanted = {operation["document_id"] for operation in operations}
    rows = {row.pk: row for row in Document.objects.select_for_update().filter(dataset=dataset, pk__in=wanted)}
    for operation in operations:
        document = rows.get(operation["document_id"])
        if document is None:
            raise InvalidParam("Document not found.", params="operation_data")
        given = dict(_checked(known, item) for item in operation["metadata_list"])
        document.doc_metadata = {**document.doc_metadata, **given} if operation.get("partial_update") else given
        document.updated_at = clock.now()
    Document.objects.bulk_update(rows.values(), ["doc_metadata", "updated_at"], batch_size=BATCH)


def values(document: Document, known: Sequence[MetadataField], *, built_in: bool = False, uploader: str = "") -> list[Value]:
    """What the document carries, in the fields' order; behind them what is built in."""
    given = document.doc_metadata
    found = [Value(str(field.pk), field.name, field.type, given[field.name]) for field in known if field.name in given]
    if not built_in:
        return found
    told = built_in_values(document, uploader)
    return [*found, *(Value("built-in", name, str(kind), told[name]) for name, kind in BUILT_IN.items())]


def built_in_values(document: Document, uploader: str) -> dict[str, Any]:
    """By name; times are epoch seconds."""
    return {
        "document_name": document.name,
        "uploader": uploader,
        "upload_date": clock.epoch(document.created_at),
        "last_update_date": clock.epoch(document.updated_at),
        "source": SOURCES.get(document.data_source_type, document.data_source_type),
    }


def _free_name(name: str) -> str:
    if len(name) > LONGEST_NAME:
        raise InvalidParam(f"Metadata name cannot exceed {LONGEST_NAME} characters.", params="name")
    if name in BUILT_IN:
        raise MetadataNameTaken("Metadata name already exists in Built-in fields.", params="name")
    return name


def _save(field: MetadataField) -> None:
    try:
        with transaction.atomic():
            field.save()
    except IntegrityError as error:
        raise MetadataNameTaken(params="name") from error


def _change_values(dataset: Dataset, before: str, after: str | None) -> None:
    """Documents keep their values in the order of their fields no more than JSON does: a new name stands last."""
    rows = Document.objects.select_for_update().filter(dataset=dataset, doc_metadata__has_key=before)
    changed = list(rows.only("pk", "doc_metadata"))
    for row in changed:
        value = row.doc_metadata.pop(before, None)
        if after is not None:
            row.doc_metadata[after] = value
    Document.objects.bulk_update(changed, ["doc_metadata"], batch_size=BATCH)


def _checked(known: Mapping[UUID, MetadataField], item: Mapping[str, Any]) -> tuple[str, Any]:
    field = known.get(item["id"])
    if field is None:
        raise InvalidParam("Metadata not found.", params="operation_data")
    value = item.get("value")
    if value is None:
        return field.name, None
    if field.type == MetadataType.STRING:
        return field.name, _text(field, value)
    return field.name, _number(field, value)


def _text(field: MetadataField, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidParam(f"The value of {field.name} must be a text.", params="operation_data")
    text = str(value)
    if len(text) > LONGEST_VALUE or "\0" in text:
        raise InvalidParam(f"The value of {field.name} is too long or no text.", params="operation_data")
    return text


def _number(field: MetadataField, value: Any) -> int | float | None:
    """A time is a number, too: epoch seconds."""
    if value == "":
        return None
    try:
        number = float(value) if not isinstance(value, bool) and isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidParam(f"The value of {field.name} must be a number.", params="operation_data")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
