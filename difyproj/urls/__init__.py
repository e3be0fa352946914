"""Every URL prefix of the project; nowhere else is one written."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.urls import URLPattern, include, path
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerView

from accounts.api.signin import urls as accounts_signin
from apps.api.signed_files import SignedFile
from datasets.api.signed_documents import SignedDocument
from difyproj.tiers.docs import CONSOLE, SERVICE, WEB, ServiceIndex, TierSchema
from workflows.api import webhooks
from workflows.api.pages import form_page

from . import console, service, web


def documented(tier: str, urlconf: Any, settings: dict[str, Any]) -> list[URLPattern]:
    """A tier's OpenAPI document and the two pages that show it."""
    schema = f"{tier}-schema"
    return [
        path("openapi.json", TierSchema.as_view(urlconf=urlconf, custom_settings=settings), name=schema),
        path("docs", SpectacularSwaggerView.as_view(url_name=schema), name=f"{tier}-docs"),
        path("redoc", SpectacularRedocView.as_view(url_name=schema)),
    ]


urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include(accounts_signin)),
    path("", include(form_page)),
    path("v1/", ServiceIndex.as_view({"get": "retrieve"})),
    path("v1/", include(documented("v1", service, SERVICE))),
    path("v1/", include(service)),
    path("console/api/", include(documented("console", console, CONSOLE))),
    path("console/api/", include(console)),
    path("api/", include(documented("web", web, WEB))),
    path("api/", include(web)),
    path("files/<str:file_id>/file-preview", SignedFile.as_view({"get": "retrieve"})),
    path("files/<str:file_id>/image-preview", SignedFile.as_view({"get": "picture"})),
    path("files/documents/<str:document_id>/download", SignedDocument.as_view({"get": "retrieve"})),
    path("triggers/", include(webhooks.routes)),
]
