"""What an integrator asks about the app itself, and about its end users."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.services import apps, end_users, sites
from difyproj.tiers.base import ServiceViewSet

from .. import records, requests
from ..parameter_records import ParametersRecord


class AppInfo(ServiceViewSet):
    @extend_schema(operation_id="getAppInfo", responses=records.AppInfoRecord)
    def retrieve(self, request: Request) -> Response:
        return Response(apps.info(self.app))


class AppParameters(ServiceViewSet):
    @extend_schema(operation_id="getAppParameters", parameters=[requests.OptionalUserFields], responses=ParametersRecord)
    def retrieve(self, request: Request) -> Response:
        return Response(apps.parameters(self.app))


class AppMeta(ServiceViewSet):
    @extend_schema(operation_id="getAppMeta", responses=records.AppMetaRecord)
    def retrieve(self, request: Request) -> Response:
        return Response({"tool_icons": apps.tool_icons(self.app)})


class AppSite(ServiceViewSet):
    @extend_schema(operation_id="getWebAppSettings", responses=records.SiteRecord)
    def retrieve(self, request: Request) -> Response:
        return Response(records.SiteRecord(sites.of(self.app)).data)


class EndUsers(ServiceViewSet):
    tag = "End Users"

    @extend_schema(operation_id="getEndUserInfo", responses=records.EndUserRecord)
    def retrieve(self, request: Request, end_user_id: str) -> Response:
        return Response(records.EndUserRecord(end_users.get(self.principal, end_user_id)).data)
