"""Sign-in to published pages that are for members."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.sign_in import (
    CodeFields,
    ForgottenPassword,
    LoginFields,
    ResultRecord,
    SecondFactorFields,
    SendFields,
    SentRecord,
    SignInSteps,
    sent,
)
from accounts.models import SessionScope
from accounts.services import sign_in
from accounts.services.sessions import Tokens
from difyproj.tiers import cookies
from difyproj.tiers.authentication import bearer
from difyproj.tiers.web import OpenWebViewSet


class AccessTokenRecord(serializers.Serializer[Any]):
    access_token = serializers.CharField()


class PageEnteredRecord(ResultRecord):
    """The same token as in the cookie."""

    data = AccessTokenRecord()  # type: ignore[assignment]


def entered(tokens: Tokens) -> Response:
    data = {"access_token": tokens.access}
    response = Response({"result": "success", "data": data}, headers={"Cache-Control": "no-store"})
    cookies.set_web(response, tokens)
    return response


class WebSteps(SignInSteps, OpenWebViewSet):
    """Sign-in routes of the Web API."""

    scope = SessionScope.WEB_APP


class Login(WebSteps):
    @extend_schema(operation_id="login", request=LoginFields, responses=PageEnteredRecord)
    def create(self, request: Request) -> Response:
        return entered(sign_in.with_password(**self.body(LoginFields), visitor=self.visitor))


class SecondFactor(WebSteps):
    @extend_schema(operation_id="loginWithSecondFactor", request=SecondFactorFields, responses=PageEnteredRecord)
    def create(self, request: Request) -> Response:
        return entered(sign_in.with_second_factor(**self.body(SecondFactorFields), visitor=self.visitor))


class EmailCode(WebSteps):
    @extend_schema(operation_id="sendLoginCode", request=SendFields, responses=SentRecord)
    def create(self, request: Request) -> Response:
        return sent(sign_in.send_code(**self.body(SendFields), ip=self.ip))

    @extend_schema(operation_id="loginWithCode", request=CodeFields, responses=PageEnteredRecord)
    def check(self, request: Request) -> Response:
        return entered(sign_in.with_code(**self.body(CodeFields), visitor=self.visitor))


class Logout(WebSteps):
    """Needs no CSRF header: the contract has none on this tier, and the cookie is Lax, so that other sites cannot send it."""

    @extend_schema(operation_id="logout", request=None, responses=ResultRecord)
    def create(self, request: Request) -> Response:
        header = request.headers.get("Authorization")
        access = bearer(header) if header else cookies.read(request, cookies.WEB_ACCESS)
        sign_in.sign_out(access=access, scope=self.scope)
        response = Response({"result": "success"})
        cookies.clear(response, cookies.WEB_ACCESS)
        return response


class ForgottenWebPassword(ForgottenPassword, OpenWebViewSet):
    scope = SessionScope.WEB_APP


routes = [
    path("login", Login.as_view({"post": "create"})),
    path("login/second-factor", SecondFactor.as_view({"post": "create"})),
    path("logout", Logout.as_view({"post": "create"})),
    path("email-code-login", EmailCode.as_view({"post": "create"})),
    path("email-code-login/validity", EmailCode.as_view({"post": "check"})),
    path("forgot-password", ForgottenWebPassword.as_view({"post": "create"})),
    path("forgot-password/validity", ForgottenWebPassword.as_view({"post": "check"})),
    path("forgot-password/resets", ForgottenWebPassword.as_view({"post": "reset"})),
]
