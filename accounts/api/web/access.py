"""What a published page asks before it has a passport: what the instance can do, who may enter, who is signed in."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.features import SystemFeaturesRecord
from accounts.services import features
from apps.services import site_access
from difyproj.tiers import cookies
from difyproj.tiers.web import HEADER_PASSPORT, OpenWebViewSet, member_of


class AccessModeQuery(serializers.Serializer[Any]):
    appId = serializers.CharField(max_length=64, required=False, default="", allow_blank=True)
    appCode = serializers.CharField(max_length=255, required=False, default="", allow_blank=True)


class PermissionQuery(serializers.Serializer[Any]):
    appId = serializers.CharField(max_length=64)


class StatusQuery(serializers.Serializer[Any]):
    app_code = serializers.CharField(max_length=255, required=False, default="", allow_blank=True)
    user_id = serializers.CharField(max_length=255, required=False, default="", allow_blank=True)


class AccessModeRecord(serializers.Serializer[Any]):
    accessMode = serializers.CharField()


class PermissionRecord(serializers.Serializer[Any]):
    result = serializers.BooleanField()


class StatusRecord(serializers.Serializer[Any]):
    logged_in = serializers.BooleanField()
    app_logged_in = serializers.BooleanField()


class SystemFeatures(OpenWebViewSet):
    tag = "System"

    @extend_schema(operation_id="getSystemFeatures", responses=SystemFeaturesRecord)
    def retrieve(self, request: Request) -> Response:
        return Response(features.system())


class AccessMode(OpenWebViewSet):
    tag = "Sign-in"

    @extend_schema(operation_id="getAccessMode", parameters=[AccessModeQuery], responses=AccessModeRecord)
    def retrieve(self, request: Request) -> Response:
        query = self.query(AccessModeQuery)
        return Response({"accessMode": site_access.mode_of(app_id=query["appId"], code=query["appCode"])})


class Permission(OpenWebViewSet):
    tag = "Sign-in"

    @extend_schema(operation_id="getPermission", parameters=[PermissionQuery], responses=PermissionRecord)
    def retrieve(self, request: Request) -> Response:
        return Response({"result": site_access.admits(self.query(PermissionQuery)["appId"], member_of(request))})


class LoginStatus(OpenWebViewSet):
    """A public app needs no sign-in, so that everybody counts as signed in there."""

    tag = "Sign-in"

    @extend_schema(operation_id="getLoginStatus", parameters=[StatusQuery], responses=StatusRecord)
    def retrieve(self, request: Request) -> Response:
        code = self.query(StatusQuery)["app_code"]
        signed_in = member_of(request) is not None
        if not code:
            return Response({"logged_in": signed_in, "app_logged_in": False})
        passport = request.headers.get(HEADER_PASSPORT) or cookies.read(request, f"passport-{code}")
        return Response(
            {
                "logged_in": signed_in or not site_access.needs_sign_in(code),
                "app_logged_in": bool(passport) and site_access.has_passport(passport, code),
            }
        )


routes = [
    path("system-features", SystemFeatures.as_view({"get": "retrieve"})),
    path("webapp/access-mode", AccessMode.as_view({"get": "retrieve"})),
    path("webapp/permission", Permission.as_view({"get": "retrieve"})),
    path("login/status", LoginStatus.as_view({"get": "retrieve"})),
]
