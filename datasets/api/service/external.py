"""Dify's external knowledge contract, answered: other systems ask a dataset as if it were theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.models import Provider
from datasets.services import retrieval, retrieval_settings
from datasets.services.refusals import ExternalDataset
from datasets.services.retrieval import Passage
from difyproj.tiers.actions import Deferred
from difyproj.tiers.datasets import DatasetViewSet
from difyproj.tiers.fields import ObjectField, QueryField
from difyproj.tiers.shapes import Fields, Shape

from ..dataset_requests import COMPARISONS

LONGEST_QUERY = 10_000


class SettingFields(Fields):
    top_k = serializers.IntegerField(required=False, default=4, min_value=1, max_value=100)
    score_threshold = serializers.FloatField(required=False, allow_null=True, default=None, min_value=0, max_value=1)


class ConditionFields(Fields):
    """``name`` lists the fields that are compared, each for itself."""

    name = serializers.ListField(child=serializers.CharField(max_length=255), min_length=1, max_length=10)
    comparison_operator = serializers.ChoiceField(COMPARISONS)
    value = serializers.JSONField(required=False, allow_null=True)


class FilterFields(Fields):
    logical_operator = serializers.ChoiceField(["and", "or"], required=False, allow_null=True, default="and")
    conditions = ConditionFields(many=True, required=False, allow_null=True)


class KnowledgeFields(Fields):
    knowledge_id = serializers.CharField(max_length=64)
    query = QueryField(max_length=LONGEST_QUERY, allow_blank=False)
    retrieval_setting = SettingFields(required=False, allow_null=True)
    metadata_condition = FilterFields(required=False, allow_null=True)


class KnowledgeRecord(Shape):
    content = serializers.CharField()
    score = serializers.FloatField()
    title = serializers.CharField()
    metadata = ObjectField()


class KnowledgeRecords(Shape):
    records = KnowledgeRecord(many=True)


class ExternalKnowledge(DatasetViewSet):
    tag = "Knowledge Bases"
    keeps_answers = False
    repeats_safely = True

    @extend_schema(operation_id="retrieveExternalKnowledge", request=KnowledgeFields, responses=KnowledgeRecords)
    def create(self, request: Request) -> Deferred:
        """A dataset that asks elsewhere itself is not asked: two of them could ask each other for ever."""
        fields = self.body(KnowledgeFields)
        dataset = self.dataset(fields["knowledge_id"])
        if dataset.provider == Provider.EXTERNAL:
            raise ExternalDataset
        asker, settings = retrieval.asker(self.owner), _settings(dataset.retrieval_model, fields)

        async def ask() -> Response:
            found = await retrieval.retrieve(asker, fields["query"], [dataset.pk], settings)
            return Response({"records": [_record(one) for one in found.passages]})

        return Deferred(ask)


def _settings(own: Any, fields: Mapping[str, Any]) -> retrieval.Settings:
    """As the dataset is searched, but for what the caller says."""
    usual = {name: value for name, value in (own if isinstance(own, Mapping) else {}).items() if not name.startswith("score")}
    given = fields.get("retrieval_setting") or {}
    asked = fields.get("metadata_condition") or {}
    rows = [{**row, "name": name} for row in asked.get("conditions") or () for name in row["name"]]
    conditions = {"logical_operator": asked.get("logical_operator"), "conditions": rows} if rows else None
    return retrieval_settings.parse({**usual, **given, "metadata_filtering_conditions": conditions})


def _record(passage: Passage) -> dict[str, Any]:
    segment = passage.segment
    assert segment is not None  # no external dataset is asked
    document = segment.document
    told = {"document_id": str(document.pk), "segment_id": str(segment.pk), "position": segment.position, "page": segment.page}
    return {
        "content": passage.content,
        "score": passage.score,
        "title": document.name,
        "metadata": {**document.doc_metadata, **{name: value for name, value in told.items() if value is not None}},
    }
