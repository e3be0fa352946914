"""What is asked of datasets."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers

from datasets.models import IndexingTechnique, MetadataType, Permission, Provider
from datasets.services.metadata import MOST as MOST_FIELDS
from difyproj.kernel import jsonio
from difyproj.tiers.fields import QueryField
from difyproj.tiers.shapes import Fields

SEARCHES: Final = ("keyword_search", "semantic_search", "full_text_search", "hybrid_search")
COMPARISONS: Final = (
    "contains", "not contains", "start with", "end with", "is", "is not", "empty", "not empty", "in", "not in",
    "=", "≠", ">", "<", "≥", "≤", "before", "after",
)  # fmt: skip
MOST_IDS: Final = 100
LONGEST_QUERY: Final = 250


class Text(serializers.CharField):
    """A text that may be left out, or be nothing."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "allow_blank": True, "allow_null": True, "max_length": 255, **options})


class AtMost(serializers.IntegerField):
    """``limit`` of a page: more than there may be is as much as there may be."""

    def __init__(self, most: int = 100, **options: Any) -> None:
        super().__init__(**{"required": False, "default": 20, "min_value": 1, **options})
        self._most = most

    def to_internal_value(self, data: Any) -> int:
        return min(super().to_internal_value(data), self._most)


class ValueField(serializers.JSONField):
    """Any JSON, as every database keeps it."""

    def to_internal_value(self, data: Any) -> Any:
        return jsonio.storable(super().to_internal_value(data))


class PageFields(Fields):
    page = serializers.IntegerField(required=False, default=1, min_value=1, max_value=99_999)
    limit = AtMost()


class RerankingModelFields(Fields):
    reranking_provider_name = Text()
    reranking_model_name = Text()


class VectorSettingFields(Fields):
    vector_weight = serializers.FloatField(min_value=0, max_value=1)
    embedding_provider_name = Text()
    embedding_model_name = Text()


class KeywordSettingFields(Fields):
    keyword_weight = serializers.FloatField(min_value=0, max_value=1)


class WeightsFields(Fields):
    weight_type = serializers.ChoiceField(["semantic_first", "keyword_first", "customized"], required=False, allow_null=True)
    vector_setting = VectorSettingFields(required=False, allow_null=True)
    keyword_setting = KeywordSettingFields(required=False, allow_null=True)


class MetadataConditionFields(Fields):
    name = serializers.CharField(max_length=255)
    comparison_operator = serializers.ChoiceField(COMPARISONS)
    value = ValueField(required=False, allow_null=True)


class MetadataFilterFields(Fields):
    logical_operator = serializers.ChoiceField(["and", "or"], required=False, allow_null=True, default="and")
    conditions = MetadataConditionFields(many=True, required=False, allow_null=True)


class RetrievalFields(Fields):
    search_method = serializers.ChoiceField(SEARCHES)
    reranking_enable = serializers.BooleanField(required=False, default=False)
    reranking_mode = serializers.ChoiceField(["reranking_model", "weighted_score"], required=False, allow_null=True)
    reranking_model = RerankingModelFields(required=False, allow_null=True)
    weights = WeightsFields(required=False, allow_null=True)
    top_k = serializers.IntegerField(required=False, default=4, min_value=1, max_value=100)
    score_threshold_enabled = serializers.BooleanField(required=False, default=False)
    score_threshold = serializers.FloatField(required=False, allow_null=True, min_value=0, max_value=1)
    metadata_filtering_conditions = MetadataFilterFields(required=False, allow_null=True)


class ExternalRetrievalFields(Fields):
    top_k = serializers.IntegerField(required=False, min_value=1, max_value=100)
    score_threshold = serializers.FloatField(required=False, allow_null=True, min_value=0, max_value=1)
    score_threshold_enabled = serializers.BooleanField(required=False)


class SummarySettingFields(Fields):
    enable = serializers.BooleanField(required=False, default=False)
    model_name = Text()
    model_provider_name = Text()
    summary_prompt = Text(max_length=10_000)


class IndexFields(Fields):
    """How a dataset is indexed, wherever that may be said."""

    indexing_technique = serializers.ChoiceField(IndexingTechnique.values, required=False, allow_null=True)
    embedding_model = Text()
    embedding_model_provider = Text()
    retrieval_model = RetrievalFields(required=False, allow_null=True)


class DatasetFields(IndexFields):
    name = serializers.CharField(max_length=40)
    description = Text(max_length=400)
    permission = serializers.ChoiceField(Permission.values, required=False, allow_null=True)
    provider = serializers.ChoiceField(Provider.values, required=False, default=Provider.VENDOR)
    external_knowledge_api_id = serializers.UUIDField(required=False, allow_null=True)
    external_knowledge_id = Text()
    summary_index_setting = SummarySettingFields(required=False, allow_null=True)


class MemberFields(Fields):
    user_id = serializers.UUIDField()


class DatasetChangeFields(IndexFields):
    name = serializers.CharField(max_length=40, required=False)
    description = Text(max_length=400)
    permission = serializers.ChoiceField(Permission.values, required=False, allow_null=True)
    partial_member_list = MemberFields(many=True, required=False, allow_null=True)
    external_retrieval_model = ExternalRetrievalFields(required=False, allow_null=True)
    external_knowledge_id = Text()
    external_knowledge_api_id = serializers.UUIDField(required=False, allow_null=True)
    summary_index_setting = SummarySettingFields(required=False, allow_null=True)


class DatasetListFields(PageFields):
    keyword = Text()
    include_all = serializers.BooleanField(required=False, default=False)
    tag_ids = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=MOST_IDS)


class RetrieveFields(Fields):
    query = QueryField(max_length=LONGEST_QUERY, allow_blank=False)
    retrieval_model = RetrievalFields(required=False, allow_null=True)
    external_retrieval_model = ExternalRetrievalFields(required=False, allow_null=True)
    attachment_ids = serializers.ListField(child=serializers.UUIDField(), required=False, allow_null=True, max_length=10)


class TagNameFields(Fields):
    name = serializers.CharField(max_length=50)


class TagFields(Fields):
    tag_id = serializers.UUIDField()


class TagChangeFields(TagNameFields):
    tag_id = serializers.UUIDField()


class BindingFields(Fields):
    tag_ids = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=MOST_IDS)
    target_id = serializers.UUIDField()


class UnbindingFields(Fields):
    """Older clients name one tag."""

    tag_ids = serializers.ListField(child=serializers.UUIDField(), max_length=MOST_IDS, required=False, allow_null=True)
    tag_id = serializers.UUIDField(required=False, allow_null=True)
    target_id = serializers.UUIDField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        one = attrs.pop("tag_id", None)
        attrs["tag_ids"] = [*(attrs.get("tag_ids") or ()), *([one] if one else [])]
        if not attrs["tag_ids"]:
            raise serializers.ValidationError({"tag_ids": "This field is required."})
        return attrs


class MetadataFields(Fields):
    type = serializers.ChoiceField(MetadataType.values)
    name = serializers.CharField(max_length=255)


class MetadataNameFields(Fields):
    name = serializers.CharField(max_length=255)


class MetadataValueFields(Fields):
    id = serializers.UUIDField()
    name = Text()
    value = serializers.JSONField(required=False, allow_null=True)


class MetadataOperationFields(Fields):
    document_id = serializers.UUIDField()
    metadata_list = serializers.ListField(child=MetadataValueFields(), max_length=MOST_FIELDS)
    partial_update = serializers.BooleanField(required=False, default=False)


class MetadataOperationsFields(Fields):
    operation_data = serializers.ListField(child=MetadataOperationFields(), max_length=1_000)
