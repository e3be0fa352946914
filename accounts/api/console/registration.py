"""New accounts: opened by their person where that is allowed, or by an invitation."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.sign_in import CodeFields, NewPasswordFields, SendFields, SentRecord, ValidityRecord, sent
from accounts.services import invitations, registration, sign_in

from .login import ConsoleSteps, EnteredRecord, entered


class RegisterFields(NewPasswordFields):
    language = serializers.CharField(max_length=32, required=False, default="", allow_blank=True)
    timezone = serializers.CharField(max_length=64, required=False, default="", allow_blank=True)


class InvitationQuery(serializers.Serializer[Any]):
    workspace_id = serializers.CharField(max_length=64, required=False, default="", allow_blank=True)
    email = serializers.CharField(max_length=255, required=False, default="", allow_blank=True)
    token = serializers.CharField(max_length=255)


class ActivateFields(serializers.Serializer[Any]):
    workspace_id = serializers.CharField(max_length=64, required=False, default="", allow_blank=True, allow_null=True)
    email = serializers.CharField(max_length=255, required=False, default="", allow_blank=True, allow_null=True)
    token = serializers.CharField(max_length=255)
    name = serializers.CharField(max_length=30)
    interface_language = serializers.CharField(max_length=32)
    timezone = serializers.CharField(max_length=64)
    password = serializers.CharField(
        max_length=1024,
        trim_whitespace=False,
        required=False,
        default=None,
        allow_null=True,
        help_text="To sign in with later.",
    )


class InvitationRecord(serializers.Serializer[Any]):
    workspace_name = serializers.CharField()
    workspace_id = serializers.UUIDField()
    email = serializers.EmailField()


class InvitationCheckRecord(serializers.Serializer[Any]):
    is_valid = serializers.BooleanField()  # type: ignore[assignment]
    data = InvitationRecord(required=False)  # type: ignore[assignment]


class ActivatedRecord(EnteredRecord):
    """``data`` only where the link proved the address: who activates is signed in."""

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        fields["data"].required = False
        return fields


class Register(ConsoleSteps):
    tag = "Registration"

    @extend_schema(operation_id="sendRegisterCode", request=SendFields, responses=SentRecord)
    def send(self, request: Request) -> Response:
        return sent(registration.send_code(**self.body(SendFields), ip=self.ip))

    @extend_schema(operation_id="checkRegisterCode", request=CodeFields, responses=ValidityRecord)
    def check(self, request: Request) -> Response:
        verified = registration.verify(**self.body(CodeFields), ip=self.ip)
        return Response({"is_valid": True, "email": verified.row.email, "token": verified.token})

    @extend_schema(operation_id="register", request=RegisterFields, responses=EnteredRecord)
    def create(self, request: Request) -> Response:
        fields = self.body(RegisterFields)
        tokens = sign_in.with_registration(
            token=fields["token"],
            password=fields["new_password"],
            repeated=fields["password_confirm"],
            language=fields["language"],
            timezone=fields["timezone"],
            visitor=self.visitor,
        )
        return entered(tokens)


class Activation(ConsoleSteps):
    tag = "Registration"

    @extend_schema(operation_id="checkInvitation", parameters=[InvitationQuery], responses=InvitationCheckRecord)
    def retrieve(self, request: Request) -> Response:
        query = self.query(InvitationQuery)
        found = invitations.check(query["token"], email=query["email"], tenant_id=query["workspace_id"])
        if found is None:
            return Response({"is_valid": False})
        data = {"workspace_name": found.tenant.name, "workspace_id": found.tenant.pk, "email": found.row.email}
        return Response({"is_valid": True, "data": InvitationRecord(data).data})

    @extend_schema(operation_id="activate", request=ActivateFields, responses=ActivatedRecord)
    def create(self, request: Request) -> Response:
        fields = self.body(ActivateFields)
        tokens = sign_in.with_invitation(
            token=fields["token"],
            email=fields["email"] or "",
            tenant_id=fields["workspace_id"] or "",
            name=fields["name"],
            language=fields["interface_language"],
            timezone=fields["timezone"],
            password=fields["password"],
            visitor=self.visitor,
        )
        return Response({"result": "success"}) if tokens is None else entered(tokens)


routes = [
    path("email-register/send-email", Register.as_view({"post": "send"})),
    path("email-register/validity", Register.as_view({"post": "check"})),
    path("email-register", Register.as_view({"post": "create"})),
    path("activate/check", Activation.as_view({"get": "retrieve"})),
    path("activate", Activation.as_view({"post": "create"})),
]
