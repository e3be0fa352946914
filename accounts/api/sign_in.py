"""What the sign-in routes of both tiers share: fields, answers, and the flow of a forgotten password."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.fields import AddressField
from accounts.models import SessionScope
from accounts.services import instance, password_resets
from accounts.services.sign_in import Visitor
from difyproj.kernel.errors import DomainError
from difyproj.tiers.base import TierViewSet
from difyproj.tiers.errors import envelope
from difyproj.tiers.parsers import FastJSONParser
from difyproj.tiers.schema import ResultRecord as ResultRecord

LONGEST_SECRET = 8192


class EmailFields(serializers.Serializer[Any]):
    email = AddressField()


class LoginFields(EmailFields):
    """The password as it is, or in base64."""

    password = serializers.CharField(max_length=LONGEST_SECRET, trim_whitespace=False)
    second_factor_code = serializers.CharField(max_length=32, required=False, default="", allow_blank=True)


class SecondFactorFields(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=255)
    code = serializers.CharField(max_length=32)


class SendFields(EmailFields):
    language = serializers.CharField(max_length=32, required=False, default="", allow_blank=True)


class CodeFields(EmailFields):
    code = serializers.CharField(max_length=64)
    token = serializers.CharField(max_length=255)


class NewPasswordFields(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=255)
    new_password = serializers.CharField(max_length=LONGEST_SECRET, trim_whitespace=False)
    password_confirm = serializers.CharField(max_length=LONGEST_SECRET, trim_whitespace=False)


class SentRecord(ResultRecord):
    data = serializers.CharField(help_text="The token that comes back with the code.")  # type: ignore[assignment]


class ValidityRecord(serializers.Serializer[Any]):
    is_valid = serializers.BooleanField()  # type: ignore[assignment]
    email = serializers.CharField()
    token = serializers.CharField(help_text="The token of the next step.")


def sent(token: str) -> Response:
    return Response({"result": "success", "data": token})


def with_data(error: DomainError) -> dict[str, Any]:
    """The envelope, and the token of the next step where an error asks for one."""
    return envelope(error) if error.data is None else {**envelope(error), "data": error.data}


class SignInSteps(TierViewSet):
    """For a tier's open base. JSON only: a form of another site's page must not sign anybody in."""

    tag = "Sign-in"
    parser_classes = (FastJSONParser,)
    scope: ClassVar[str] = SessionScope.CONSOLE
    error_shape = staticmethod(with_data)
    ip: str | None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        instance.demand_setup()

    @property
    def visitor(self) -> Visitor:
        return Visitor(self.ip, self.request.headers.get("User-Agent", ""), self.scope)


class ForgottenPassword(SignInSteps):
    @extend_schema(operation_id="forgetPassword", request=SendFields, responses=SentRecord)
    def create(self, request: Request) -> Response:
        return sent(password_resets.send_code(**self.body(SendFields), ip=self.ip))

    @extend_schema(operation_id="checkPasswordCode", request=CodeFields, responses=ValidityRecord)
    def check(self, request: Request) -> Response:
        verified = password_resets.verify(**self.body(CodeFields), ip=self.ip)
        return Response({"is_valid": True, "email": verified.row.email, "token": verified.token})

    @extend_schema(operation_id="resetPassword", request=NewPasswordFields, responses=ResultRecord)
    def reset(self, request: Request) -> Response:
        fields = self.body(NewPasswordFields)
        password_resets.reset(token=fields["token"], password=fields["new_password"], repeated=fields["password_confirm"])
        return Response({"result": "success"})
