"""Datasets of the workspace, as far as the caller may see them."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.models import App
from datasets.models import Provider
from datasets.services import datasets, described, members
from datasets.services.refusals import InvalidAction
from difyproj.tiers.schema import ResultRecord
from difyproj.tiers.shapes import SUCCESS, Shape

from .. import dataset_records as records
from .. import dataset_requests as requests
from ..given import given
from .base import EDIT, VIEW, KnowledgeViewSet

SWITCHES = {"enable": True, "disable": False}


class DatasetQueryFields(requests.DatasetListFields):
    ids = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=requests.MOST_IDS)


class ExternalFields(requests.DatasetFields):
    external_retrieval_model = requests.ExternalRetrievalFields(required=False, allow_null=True)


class DatasetUseRecord(Shape):
    is_using = serializers.BooleanField()


class DatasetAppRecord(serializers.ModelSerializer[App]):
    class Meta:
        model = App
        fields = ("id", "name", "description", "mode", "icon_type", "icon", "icon_background")
        read_only_fields = fields


class DatasetAppList(Shape):
    data = DatasetAppRecord(many=True)  # type: ignore[assignment]
    total = serializers.IntegerField()


class DatasetPartUsers(Shape):
    data = serializers.ListField(child=serializers.UUIDField())  # type: ignore[assignment]


class Datasets(KnowledgeViewSet):
    tag = "Datasets"
    needs = {"list": VIEW, "create": "dataset.create", "retrieve": VIEW, "update": EDIT, "destroy": EDIT}
    also_refuses = (409,)

    @extend_schema(operation_id="listDatasets", parameters=[DatasetQueryFields], responses=records.DatasetPage)
    def list(self, request: Request) -> Response:
        fields = self.query(DatasetQueryFields)
        page = described.page(
            self.principal,
            page=fields["page"],
            limit=fields["limit"],
            keyword=fields.get("keyword") or "",
            tag_ids=fields.get("tag_ids") or (),
            ids=fields.get("ids") or (),
            include_all=fields["include_all"],
        )
        return Response(records.dataset_page(page))

    @extend_schema(operation_id="createDataset", request=requests.DatasetFields, responses={201: records.DatasetRecord})
    def create(self, request: Request) -> Response:
        made = datasets.create(principal=self.principal, **given(self.body(requests.DatasetFields)))
        return Response(records.dataset_record(made), status=201)

    @extend_schema(operation_id="getDataset", responses=records.DatasetRecord)
    def retrieve(self, request: Request, dataset_id: str) -> Response:
        return Response(records.dataset_record(self.dataset(dataset_id)))

    @extend_schema(operation_id="updateDataset", request=requests.DatasetChangeFields, responses=records.DatasetRecord)
    def update(self, request: Request, dataset_id: str) -> Response:
        found, fields = self.dataset(dataset_id), given(self.body(requests.DatasetChangeFields))
        if "partial_member_list" in fields:
            fields["partial_member_list"] = [member["user_id"] for member in fields["partial_member_list"]]
        datasets.update(principal=self.principal, dataset=found, **fields)
        return Response(records.dataset_record(self.dataset(dataset_id)))

    @extend_schema(operation_id="deleteDataset", request=None, responses={204: None})
    def destroy(self, request: Request, dataset_id: str) -> Response:
        datasets.delete(principal=self.principal, dataset=self.dataset(dataset_id))
        return Response(status=204)


class ExternalDatasets(KnowledgeViewSet):
    tag = "Datasets"
    needs = {"create": "dataset.create"}
    also_refuses = (409,)

    @extend_schema(operation_id="createExternalDataset", request=ExternalFields, responses={201: records.DatasetRecord})
    def create(self, request: Request) -> Response:
        fields = {**given(self.body(ExternalFields)), "provider": Provider.EXTERNAL}
        made = datasets.create(principal=self.principal, **fields)
        return Response(records.dataset_record(made), status=201)


class UsesOfDataset(KnowledgeViewSet):
    tag = "Datasets"
    needs = {"check": VIEW, "apps": VIEW, "members": VIEW}

    @extend_schema(operation_id="checkDatasetUse", responses=DatasetUseRecord)
    def check(self, request: Request, dataset_id: str) -> Response:
        return Response({"is_using": datasets.is_used(self.dataset(dataset_id))})

    @extend_schema(operation_id="getDatasetApps", responses=DatasetAppList)
    def apps(self, request: Request, dataset_id: str) -> Response:
        rows = list(App.objects.for_tenant(self.principal.tenant_id).filter(dataset_uses__dataset=self.dataset(dataset_id)))
        return Response({"data": DatasetAppRecord(rows, many=True).data, "total": len(rows)})

    @extend_schema(operation_id="getDatasetPartMembers", responses=DatasetPartUsers)
    def members(self, request: Request, dataset_id: str) -> Response:
        return Response({"data": members.chosen(self.dataset(dataset_id))})


class DatasetApi(KnowledgeViewSet):
    tag = "Datasets"
    needs = {"update": EDIT}

    @extend_schema(operation_id="switchDatasetApi", request=None, responses=ResultRecord)
    def update(self, request: Request, dataset_id: str, status: str) -> Response:
        found = self.dataset(dataset_id)
        if status not in SWITCHES:
            raise InvalidAction
        datasets.enable_api(principal=self.principal, dataset=found, enabled=SWITCHES[status])
        return Response(SUCCESS)


routes = [
    path("datasets", Datasets.as_view({"get": "list", "post": "create"})),
    path("datasets/external", ExternalDatasets.as_view({"post": "create"})),
]
one = "datasets/<str:dataset_id>"
routes_of_one = [
    path(one, Datasets.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"})),
    path(f"{one}/use-check", UsesOfDataset.as_view({"get": "check"})),
    path(f"{one}/related-apps", UsesOfDataset.as_view({"get": "apps"})),
    path(f"{one}/permission-part-users", UsesOfDataset.as_view({"get": "members"})),
    path(f"{one}/api-keys/<str:status>", DatasetApi.as_view({"post": "update"})),
]
