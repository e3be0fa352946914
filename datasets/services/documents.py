"""Create, change and delete documents; what happens to their text is the pipeline's."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from datasets.models import Dataset, DocForm, Document, IndexingStatus, ProcessRule, Provider
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import InvalidParam
from difyproj.kernel.principal import Principal

from . import access, datasets, pipeline, removal, rules
from .refusals import ArchivedDocument, DocumentNotFound, DocumentUnavailable, ExternalDataset, InvalidAction
from .sources import Source, fitting

MOST_AT_ONCE: Final = 100
DEFAULT_LANGUAGE: Final = "English"


def get(dataset: Dataset, document_id: UUID | str) -> Document:
    """Raises DocumentNotFound."""
    key = ids.parse(document_id)
    found = Document.objects.filter(dataset=dataset, pk=key).select_related("process_rule").first() if key else None
    if found is None:
        raise DocumentNotFound
    return found


def several(dataset: Dataset, document_ids: Sequence[UUID | str]) -> list[Document]:
    """Each of them, in this order. Raises DocumentNotFound where one is missing."""
    keys = [ids.parse(value) for value in document_ids]
    rows = {row.pk: row for row in Document.objects.filter(dataset=dataset, pk__in=[key for key in keys if key])}
    if any(key not in rows for key in keys):
        raise DocumentNotFound
    return [rows[key] for key in dict.fromkeys(keys) if key]


def of_batch(dataset: Dataset, batch: str) -> list[Document]:
    """Documents that were made by one request. Raises DocumentNotFound where there are none."""
    rows = list(Document.objects.filter(dataset=dataset, batch=batch)) if batch.isprintable() else []
    if not rows:
        raise DocumentNotFound("Documents not found.")
    return rows


def new_batch() -> str:
    return f"{clock.now():%Y%m%d%H%M%S}{100_000 + secrets.randbelow(900_000)}"


@transaction.atomic
def create(
    *,
    principal: Principal,
    dataset: Dataset,
    source: Source,
    process_rule: Mapping[str, Any] | None = None,
    doc_form: str = "",
    doc_language: str = "",
    indexing_technique: str = "",
    embedding_model: str = "",
    embedding_model_provider: str = "",
    retrieval_model: Mapping[str, Any] | None = None,
    created_from: str = "api",
    batch: str = "",
) -> Document:
    """A document that waits for the pipeline. The first one settles how its dataset is indexed; later ones follow.

    Raises ExternalDataset, and InvalidParam for a rule or form that does not fit.
    """
    row = access.locked(principal, dataset.pk)
    if row.provider == Provider.EXTERNAL:
        raise ExternalDataset
    settle(row, source, doc_form, indexing_technique, embedding_model_provider, embedding_model, retrieval_model)
    last = Document.objects.filter(dataset=row).aggregate(last=Max("position"))["last"] or 0
    document = Document(
        tenant_id=row.tenant_id, dataset=row, position=last + 1, name=source.name, created_from=created_from,
        created_by_id=principal.actor_id, batch=batch or new_batch(), doc_form=row.doc_form,
        doc_language=doc_language or DEFAULT_LANGUAGE, process_rule=_rule(principal, row, process_rule),
    )  # fmt: skip
    _take(document, source)
    document.save(force_insert=True)
    pipeline.start(document)
    return document


@transaction.atomic
def update(
    *,
    principal: Principal,
    dataset: Dataset,
    document: Document,
    source: Source | None = None,
    name: str = "",
    process_rule: Mapping[str, Any] | None = None,
    doc_form: str = "",
    doc_language: str = "",
    retrieval_model: Mapping[str, Any] | None = None,
) -> Document:
    """Another text, another rule or another name; what was indexed answers until the new text is.

    Raises DocumentUnavailable while it is indexed, and when somebody put it away.
    """
    owner = access.locked(principal, dataset.pk)
    row = _locked(owner, document)
    if not is_available(row):
        raise DocumentUnavailable
    _demand_form(owner, doc_form)
    if retrieval_model:
        datasets.demand_rerank(owner.tenant_id, retrieval_model)
        owner.retrieval_model = dict(retrieval_model)
        owner.save(update_fields=["retrieval_model", "updated_at"])
    if source is not None:
        removal.remove_bytes(owner, [row.key])
        _take(row, source)
    if name:
        row.name = fitting(name)
    if doc_language:
        row.doc_language = doc_language
    if process_rule is not None:
        row.process_rule = _rule(principal, owner, process_rule)
    is_new = source is not None or process_rule is not None
    if is_new:
        row.batch = new_batch()
    row.save()
    if is_new:
        pipeline.restart(row)
    return row


@transaction.atomic
def rename(*, principal: Principal, dataset: Dataset, document: Document, name: str) -> Document:
    row = _locked(access.locked(principal, dataset.pk), document)
    row.name = fitting(name)
    row.save(update_fields=["name", "updated_at"])
    return row


@transaction.atomic
def delete(*, principal: Principal, dataset: Dataset, document: Document) -> None:
    """With its segments; index and bytes follow in a job. Raises ArchivedDocument."""
    row = _locked(access.locked(principal, dataset.pk), document)
    if row.archived:
        raise ArchivedDocument
    removal.remove_documents(dataset, [row])


@transaction.atomic
def act(*, principal: Principal, dataset: Dataset, document_ids: Sequence[UUID | str], action: str) -> None:
    """``enable``, ``disable``, ``archive`` or ``un_archive`` these; who is so already stays.

    Raises InvalidAction for another word and for a document that is not ready for it, DocumentNotFound.
    """
    change = ACTIONS.get(action)
    if change is None:
        raise InvalidAction
    owner = access.locked(principal, dataset.pk)
    now = clock.now()
    for row in several(owner, document_ids):
        change(_locked(owner, row), principal, now)


def is_available(document: Document) -> bool:
    """Whether its text may be exchanged: it is indexed, or has failed, and nobody put it away."""
    done = document.indexing_status in (IndexingStatus.COMPLETED, IndexingStatus.ERROR)
    return done and document.enabled and not document.archived


def settle(
    dataset: Dataset,
    source: Source,
    doc_form: str,
    technique: str,
    provider: str,
    model: str,
    retrieval_model: Mapping[str, Any] | None,
) -> None:
    """What a dataset learns from its first document. The row is locked and saved here. Raises InvalidParam."""
    if not dataset.indexing_technique:
        if not technique:
            raise InvalidParam("indexing_technique is required.", params="indexing_technique")
        datasets.choose_index(dataset, technique, provider, model)
    _demand_form(dataset, doc_form)
    dataset.doc_form = dataset.doc_form or doc_form or DocForm.TEXT
    dataset.data_source_type = dataset.data_source_type or source.type
    if retrieval_model and not dataset.retrieval_model:
        datasets.demand_rerank(dataset.tenant_id, retrieval_model)
        dataset.retrieval_model = dict(retrieval_model)
    dataset.save()


def _demand_form(dataset: Dataset, doc_form: str) -> None:
    if doc_form and doc_form not in DocForm.values:
        raise InvalidParam("Invalid doc_form.", params="doc_form")
    if doc_form and dataset.doc_form and doc_form != dataset.doc_form:
        raise InvalidParam("doc_form is different from the dataset doc_form.", params="doc_form")


def _rule(principal: Principal, dataset: Dataset, given: Mapping[str, Any] | None) -> ProcessRule:
    """The rule that is given; without one the dataset's last, or the automatic one."""
    last = ProcessRule.objects.filter(dataset=dataset).first() if given is None else None
    return last or rules.create(dataset=dataset, given=given, created_by_id=principal.actor_id)


def _take(document: Document, source: Source) -> None:
    document.key, document.size, document.hash = source.key, source.size, source.hash
    document.extension, document.mime_type, document.name = source.extension, source.mime_type, source.name
    document.data_source_type = source.type
    document.data_source_info = {"upload_file_id": str(document.pk), **source.info}


def _locked(dataset: Dataset, document: Document) -> Document:
    found = Document.objects.select_for_update().filter(dataset=dataset, pk=document.pk).first()
    if found is None:
        raise DocumentNotFound
    return found


def _enable(row: Document, principal: Principal, now: datetime) -> None:
    if not row.enabled:
        _set(row, enabled=True, disabled_at=None, disabled_by_id=None)


def _disable(row: Document, principal: Principal, now: datetime) -> None:
    if row.indexing_status != IndexingStatus.COMPLETED:
        raise InvalidAction(f"Document {row.name} is not completed.")
    if row.enabled:
        _set(row, enabled=False, disabled_at=now, disabled_by_id=principal.actor_id)


def _archive(row: Document, principal: Principal, now: datetime) -> None:
    if row.indexing_status not in (IndexingStatus.COMPLETED, IndexingStatus.ERROR):
        raise InvalidAction(f"Document {row.name} is being indexed, please try again later.")
    if not row.archived:
        _set(row, archived=True, archived_at=now, archived_by_id=principal.actor_id)


def _un_archive(row: Document, principal: Principal, now: datetime) -> None:
    if row.archived:
        _set(row, archived=False, archived_at=None, archived_by_id=None)


def _set(row: Document, **values: Any) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=[*values, "updated_at"])
    pipeline.changed(row)


ACTIONS: Final[Mapping[str, Callable[[Document, Principal, datetime], None]]] = {
    "enable": _enable,
    "disable": _disable,
    "archive": _archive,
    "un_archive": _un_archive,
}
