"""Create, change and delete datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.services import model_access
from datasets.models import Dataset, IndexingTechnique, Permission, Provider
from datasets.stores import default_name
from difyproj.kernel import ids
from difyproj.kernel.errors import Forbidden, InvalidParam, ProviderNotInitialize
from difyproj.kernel.errors import ModelNotSupported as ModelOff
from difyproj.kernel.principal import Principal
from difyproj.model_runtime.base import ModelType

from . import access, external_apis, members, models, reindex, removal
from .refusals import DatasetIndexing, DatasetInUse, DatasetNameDuplicate

PLAIN: Final = ("name", "description", "permission", "retrieval_model", "external_retrieval_model", "external_knowledge_id")
NAME_LENGTH: Final = 40
NO_MODEL: Final = "No Embedding Model available. Please configure a valid provider in the Settings -> Model Provider."
NO_RERANK: Final = "No Rerank Model available. Please configure a valid provider in the Settings -> Model Provider."


@transaction.atomic
def create(
    *,
    principal: Principal,
    name: str,
    description: str = "",
    indexing_technique: str = "",
    permission: str = Permission.ONLY_ME,
    provider: str = Provider.VENDOR,
    embedding_model: str = "",
    embedding_model_provider: str = "",
    retrieval_model: Mapping[str, Any] | None = None,
    external_knowledge_api_id: UUID | str | None = None,
    external_knowledge_id: str = "",
    external_retrieval_model: Mapping[str, Any] | None = None,
    summary_index_setting: Mapping[str, Any] | None = None,
    icon_info: Mapping[str, Any] | None = None,
    partial_member_list: Sequence[UUID] = (),
) -> Dataset:
    """Raises DatasetNameDuplicate, Forbidden, ExternalApiNotFound, and InvalidParam for models that cannot be called."""
    if not principal.can("dataset.create"):
        raise Forbidden
    row = Dataset(
        tenant_id=principal.tenant_id, name=name, description=description, permission=permission, provider=provider,
        retrieval_model=retrieval_model, summary_index_setting=summary_index_setting, icon_info=icon_info,
        created_by_id=principal.actor_id, updated_by_id=principal.actor_id, store=default_name(),
    )  # fmt: skip
    if provider == Provider.EXTERNAL:
        _point(row, principal, external_knowledge_api_id, external_knowledge_id)
        row.external_retrieval_model = external_retrieval_model
    else:
        choose_index(row, indexing_technique, embedding_model_provider, embedding_model)
        demand_rerank(row.tenant_id, retrieval_model)
    _save(row, force_insert=True)
    if partial_member_list:
        members.choose(row, partial_member_list)
    return row


@transaction.atomic
def update(*, principal: Principal, dataset: Dataset, **given: Any) -> Dataset:
    """Change what is given: fields as ``create`` takes them. Another way of indexing, or another embedding model, builds a new
    index while the one that there is goes on answering.

    Raises DatasetNameDuplicate, DatasetIndexing, Forbidden, and InvalidParam.
    """
    row = access.locked(principal, dataset.pk)
    chosen = given.get("partial_member_list")
    members.demand_sharing(principal, row, given.get("permission"), chosen)
    for name in (*PLAIN, "summary_index_setting", "icon_info"):
        if name in given:
            setattr(row, name, given[name])
    if row.provider == Provider.EXTERNAL and given.get("external_knowledge_api_id"):
        _point(row, principal, given["external_knowledge_api_id"], row.external_knowledge_id)
    if given.get("retrieval_model"):
        demand_rerank(row.tenant_id, given["retrieval_model"])
    if row.provider == Provider.VENDOR:
        _change_index(row, given)
    row.updated_by_id = principal.actor_id
    _save(row)
    if chosen is not None:
        members.choose(row, chosen)
    return row


@transaction.atomic
def enable_api(*, principal: Principal, dataset: Dataset, enabled: bool) -> Dataset:
    """Whether dataset keys are answered."""
    row = access.locked(principal, dataset.pk)
    row.enable_api = enabled
    row.save(update_fields=["enable_api", "updated_at"])
    return row


@transaction.atomic
def delete(*, principal: Principal, dataset: Dataset) -> None:
    """The dataset with all that belongs to it; index and bytes follow in a job. Raises DatasetInUse while apps ask it."""
    row = access.locked(principal, dataset.pk)
    if is_used(row):
        raise DatasetInUse
    removal.remove_dataset(row)


def free_name(principal: Principal, wanted: str) -> str:
    """``wanted``, as much of it as a name may have, with a number behind it where it is taken."""
    begin = wanted.strip()[: NAME_LENGTH - 4] or "Untitled"
    taken = set(Dataset.objects.for_tenant(principal.tenant_id).filter(name__startswith=begin).values_list("name", flat=True))
    names = (begin, *(f"{begin} {number}" for number in range(2, 1_000)))
    return next((name for name in names if name not in taken), str(ids.new_id())[:NAME_LENGTH])


def is_used(dataset: Dataset) -> bool:
    """Whether some app asks it."""
    return bool(dataset.uses.exists())


def choose_index(dataset: Dataset, technique: str, provider: str, model: str) -> None:
    """How the dataset is indexed, and by which embedding model; the workspace's default where none is named.

    Raises InvalidParam for a model that cannot be called.
    """
    dataset.indexing_technique = technique or (IndexingTechnique.HIGH_QUALITY if model else "")
    if dataset.indexing_technique != IndexingTechnique.HIGH_QUALITY:
        dataset.embedding_model_provider = dataset.embedding_model = ""
    elif model:
        chosen = _callable(dataset.tenant_id, provider, model, ModelType.TEXT_EMBEDDING, NO_MODEL)
        dataset.embedding_model_provider, dataset.embedding_model = chosen.provider, chosen.model
    else:
        default = models.default_embedding(dataset.tenant_id)
        dataset.embedding_model_provider, dataset.embedding_model = default.provider, default.model


def demand_rerank(tenant_id: UUID, retrieval_model: Mapping[str, Any] | None) -> None:
    """Raises InvalidParam for a rerank model that is named, wanted and cannot be called."""
    settings = retrieval_model or {}
    named = settings.get("reranking_model") or {}
    if settings.get("reranking_enable") and named.get("reranking_model_name"):
        provider, model = named.get("reranking_provider_name") or "", named["reranking_model_name"]
        _callable(tenant_id, provider, model, ModelType.RERANK, NO_RERANK)


def _change_index(row: Dataset, given: Mapping[str, Any]) -> None:
    wanted = [given.get(name) or "" for name in ("indexing_technique", "embedding_model_provider", "embedding_model")]
    if not any(wanted):
        return
    before = (row.indexing_technique, row.embedding_model_provider, row.embedding_model)
    technique, provider, model = wanted
    choose_index(row, technique or row.indexing_technique, provider or before[1], model or before[2])
    if (row.indexing_technique, row.embedding_model_provider, row.embedding_model) == before:
        return
    if row.next_generation is not None:
        raise DatasetIndexing
    if before[0]:
        reindex.begin(row)


def _point(row: Dataset, principal: Principal, api_id: UUID | str | None, knowledge_id: str) -> None:
    if not api_id or not knowledge_id:
        raise InvalidParam("An external dataset needs external_knowledge_api_id and external_knowledge_id.")
    row.external_api, row.external_knowledge_id = external_apis.get(principal, api_id), knowledge_id


def _callable(tenant_id: UUID, provider: str, model: str, model_type: ModelType, refusal: str) -> model_access.ModelChoice:
    """The model as the catalogue names it. Raises InvalidParam with ``refusal``."""
    try:
        return models.callable_model(tenant_id, provider, model, model_type)
    except (ProviderNotInitialize, ModelOff) as error:
        raise InvalidParam(refusal) from error


def _save(row: Dataset, *, force_insert: bool = False) -> None:
    try:
        with transaction.atomic():
            row.save(force_insert=force_insert)
    except IntegrityError as error:
        raise DatasetNameDuplicate(params="name") from error
