"""The published page: a passport to visit it, how it looks, and what its app takes."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.services import apps, passports
from difyproj.tiers import throttling
from difyproj.tiers.web import CODE_PARAMETER, OpenWebViewSet, WebViewSet, code_of, member_of

from ..parameter_records import ParametersRecord
from ..records import AppMetaRecord
from . import records, requests


class Passport(OpenWebViewSet):
    """The site's code is the credential; a page for members wants their sign-in as well."""

    tag = "Passport"

    @extend_schema(
        operation_id="getPassport",
        parameters=[CODE_PARAMETER, requests.PassportFields],
        responses=records.PassportRecord,
    )
    def retrieve(self, request: Request) -> Response:
        code = code_of(request)
        throttling.check_newcomer(self.ip, request)
        user_id = self.query(requests.PassportFields)["user_id"]
        passport = passports.issue(code, user_id=user_id, member=member_of(request))
        return Response({"access_token": passport}, headers={"Cache-Control": "no-store"})


class SiteInfo(WebViewSet):
    @extend_schema(operation_id="getSite", responses=records.SiteInfoRecord)
    def retrieve(self, request: Request) -> Response:
        return Response(records.SiteInfoRecord(self.visit).data)


class Parameters(WebViewSet):
    @extend_schema(operation_id="getParameters", responses=ParametersRecord)
    def retrieve(self, request: Request) -> Response:
        return Response(apps.parameters(self.app))


class Meta(WebViewSet):
    @extend_schema(operation_id="getMeta", responses=AppMetaRecord)
    def retrieve(self, request: Request) -> Response:
        return Response({"tool_icons": apps.tool_icons(self.app)})


routes = [
    path("passport", Passport.as_view({"get": "retrieve"})),
    path("site", SiteInfo.as_view({"get": "retrieve"})),
    path("parameters", Parameters.as_view({"get": "retrieve"})),
    path("meta", Meta.as_view({"get": "retrieve"})),
]
