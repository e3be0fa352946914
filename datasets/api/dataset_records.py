"""Datasets as the API tiers write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Tag
from datasets.models import Dataset, IndexingTechnique, Provider
from datasets.services import described
from datasets.services.described import Described
from difyproj.infra.paging import Page
from difyproj.tiers.fields import EpochField
from difyproj.tiers.shapes import Shape

RETRIEVAL: Final[Mapping[str, Any]] = {
    "search_method": "semantic_search",
    "reranking_enable": False,
    "reranking_mode": None,
    "reranking_model": {"reranking_provider_name": "", "reranking_model_name": ""},
    "weights": None,
    "top_k": 4,
    "score_threshold_enabled": False,
    "score_threshold": 0.0,
}
"""How a dataset is searched where it does not say."""
EXTERNAL_RETRIEVAL: Final[Mapping[str, Any]] = {"top_k": 4, "score_threshold": 0.0, "score_threshold_enabled": False}


class KnowledgeTagRecord(serializers.ModelSerializer[Tag]):
    class Meta:
        model = Tag
        fields = ("id", "name", "type")
        read_only_fields = fields


class FieldRecord(Shape):
    id = serializers.UUIDField()
    name = serializers.CharField()
    type = serializers.CharField()


class RerankingModelRecord(Shape):
    reranking_provider_name = serializers.CharField(allow_blank=True)
    reranking_model_name = serializers.CharField(allow_blank=True)


class VectorSettingRecord(Shape):
    vector_weight = serializers.FloatField()
    embedding_provider_name = serializers.CharField(allow_blank=True)
    embedding_model_name = serializers.CharField(allow_blank=True)


class KeywordSettingRecord(Shape):
    keyword_weight = serializers.FloatField()


class WeightsRecord(Shape):
    weight_type = serializers.CharField()
    vector_setting = VectorSettingRecord()
    keyword_setting = KeywordSettingRecord()


class RetrievalRecord(Shape):
    search_method = serializers.CharField()
    reranking_enable = serializers.BooleanField()
    reranking_mode = serializers.CharField(allow_null=True)
    reranking_model = RerankingModelRecord()
    weights = WeightsRecord(allow_null=True)
    top_k = serializers.IntegerField()
    score_threshold_enabled = serializers.BooleanField()
    score_threshold = serializers.FloatField()


class SummarySettingRecord(Shape):
    enable = serializers.BooleanField()
    model_name = serializers.CharField(allow_blank=True)
    model_provider_name = serializers.CharField(allow_blank=True)
    summary_prompt = serializers.CharField(allow_blank=True)


class ExternalRecord(Shape):
    external_knowledge_id = serializers.CharField()
    external_knowledge_api_id = serializers.UUIDField()
    external_knowledge_api_name = serializers.CharField()
    external_knowledge_api_endpoint = serializers.CharField()


class ExternalRetrievalRecord(Shape):
    top_k = serializers.IntegerField()
    score_threshold = serializers.FloatField()
    score_threshold_enabled = serializers.BooleanField()


class IconRecord(Shape):
    icon_type = serializers.CharField()
    icon = serializers.CharField(allow_blank=True)
    icon_background = serializers.CharField(allow_blank=True)
    icon_url = serializers.CharField(allow_blank=True)


class DatasetRecord(Shape):
    """``instance`` is a Described."""

    id = serializers.UUIDField(source="dataset.pk")
    name = serializers.CharField(source="dataset.name")
    description = serializers.CharField(source="dataset.description")
    provider = serializers.CharField(source="dataset.provider")
    permission = serializers.CharField(source="dataset.permission")
    data_source_type = serializers.CharField(source="dataset.data_source_type")
    indexing_technique = serializers.CharField(source="dataset.indexing_technique")
    app_count = serializers.IntegerField(source="apps")
    document_count = serializers.IntegerField(source="documents")
    word_count = serializers.IntegerField(source="words")
    created_by = serializers.SerializerMethodField()
    author_name = serializers.CharField(source="author")
    created_at = EpochField(source="dataset.created_at")
    updated_by = serializers.SerializerMethodField()
    updated_at = EpochField(source="dataset.updated_at")
    embedding_model = serializers.CharField(source="dataset.embedding_model")
    embedding_model_provider = serializers.CharField(source="dataset.embedding_model_provider")
    embedding_available = serializers.BooleanField()
    retrieval_model_dict = serializers.SerializerMethodField()
    summary_index_setting = serializers.SerializerMethodField()
    tags = KnowledgeTagRecord(many=True)
    doc_form = serializers.CharField(source="dataset.doc_form")
    external_knowledge_info = serializers.SerializerMethodField()
    external_retrieval_model = serializers.SerializerMethodField()
    doc_metadata = FieldRecord(source="fields", many=True)
    built_in_field_enabled = serializers.BooleanField(source="dataset.built_in_field_enabled")
    pipeline_id = serializers.SerializerMethodField()
    runtime_mode = serializers.SerializerMethodField()
    chunk_structure = serializers.SerializerMethodField()
    icon_info = serializers.SerializerMethodField()
    is_published = serializers.SerializerMethodField()
    total_documents = serializers.IntegerField(source="documents")
    total_available_documents = serializers.IntegerField(source="available")
    enable_api = serializers.BooleanField(source="dataset.enable_api")
    is_multimodal = serializers.SerializerMethodField()
    maintainer = serializers.SerializerMethodField()
    partial_member_list = serializers.ListField(source="members", child=serializers.CharField())

    def get_created_by(self, row: Described) -> str:
        return str(row.dataset.created_by_id or "")

    def get_updated_by(self, row: Described) -> str:
        return str(row.dataset.updated_by_id or row.dataset.created_by_id or "")

    @extend_schema_field(RetrievalRecord)
    def get_retrieval_model_dict(self, row: Described) -> dict[str, Any]:
        return retrieval_of(row.dataset)

    @extend_schema_field(SummarySettingRecord(allow_null=True))
    def get_summary_index_setting(self, row: Described) -> dict[str, Any] | None:
        setting = row.dataset.summary_index_setting
        return setting and {
            "enable": bool(setting.get("enable")),
            **{name: setting.get(name) or "" for name in ("model_name", "model_provider_name", "summary_prompt")},
        }

    @extend_schema_field(ExternalRecord(allow_null=True))
    def get_external_knowledge_info(self, row: Described) -> dict[str, Any] | None:
        api = row.dataset.external_api
        if api is None:
            return None
        return {
            "external_knowledge_id": row.dataset.external_knowledge_id,
            "external_knowledge_api_id": str(api.pk),
            "external_knowledge_api_name": api.name,
            "external_knowledge_api_endpoint": api.endpoint,
        }

    @extend_schema_field(ExternalRetrievalRecord(allow_null=True))
    def get_external_retrieval_model(self, row: Described) -> dict[str, Any] | None:
        if row.dataset.provider != Provider.EXTERNAL:
            return None
        return {**EXTERNAL_RETRIEVAL, **(row.dataset.external_retrieval_model or {})}

    def get_pipeline_id(self, row: Described) -> str | None:
        """Nobody draws a pipeline of their own here: documents go through the built-in one."""
        return None

    def get_runtime_mode(self, row: Described) -> str:
        return "general"

    def get_chunk_structure(self, row: Described) -> str | None:
        return None

    @extend_schema_field(IconRecord(allow_null=True))
    def get_icon_info(self, row: Described) -> dict[str, Any] | None:
        given = row.dataset.icon_info
        return given and {name: given.get(name) or "" for name in ICON}

    def get_is_published(self, row: Described) -> bool:
        return False

    def get_is_multimodal(self, row: Described) -> bool:
        return False

    def get_maintainer(self, row: Described) -> str | None:
        return None


ICON: Final = ("icon_type", "icon", "icon_background", "icon_url")


class DatasetPage(Shape):
    data = DatasetRecord(many=True)  # type: ignore[assignment]
    has_more = serializers.BooleanField()
    limit = serializers.IntegerField()
    total = serializers.IntegerField()
    page = serializers.IntegerField()


def dataset_record(dataset: Dataset) -> Any:
    return DatasetRecord(described.one(dataset)).data


def dataset_page(page: Page[Dataset]) -> dict[str, Any]:
    return page.body(_records)


def _records(rows: Sequence[Dataset]) -> Any:
    return DatasetRecord(described.describe(rows), many=True).data


def retrieval_of(dataset: Dataset) -> dict[str, Any]:
    """What is set, and the contract's words for what is not."""
    keywords = dataset.indexing_technique == IndexingTechnique.ECONOMY
    usual = {**RETRIEVAL, "search_method": "keyword_search"} if keywords else RETRIEVAL
    given = {name: value for name, value in (dataset.retrieval_model or {}).items() if name in RETRIEVAL}
    model = {**usual["reranking_model"], **(given.get("reranking_model") or {})}
    threshold = given.get("score_threshold")
    return {**usual, **given, "reranking_model": model, "score_threshold": 0.0 if threshold is None else threshold}
