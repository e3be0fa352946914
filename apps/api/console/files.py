"""Files of the workspace's own people: uploads, how documents begin, and files that lie elsewhere."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.services import apps, files, previewed, remote_files
from difyproj.kernel.errors import Forbidden
from difyproj.tiers import uploads
from difyproj.tiers.actions import Deferred
from difyproj.tiers.console import ConsoleViewSet

from .. import remote
from ..records import Shape, UploadFileRecord

DATASETS: Final = "datasets"
FILES_AT_ONCE: Final = 5
"""How many files a page should offer to send one after the other; each request holds one."""
DOCUMENTS: Final = (
    "txt",
    "md",
    "markdown",
    "mdx",
    "html",
    "htm",
    "csv",
    "json",
    "xml",
    "yaml",
    "yml",
    "vtt",
    "properties",
    "pdf",
)
"""Documents of which ``GET /files/{id}/preview`` shows the text."""


class LimitsRecord(Shape):
    """Sizes are megabytes."""

    file_size_limit = serializers.IntegerField()
    batch_count_limit = serializers.IntegerField()
    image_file_size_limit = serializers.IntegerField()
    video_file_size_limit = serializers.IntegerField()
    audio_file_size_limit = serializers.IntegerField()
    workflow_file_upload_limit = serializers.IntegerField()


class SupportRecord(Shape):
    allowed_extensions = serializers.ListField(child=serializers.CharField())


class TextPreviewRecord(Shape):
    content = serializers.CharField()


class UploadFields(serializers.Serializer[Any]):
    source = serializers.ChoiceField([DATASETS], required=False, allow_blank=True, allow_null=True)  # type: ignore[assignment]


class Uploads(ConsoleViewSet):
    tag = "Files"
    needs = {"retrieve": "tenant.view", "create": "tenant.view"}

    @extend_schema(operation_id="getUploadLimits", responses=LimitsRecord)
    def retrieve(self, request: Request) -> Response:
        return Response({**apps.system_limits(), "batch_count_limit": FILES_AT_ONCE})

    @extend_schema(
        operation_id="uploadFile",
        request=uploads.body(source={"type": "string", "enum": [DATASETS]}),
        responses={201: UploadFileRecord},
    )
    def create(self, request: Request) -> Deferred:
        if self.body(UploadFields).get("source") == DATASETS and not self.principal.can("dataset.edit"):
            raise Forbidden
        file = uploads.the_file(request)
        row = files.plan(owner=self.principal, file=file)

        async def keep() -> Response:
            return Response(UploadFileRecord(await files.keep(row, file)).data, status=201)

        return Deferred(keep)


class SupportedTypes(ConsoleViewSet):
    tag = "Files"
    needs = {"retrieve": "tenant.view"}

    @extend_schema(operation_id="getSupportedTypes", responses=SupportRecord)
    def retrieve(self, request: Request) -> Response:
        return Response({"allowed_extensions": list(DOCUMENTS)})


class TextPreview(ConsoleViewSet):
    tag = "Files"
    needs = {"retrieve": "tenant.view"}

    @extend_schema(operation_id="previewText", responses=TextPreviewRecord)
    def retrieve(self, request: Request, file_id: str) -> Response:
        return Response({"content": previewed.text(self.principal, file_id)})


class RemoteFiles(ConsoleViewSet):
    tag = "Files"
    needs = {"retrieve": "tenant.view", "create": "tenant.view"}

    @extend_schema(operation_id="getRemoteFile", responses=remote.RemoteFileInfoRecord)
    def retrieve(self, request: Request, url: str) -> Deferred:
        async def look() -> Response:
            return Response(remote.RemoteFileInfoRecord(await remote_files.info(remote.given_url(request, url))).data)

        return Deferred(look)

    @extend_schema(operation_id="uploadRemoteFile", request=remote.RemoteFileFields, responses={201: remote.RemoteFileRecord})
    def create(self, request: Request) -> Deferred:
        url, owner = self.body(remote.RemoteFileFields)["url"], self.principal

        async def take() -> Response:
            return Response(remote.RemoteFileRecord(await remote_files.fetch(url, owner=owner)).data, status=201)

        return Deferred(take)


routes = [
    path("files/upload", Uploads.as_view({"get": "retrieve", "post": "create"})),
    path("files/support-type", SupportedTypes.as_view({"get": "retrieve"})),
    path("files/<str:file_id>/preview", TextPreview.as_view({"get": "retrieve"})),
    path("remote-files/upload", RemoteFiles.as_view({"post": "create"})),
    path("remote-files/<path:url>", RemoteFiles.as_view({"get": "retrieve"})),
]
