"""The addresses of signing in at a provider, as consoles and providers know them; the pages behind them do the work."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from difyproj.kernel.errors import InvalidParam
from difyproj.tiers.console import OpenConsoleViewSet

ON_THE_WAY = {302: OpenApiResponse(description="The next address.")}


class BeginQuery(serializers.Serializer[Any]):
    invite_token = serializers.CharField(max_length=255, required=False)
    language = serializers.CharField(max_length=32, required=False)
    redirect_url = serializers.CharField(max_length=2000, required=False, help_text="Below the console or this host.")


class CallbackQuery(serializers.Serializer[Any]):
    code = serializers.CharField(max_length=4096, required=False)
    state = serializers.CharField(max_length=255, required=False)
    error = serializers.CharField(max_length=255, required=False)


class OAuth(OpenConsoleViewSet):
    tag = "Authentication"

    @extend_schema(operation_id="oauthLogin", parameters=[BeginQuery], responses=ON_THE_WAY)
    def begin(self, request: Request, provider: str) -> HttpResponseBase:
        return _onward(f"/signin/with/{_known(provider)}", self.query(BeginQuery))

    @extend_schema(operation_id="oauthAuthorize", parameters=[CallbackQuery], responses=ON_THE_WAY)
    def callback(self, request: Request, provider: str) -> HttpResponseBase:
        return _onward(f"/signin/with/{_known(provider)}/callback", self.query(CallbackQuery))


def _known(provider: str) -> str:
    if provider not in settings.SIGN_IN_PROVIDERS:
        raise InvalidParam("Invalid provider.", params="provider")
    return provider


def _onward(place: str, query: dict[str, Any]) -> HttpResponseBase:
    """At the public address, where the session's cookie of the whole conversation is kept."""
    return HttpResponseRedirect(f"{settings.PUBLIC_URL}{place}{'?' if query else ''}{urlencode(query)}")


routes = [
    path("oauth/login/<str:provider>", OAuth.as_view({"get": "begin"})),
    path("oauth/authorize/<str:provider>", OAuth.as_view({"get": "callback"})),
]
