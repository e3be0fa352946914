"""Every URL prefix of the project; nowhere else is one written."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerView

from accounts.api.console import urls as accounts_console
from accounts.api.signin import urls as accounts_signin
from accounts.api.web import urls as accounts_web
from apps.api.console import urls as apps_console
from apps.api.service import urls as apps_service
from apps.api.signed_files import SignedFile
from apps.api.web import urls as apps_web
from difyproj.tiers.docs import ServiceIndex, TierSchema

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include(accounts_signin)),
    path("v1/", ServiceIndex.as_view({"get": "retrieve"})),
    path("v1/openapi.json", TierSchema.as_view(urlconf=apps_service), name="v1-schema"),
    path("v1/docs", SpectacularSwaggerView.as_view(url_name="v1-schema"), name="v1-docs"),
    path("v1/redoc", SpectacularRedocView.as_view(url_name="v1-schema")),
    path("v1/", include(apps_service)),
    path("console/api/", include(accounts_console)),
    path("console/api/", include(apps_console)),
    path("api/", include(accounts_web)),
    path("api/", include(apps_web)),
    path("files/<str:file_id>/file-preview", SignedFile.as_view({"get": "retrieve"})),
    path("files/<str:file_id>/image-preview", SignedFile.as_view({"get": "picture"})),
]
