"""Every URL prefix of the project; nowhere else is one written."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerView

from accounts.api.signin import urls as accounts_signin
from apps.api.service import urls as apps_service
from apps.api.signed_files import SignedFile
from difyproj.tiers.docs import CONSOLE, WEB, ServiceIndex, TierSchema

from . import console, web

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include(accounts_signin)),
    path("v1/", ServiceIndex.as_view({"get": "retrieve"})),
    path("v1/openapi.json", TierSchema.as_view(urlconf=apps_service), name="v1-schema"),
    path("v1/docs", SpectacularSwaggerView.as_view(url_name="v1-schema"), name="v1-docs"),
    path("v1/redoc", SpectacularRedocView.as_view(url_name="v1-schema")),
    path("v1/", include(apps_service)),
    path("console/api/openapi.json", TierSchema.as_view(urlconf=console, custom_settings=CONSOLE)),
    path("console/api/", include(console)),
    path("api/openapi.json", TierSchema.as_view(urlconf=web, custom_settings=WEB)),
    path("api/", include(web)),
    path("files/<str:file_id>/file-preview", SignedFile.as_view({"get": "retrieve"})),
    path("files/<str:file_id>/image-preview", SignedFile.as_view({"get": "picture"})),
]
