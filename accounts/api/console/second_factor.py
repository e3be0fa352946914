"""The account's second factor: on, off, new paper codes. Ours: the contract has no such routes."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.sign_in import ResultRecord
from accounts.services import second_factor
from difyproj.tiers.console import ANY_MEMBER, ConsoleViewSet

from .account_requests import SecretField


class SecondFactorStateRecord(serializers.Serializer[Any]):
    enabled = serializers.BooleanField()
    recovery_codes_left = serializers.IntegerField()


class SecondFactorSetupRecord(serializers.Serializer[Any]):
    """``token`` is handed back with the first code of the app."""

    token = serializers.CharField()
    secret = serializers.CharField()
    url = serializers.CharField()
    svg = serializers.CharField()


class SecondFactorPasswordFields(serializers.Serializer[Any]):
    password = SecretField(required=False, default="", allow_blank=True, help_text="Not for accounts that have none.")


class ConfirmFields(SecondFactorPasswordFields):
    token = serializers.CharField(max_length=1024)
    code = serializers.CharField(max_length=32)


class CodesRecord(ResultRecord):
    """Each code is good once, and shown only now."""

    recovery_codes = serializers.ListField(child=serializers.CharField())


class SecondFactor(ConsoleViewSet):
    tag = "Account"
    needs = dict.fromkeys(("retrieve", "begin", "confirm", "renew", "destroy"), ANY_MEMBER)

    @extend_schema(operation_id="getSecondFactor", responses=SecondFactorStateRecord)
    def retrieve(self, request: Request) -> Response:
        left = second_factor.paper_codes_left(self.account)
        return Response({"enabled": second_factor.is_on(self.account), "recovery_codes_left": left})

    @extend_schema(operation_id="beginSecondFactor", request=None, responses=SecondFactorSetupRecord)
    def begin(self, request: Request) -> Response:
        return Response(SecondFactorSetupRecord(second_factor.begin(self.account)).data)

    @extend_schema(operation_id="confirmSecondFactor", request=ConfirmFields, responses=CodesRecord)
    def confirm(self, request: Request) -> Response:
        return _codes(second_factor.confirm(self.account, **self.body(ConfirmFields)))

    @extend_schema(operation_id="renewRecoveryCodes", request=SecondFactorPasswordFields, responses=CodesRecord)
    def renew(self, request: Request) -> Response:
        return _codes(second_factor.renew_paper_codes(self.account, **self.body(SecondFactorPasswordFields)))

    @extend_schema(operation_id="removeSecondFactor", request=SecondFactorPasswordFields, responses={200: ResultRecord})
    def destroy(self, request: Request) -> Response:
        second_factor.remove(self.account, **self.body(SecondFactorPasswordFields))
        return Response({"result": "success"})


def _codes(codes: list[str]) -> Response:
    return Response({"result": "success", "recovery_codes": codes})


routes = [
    path("account/second-factor", SecondFactor.as_view({"get": "retrieve", "post": "begin", "delete": "destroy"})),
    path("account/second-factor/confirm", SecondFactor.as_view({"post": "confirm"})),
    path("account/second-factor/recovery-codes", SecondFactor.as_view({"post": "renew"})),
]
