"""What a paused run asks people: whoever has the form's token reads it, uploads into it and answers it, without a passport."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.models import App, EndUser, Site
from apps.models.app import AccessMode
from apps.services import files, passports, remote_files, sites
from difyproj.kernel.principal import Principal
from difyproj.tiers import throttling, uploads
from difyproj.tiers.actions import Deferred
from difyproj.tiers.form_records import AnswerFields, FormRecord
from difyproj.tiers.shapes import Fields, Shape
from difyproj.tiers.web import OpenWebViewSet
from workflows.models import HumanInputForm
from workflows.services import form_uploads, forms

from .. import remote
from ..records import UploadFileRecord
from . import records

GROUP, UPLOADS = "web-form", "web-form-uploads"


@dataclass(frozen=True, slots=True)
class FormPage:
    """The page of the app that asks; nobody visits it."""

    site: Site
    end_user: EndUser | None = None

    @property
    def app(self) -> App:
        return self.site.app


class FormSiteRecord(records.SiteInfoRecord):
    end_user_id = serializers.UUIDField(source="end_user.pk", default=None, allow_null=True)


class WebFormRecord(FormRecord):
    site = serializers.SerializerMethodField()

    @extend_schema_field(FormSiteRecord(allow_null=True))
    def get_site(self, row: HumanInputForm) -> Any:
        """Only of a page that anybody may see."""
        if row.app.access_mode != AccessMode.PUBLIC:
            return None
        site = sites.of(row.app)
        site.app = row.app
        return FormSiteRecord(FormPage(site)).data if passports.is_open(site) else None


class UploadTokenRecord(Shape):
    upload_token = serializers.CharField()
    expires_at = serializers.IntegerField()


class FileFields(Fields):
    """The address of a file, where none is sent."""

    url = serializers.CharField(required=False, allow_blank=True, max_length=remote.MAX_URL)


class Forms(OpenWebViewSet):
    tag = "Human input"
    also_refuses = (412,)

    @extend_schema(operation_id="getHumanInputForm", responses=WebFormRecord)
    def retrieve(self, request: Request, form_token: str) -> Response:
        throttling.check_newcomer(self.ip, request, group=GROUP)
        return Response(WebFormRecord(forms.get(form_token)).data)

    @extend_schema(operation_id="submitHumanInputForm", request=AnswerFields, responses={200: OpenApiTypes.OBJECT})
    def create(self, request: Request, form_token: str) -> Response:
        throttling.check_newcomer(self.ip, request, group=GROUP)
        generation.submit_form(form_token, **self.body(AnswerFields))
        return Response({})


class UploadTokens(OpenWebViewSet):
    tag = "Human input"
    also_refuses = (412,)

    @extend_schema(operation_id="createFormUploadToken", request=None, responses=UploadTokenRecord)
    def create(self, request: Request, form_token: str) -> Response:
        throttling.check_newcomer(self.ip, request, group=GROUP)
        token, expires = form_uploads.issue(form_token)
        return Response({"upload_token": token, "expires_at": expires}, headers={"Cache-Control": "no-store"})


class FormFiles(OpenWebViewSet):
    """The run reads only what its asker may read: so its asker owns the file."""

    tag = "Human input"
    also_refuses = (401, 403, 412)

    @extend_schema(
        operation_id="uploadFormFile",
        request=uploads.body(url={"type": "string"}),
        responses={201: UploadFileRecord},
    )
    def create(self, request: Request) -> Deferred:
        throttling.check_newcomer(self.ip, request, group=UPLOADS)
        scheme, _, token = (request.headers.get("Authorization") or "").strip().partition(" ")
        owner = generation.asker_of(form_uploads.form_of(token.strip() if scheme.lower() == "bearer" else "").run)
        url = self.body(FileFields).get("url")
        return self._fetch(url, owner) if url else self._keep(request, owner)

    def _fetch(self, url: str, owner: Principal) -> Deferred:
        async def take() -> Response:
            return Response(remote.RemoteFileRecord(await remote_files.fetch(url, owner=owner)).data, status=201)

        return Deferred(take)

    def _keep(self, request: Request, owner: Principal) -> Deferred:
        file = uploads.the_file(request)
        row = files.plan(owner=owner, file=file)

        async def keep() -> Response:
            return Response(UploadFileRecord(await files.keep(row, file)).data, status=201)

        return Deferred(keep)


form = "form/human_input/<str:form_token>"
routes = [
    path(form, Forms.as_view({"get": "retrieve", "post": "create"})),
    path(f"{form}/upload-token", UploadTokens.as_view({"post": "create"})),
    path("human-input-forms/files", FormFiles.as_view({"post": "create"})),
]
