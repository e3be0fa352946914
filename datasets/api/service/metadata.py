"""Metadata of a dataset: its fields, what is built in, and the values of documents."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.services import metadata
from datasets.services.refusals import InvalidAction
from difyproj.tiers.datasets import DatasetViewSet
from difyproj.tiers.schema import ResultRecord
from difyproj.tiers.shapes import SUCCESS

from .. import dataset_requests as requests
from .. import metadata_records as records
from ..dataset_records import FieldRecord

SWITCHES = {"enable": True, "disable": False}


class MetadataFields(DatasetViewSet):
    tag = "Metadata"

    @extend_schema(operation_id="listMetadataFields", responses=records.FieldList)
    def list(self, request: Request, dataset_id: str) -> Response:
        return Response(records.field_list(self.dataset(dataset_id)))

    @extend_schema(operation_id="createMetadataField", request=requests.MetadataFields, responses={201: FieldRecord})
    def create(self, request: Request, dataset_id: str) -> Response:
        found = self.dataset(dataset_id)
        row = metadata.create(principal=self.owner, dataset=found, **self.body(requests.MetadataFields))
        return Response(FieldRecord(row).data, status=201)

    @extend_schema(operation_id="updateMetadataField", request=requests.MetadataNameFields, responses=FieldRecord)
    def update(self, request: Request, dataset_id: str, metadata_id: str) -> Response:
        found = self.dataset(dataset_id)
        field, fields = metadata.get(found, metadata_id), self.body(requests.MetadataNameFields)
        row = metadata.rename(principal=self.owner, dataset=found, field=field, name=fields["name"])
        return Response(FieldRecord(row).data)

    @extend_schema(operation_id="deleteMetadataField", request=None, responses={204: None})
    def destroy(self, request: Request, dataset_id: str, metadata_id: str) -> Response:
        found = self.dataset(dataset_id)
        metadata.delete(principal=self.owner, dataset=found, field=metadata.get(found, metadata_id))
        return Response(status=204)


class BuiltInFields(DatasetViewSet):
    tag = "Metadata"

    @extend_schema(operation_id="getBuiltInMetadataFields", responses=records.BuiltInList)
    def list(self, request: Request, dataset_id: str) -> Response:
        self.dataset(dataset_id)
        return Response(records.built_in())

    @extend_schema(operation_id="toggleBuiltInMetadataField", request=None, responses=ResultRecord)
    def switch(self, request: Request, dataset_id: str, action: str) -> Response:
        found = self.dataset(dataset_id)
        if action not in SWITCHES:
            raise InvalidAction
        metadata.enable_built_in(principal=self.owner, dataset=found, enabled=SWITCHES[action])
        return Response(SUCCESS)


class DocumentsMetadata(DatasetViewSet):
    tag = "Metadata"

    @extend_schema(
        operation_id="batchUpdateDocumentMetadata", request=requests.MetadataOperationsFields, responses=ResultRecord
    )
    def create(self, request: Request, dataset_id: str) -> Response:
        found = self.dataset(dataset_id)
        operations = self.body(requests.MetadataOperationsFields)["operation_data"]
        metadata.write(principal=self.owner, dataset=found, operations=operations)
        return Response(SUCCESS)
