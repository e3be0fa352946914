"""Knowledge pipelines as far as there is one: the built-in way from a file to its index. No data source is a plug-in here."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.models import UploadFile
from apps.services import document_intake, files
from datasets.models import Dataset, Document, IndexingTechnique, Provider
from datasets.services import documents
from datasets.services.refusals import ExternalDataset
from datasets.services.sources import Source
from difyproj.infra import db
from difyproj.kernel.errors import InvalidParam, NotFound
from difyproj.kernel.principal import Principal
from difyproj.tiers import uploads
from difyproj.tiers.actions import Deferred
from difyproj.tiers.datasets import DatasetViewSet
from difyproj.tiers.fields import IsoField, ObjectField
from difyproj.tiers.schema import ListSchema
from difyproj.tiers.shapes import Fields, Shape

from ..dataset_requests import MOST_IDS, Text
from ..document_records import Nothing

LOCAL: Final = "local_file"
KINDS: Final = (LOCAL, "online_document", "website_crawl", "online_drive")


class PipelineFileRecord(Shape):
    id = serializers.UUIDField()
    name = serializers.CharField()
    size = serializers.IntegerField()
    extension = serializers.CharField()
    mime_type = serializers.CharField(allow_null=True)
    created_by = serializers.UUIDField(source="account_id")
    created_at = IsoField()


class DatasourceRecord(Shape):
    node_id = serializers.CharField()
    plugin_id = serializers.CharField()
    provider_name = serializers.CharField()
    datasource_type = serializers.CharField()
    title = serializers.CharField()
    user_input_variables = serializers.ListField(child=serializers.DictField())
    credentials = serializers.ListField(child=serializers.DictField())


class PluginsFields(Fields):
    is_published = serializers.BooleanField(required=False, default=True)


class NodeRunFields(Fields):
    inputs = ObjectField()
    datasource_type = serializers.ChoiceField(KINDS)
    credential_id = Text()
    is_published = serializers.BooleanField()


class SourceFields(Fields):
    """Of files; what other kinds say is not asked for."""

    reference = serializers.CharField(max_length=64, required=False)
    related_id = serializers.CharField(max_length=64, required=False, help_text="Another name of `reference`.")
    name = Text()


class PipelineRunFields(Fields):
    inputs = ObjectField()
    datasource_type = serializers.ChoiceField(KINDS)
    datasource_info_list = serializers.ListField(child=SourceFields(), min_length=1, max_length=MOST_IDS)
    start_node_id = serializers.CharField(max_length=255)
    is_published = serializers.BooleanField()
    response_mode = serializers.ChoiceField(["streaming", "blocking"])


class PipelineRunDataset(Shape):
    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    chunk_structure = serializers.CharField(source="doc_form")


class PipelineRunDocument(Shape):
    id = serializers.UUIDField()
    position = serializers.IntegerField()
    data_source_type = serializers.CharField()
    data_source_info = ObjectField()
    name = serializers.CharField()
    indexing_status = serializers.CharField()
    error = Nothing()
    enabled = serializers.BooleanField()


class PipelineRunRecord(Shape):
    batch = serializers.CharField()
    dataset = PipelineRunDataset()
    documents = PipelineRunDocument(many=True)


class PipelineFiles(DatasetViewSet):
    tag = "Knowledge Pipeline"
    counted = frozenset[str]()

    @extend_schema(operation_id="uploadPipelineFile", request=uploads.body(), responses={201: PipelineFileRecord})
    def create(self, request: Request) -> Deferred:
        file = uploads.the_file(request)
        row = files.plan(owner=self.owner, file=file)
        document_intake.demand_readable(row.extension)

        async def keep() -> Response:
            return Response(PipelineFileRecord(await files.keep(row, file)).data, status=201)

        return Deferred(keep)


class Datasources(DatasetViewSet):
    tag = "Knowledge Pipeline"
    schema = ListSchema()
    counted = frozenset[str]()

    @extend_schema(operation_id="listDatasourcePlugins", parameters=[PluginsFields], responses=DatasourceRecord(many=True))
    def list(self, request: Request, dataset_id: str) -> Response:
        self.dataset(dataset_id)
        self.query(PluginsFields)
        return Response([])


class DatasourceRuns(DatasetViewSet):
    tag = "Knowledge Pipeline"
    about = "No data source is a plug-in here, so that there is no node to run."

    @extend_schema(
        operation_id="runDatasourceNode",
        request=NodeRunFields,
        responses={(200, "text/event-stream"): OpenApiResponse(OpenApiTypes.STR, description="Events of the node.")},
    )
    def create(self, request: Request, dataset_id: str, node_id: str) -> Response:
        self.dataset(dataset_id)
        self.body(NodeRunFields)
        raise NotFound("The pipeline has no such datasource node.")


class PipelineRuns(DatasetViewSet):
    tag = "Knowledge Pipeline"

    @extend_schema(operation_id="runPipeline", request=PipelineRunFields, responses=PipelineRunRecord)
    def create(self, request: Request, dataset_id: str) -> Deferred:
        """Files that were handed in before become documents, whatever ``response_mode`` says, as in the newest servers."""
        dataset, fields = self.dataset(dataset_id), self.body(PipelineRunFields)
        if dataset.provider == Provider.EXTERNAL:
            raise ExternalDataset
        if not fields["is_published"]:
            raise InvalidParam("The dataset's pipeline has no draft.", params="is_published")
        if fields["datasource_type"] != LOCAL:
            raise InvalidParam("The dataset's pipeline takes files only.", params="datasource_type")
        owner = self.owner
        found = self._files(owner, fields["datasource_info_list"])
        planned = [(document_intake.of_upload(row, name), row) for row, name in found]

        async def run() -> Response:
            batch = documents.new_batch()
            made = [await document_intake.keep(source, row, _maker(owner, dataset, batch)) for source, row in planned]
            return Response(await db.run(_record, dataset, batch, made))

        return Deferred(run)

    def _files(self, owner: Principal, given: list[dict[str, Any]]) -> list[tuple[UploadFile, str]]:
        wanted = [(one.get("reference") or one.get("related_id") or "", one.get("name") or "") for one in given]
        found = files.own(owner, [reference for reference, _ in wanted])
        if any(reference not in found for reference, _ in wanted):
            raise InvalidParam("A file of datasource_info_list was not found.", params="datasource_info_list")
        return [(found[reference], name) for reference, name in wanted]


def _maker(owner: Principal, dataset: Dataset, batch: str) -> Any:
    def make(source: Source) -> Document:
        return documents.create(
            principal=owner, dataset=dataset, source=source, batch=batch, created_from="rag-pipeline",
            indexing_technique=dataset.indexing_technique or IndexingTechnique.HIGH_QUALITY,
        )  # fmt: skip

    return make


def _record(dataset: Dataset, batch: str, made: list[Document]) -> Any:
    dataset.refresh_from_db()
    return PipelineRunRecord({"batch": batch, "dataset": dataset, "documents": made}).data
