"""What datasets may be set to: rules of splitting, ways of search, metadata fields."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.models import Document
from datasets.rag.split import AUTOMATIC_RULES
from datasets.services import access, metadata
from datasets.services.refusals import DocumentNotFound, InvalidAction
from difyproj.tiers.fields import ObjectField
from difyproj.tiers.shapes import Fields, Shape

from .. import dataset_requests as requests
from .. import metadata_records as records
from ..dataset_records import FieldRecord
from .base import EDIT, VIEW, KnowledgeViewSet
from .datasets import SWITCHES, one

LONGEST_PASSAGE = 4_000
# Every store here searches by meaning and by words.
METHODS = ("semantic_search", "full_text_search", "hybrid_search")


class ProcessRuleQuery(Fields):
    document_id = serializers.UUIDField(required=False, allow_null=True)


class ProcessRuleRecord(Shape):
    mode = serializers.CharField()
    rules = ObjectField()
    limits = ObjectField()


class RetrievalMethodsRecord(Shape):
    retrieval_method = serializers.ListField(child=serializers.CharField())


class Rules(KnowledgeViewSet):
    tag = "Datasets"
    needs = {"retrieve": VIEW, "methods": VIEW, "methods_of": VIEW}

    @extend_schema(operation_id="getProcessRule", parameters=[ProcessRuleQuery], responses=ProcessRuleRecord)
    def retrieve(self, request: Request) -> Response:
        """The automatic rule, or the one that a document was made with."""
        mode, rules = "custom", dict(AUTOMATIC_RULES)
        wanted = self.query(ProcessRuleQuery).get("document_id")
        if wanted:
            row = self._document(wanted)
            mode, rules = row.process_rule.mode, row.process_rule.rules
        return Response({"mode": mode, "rules": rules, "limits": {"indexing_max_segmentation_tokens_length": LONGEST_PASSAGE}})

    @extend_schema(operation_id="getRetrievalMethods", responses=RetrievalMethodsRecord)
    def methods(self, request: Request) -> Response:
        return Response({"retrieval_method": METHODS})

    @extend_schema(operation_id="getRetrievalMethodsOfStore", responses=RetrievalMethodsRecord)
    def methods_of(self, request: Request, vector_type: str) -> Response:
        return Response({"retrieval_method": METHODS})

    def _document(self, document_id: Any) -> Document:
        rows = Document.objects.filter(dataset__in=access.visible_to(self.principal)).select_related("process_rule")
        found = rows.filter(pk=document_id).first()
        if found is None:
            raise DocumentNotFound
        return found


class MetadataFields(KnowledgeViewSet):
    tag = "Metadata"
    needs = {"list": VIEW, "create": EDIT, "update": EDIT, "destroy": EDIT, "built_in": VIEW, "switch": EDIT}

    @extend_schema(operation_id="listMetadataFields", responses=records.FieldList)
    def list(self, request: Request, dataset_id: str) -> Response:
        return Response(records.field_list(self.dataset(dataset_id)))

    @extend_schema(operation_id="createMetadataField", request=requests.MetadataFields, responses={201: FieldRecord})
    def create(self, request: Request, dataset_id: str) -> Response:
        dataset = self.dataset(dataset_id)
        row = metadata.create(principal=self.principal, dataset=dataset, **self.body(requests.MetadataFields))
        return Response(FieldRecord(row).data, status=201)

    @extend_schema(operation_id="updateMetadataField", request=requests.MetadataNameFields, responses=FieldRecord)
    def update(self, request: Request, dataset_id: str, metadata_id: str) -> Response:
        dataset = self.dataset(dataset_id)
        field, name = metadata.get(dataset, metadata_id), self.body(requests.MetadataNameFields)["name"]
        return Response(FieldRecord(metadata.rename(principal=self.principal, dataset=dataset, field=field, name=name)).data)

    @extend_schema(operation_id="deleteMetadataField", request=None, responses={204: None})
    def destroy(self, request: Request, dataset_id: str, metadata_id: str) -> Response:
        dataset = self.dataset(dataset_id)
        metadata.delete(principal=self.principal, dataset=dataset, field=metadata.get(dataset, metadata_id))
        return Response(status=204)

    @extend_schema(operation_id="listBuiltInMetadataFields", responses=records.BuiltInList)
    def built_in(self, request: Request) -> Response:
        return Response(records.built_in())

    @extend_schema(operation_id="switchBuiltInMetadata", request=None, responses={204: None})
    def switch(self, request: Request, dataset_id: str, action: str) -> Response:
        dataset = self.dataset(dataset_id)
        if action not in SWITCHES:
            raise InvalidAction
        metadata.enable_built_in(principal=self.principal, dataset=dataset, enabled=SWITCHES[action])
        return Response(status=204)


routes = [
    path("datasets/process-rule", Rules.as_view({"get": "retrieve"})),
    path("datasets/retrieval-setting", Rules.as_view({"get": "methods"})),
    path("datasets/retrieval-setting/<str:vector_type>", Rules.as_view({"get": "methods_of"})),
    path("datasets/metadata/built-in", MetadataFields.as_view({"get": "built_in"})),
]
routes_of_one = [
    path(f"{one}/metadata", MetadataFields.as_view({"get": "list", "post": "create"})),
    path(f"{one}/metadata/built-in/<str:action>", MetadataFields.as_view({"post": "switch"})),
    path(f"{one}/metadata/<str:metadata_id>", MetadataFields.as_view({"patch": "update", "delete": "destroy"})),
]
