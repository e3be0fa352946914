"""Sign-in to the Console: by password, by a code from a letter, with a second factor; renewed, and ended."""

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
from accounts.services import sessions, sign_in
from accounts.services.sessions import Tokens
from difyproj.kernel.errors import DomainError
from difyproj.tiers import cookies
from difyproj.tiers.authentication import bearer
from difyproj.tiers.console import OpenConsoleViewSet, demand_csrf
from difyproj.tiers.errors import envelope


class ConsoleLoginFields(LoginFields):
    remember_me = serializers.BooleanField(required=False, default=False)
    invite_token = serializers.CharField(max_length=255, required=False, default="", allow_blank=True, allow_null=True)


class ConsoleCodeFields(CodeFields):
    timezone = serializers.CharField(max_length=64, required=False, default="", allow_blank=True)


class RefreshFields(serializers.Serializer[Any]):
    """For clients without cookies. A token that is too long is none of ours, which is told like any other of these."""

    refresh_token = serializers.CharField(required=False, default="", allow_blank=True, allow_null=True)


class TokensRecord(serializers.Serializer[Any]):
    access_token = serializers.CharField()
    refresh_token = serializers.CharField()


class EnteredRecord(ResultRecord):
    """The same tokens as in the cookies."""

    data = TokensRecord()  # type: ignore[assignment]


class RefusedRecord(serializers.Serializer[Any]):
    result = serializers.CharField(help_text="fail")
    message = serializers.CharField()
    code = serializers.CharField()
    status = serializers.IntegerField()


def entered(tokens: Tokens) -> Response:
    """Three cookies, and the tokens in the body for clients that want none."""
    data = {"access_token": tokens.access, "refresh_token": tokens.refresh}
    response = Response({"result": "success", "data": data}, headers={"Cache-Control": "no-store"})
    cookies.set_console(response, tokens)
    return response


def refused(error: DomainError) -> dict[str, Any]:
    return {"result": "fail", **envelope(error)}


class ConsoleSteps(SignInSteps, OpenConsoleViewSet):
    """Sign-in routes of the Console."""


class Login(ConsoleSteps):
    @extend_schema(operation_id="login", request=ConsoleLoginFields, responses=EnteredRecord)
    def create(self, request: Request) -> Response:
        fields = self.body(ConsoleLoginFields)
        tokens = sign_in.with_password(
            email=fields["email"],
            password=fields["password"],
            invite_token=fields["invite_token"] or "",
            second_factor_code=fields["second_factor_code"],
            visitor=self.visitor,
        )
        return entered(tokens)


class SecondFactor(ConsoleSteps):
    @extend_schema(operation_id="loginWithSecondFactor", request=SecondFactorFields, responses=EnteredRecord)
    def create(self, request: Request) -> Response:
        return entered(sign_in.with_second_factor(**self.body(SecondFactorFields), visitor=self.visitor))


class EmailCode(ConsoleSteps):
    @extend_schema(operation_id="sendLoginCode", request=SendFields, responses=SentRecord)
    def create(self, request: Request) -> Response:
        return sent(sign_in.send_code(**self.body(SendFields), ip=self.ip))

    @extend_schema(operation_id="loginWithCode", request=ConsoleCodeFields, responses=EnteredRecord)
    def check(self, request: Request) -> Response:
        return entered(sign_in.with_code(**self.body(ConsoleCodeFields), visitor=self.visitor))


class Logout(ConsoleSteps):
    @extend_schema(operation_id="logout", request=None, responses=ResultRecord)
    def create(self, request: Request) -> Response:
        header = request.headers.get("Authorization")
        access = bearer(header) if header else cookies.read(request, cookies.ACCESS)
        caller = sign_in.caller_of(access)
        if caller is not None and not header:
            demand_csrf(request, caller)
        sign_in.sign_out(access=access, refresh=cookies.read(request, cookies.REFRESH))
        response = Response({"result": "success"})
        cookies.clear_console(response)
        return response


class Refresh(ConsoleSteps):
    """Without the CSRF header: its cookie has expired together with the access token, and nobody else can read the answer."""

    error_shape = staticmethod(refused)
    error_body = RefusedRecord

    @extend_schema(operation_id="refreshToken", request=RefreshFields, responses=EnteredRecord)
    def create(self, request: Request) -> Response:
        given = cookies.read(request, cookies.REFRESH) or self.body(RefreshFields)["refresh_token"] or ""
        return entered(sessions.renew(given, ip=self.ip))


class ForgottenConsolePassword(ForgottenPassword, OpenConsoleViewSet):
    """The routes of a forgotten password."""

    @extend_schema(operation_id="sendResetCode", request=SendFields, responses=SentRecord)
    def send(self, request: Request) -> Response:
        """The same step, as the sign-in by code asks for it."""
        return self.create(request)


routes = [
    path("login", Login.as_view({"post": "create"})),
    path("login/second-factor", SecondFactor.as_view({"post": "create"})),
    path("logout", Logout.as_view({"post": "create"})),
    path("refresh-token", Refresh.as_view({"post": "create"})),
    path("email-code-login", EmailCode.as_view({"post": "create"})),
    path("email-code-login/validity", EmailCode.as_view({"post": "check"})),
    path("forgot-password", ForgottenConsolePassword.as_view({"post": "create"})),
    path("forgot-password/validity", ForgottenConsolePassword.as_view({"post": "check"})),
    path("forgot-password/resets", ForgottenConsolePassword.as_view({"post": "reset"})),
    path("reset-password", ForgottenConsolePassword.as_view({"post": "send"})),
]
