"""The public page of an app, as its builders set it up."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.services import sites
from difyproj.tiers.console import ConsoleViewSet

from . import app_records, app_requests


class AppSite(ConsoleViewSet):
    tag = "Sites"
    needs = {"update": "app.edit", "reset": "app.token"}

    @extend_schema(operation_id="updateSite", request=app_requests.SiteFields, responses=app_records.SiteRecord)
    def update(self, request: Request, app_id: str) -> Response:
        site = sites.configure(self.app(app_id), self.body(app_requests.SiteFields), by=self.principal.actor_id)
        return Response(app_records.SiteRecord(site).data)

    @extend_schema(operation_id="resetSiteCode", request=None, responses=app_records.SiteRecord)
    def reset(self, request: Request, app_id: str) -> Response:
        return Response(app_records.SiteRecord(sites.reset_code(self.app(app_id))).data)


below = "apps/<str:app_id>/site"
routes = [
    path(below, AppSite.as_view({"post": "update"})),
    path(f"{below}/access-token-reset", AppSite.as_view({"post": "reset"})),
]
