"""Datasets of the key's workspace."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.services import datasets, described
from difyproj.tiers.datasets import DatasetViewSet

from .. import dataset_records as records
from .. import dataset_requests as requests
from ..given import given


class Datasets(DatasetViewSet):
    tag = "Knowledge Bases"
    also_refuses = (409,)

    @extend_schema(operation_id="listDatasets", parameters=[requests.DatasetListFields], responses=records.DatasetPage)
    def list(self, request: Request) -> Response:
        fields = self.query(requests.DatasetListFields)
        page = described.page(
            self.owner,
            page=fields["page"],
            limit=fields["limit"],
            keyword=fields.get("keyword") or "",
            tag_ids=fields.get("tag_ids") or (),
            include_all=fields["include_all"],
        )
        return Response(records.dataset_page(page))

    @extend_schema(operation_id="createDataset", request=requests.DatasetFields, responses=records.DatasetRecord)
    def create(self, request: Request) -> Response:
        made = datasets.create(principal=self.owner, **given(self.body(requests.DatasetFields)))
        return Response(records.dataset_record(made))

    @extend_schema(operation_id="getDatasetDetail", responses=records.DatasetRecord)
    def retrieve(self, request: Request, dataset_id: str) -> Response:
        return Response(records.dataset_record(self.dataset(dataset_id)))

    @extend_schema(operation_id="updateDataset", request=requests.DatasetChangeFields, responses=records.DatasetRecord)
    def update(self, request: Request, dataset_id: str) -> Response:
        found, fields = self.dataset(dataset_id), given(self.body(requests.DatasetChangeFields))
        if "partial_member_list" in fields:
            fields["partial_member_list"] = [member["user_id"] for member in fields["partial_member_list"]]
        datasets.update(principal=self.owner, dataset=found, **fields)
        return Response(records.dataset_record(self.dataset(dataset_id)))

    @extend_schema(operation_id="deleteDataset", request=None, responses={204: None})
    def destroy(self, request: Request, dataset_id: str) -> Response:
        datasets.delete(principal=self.owner, dataset=self.dataset(dataset_id))
        return Response(status=204)
