"""Bodies and queries of the account's own routes, and answers that only they have."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.api.fields import AddressField, MomentField
from accounts.services import email_change
from accounts.services.accounts import LONGEST_PASSWORD


class SecretField(serializers.CharField):
    """A password as it was typed, white space included."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=LONGEST_PASSWORD, **options)


class AccountNameFields(serializers.Serializer[Any]):
    name = serializers.CharField(min_length=3, max_length=30)


class AvatarQuery(serializers.Serializer[Any]):
    avatar = serializers.CharField(max_length=255, required=False, default="", help_text="An upload; the own one by default.")


class AvatarFields(serializers.Serializer[Any]):
    avatar = serializers.CharField(max_length=255, allow_blank=True, help_text="An image that the caller uploaded.")


class AvatarRecord(serializers.Serializer[Any]):
    avatar_url = serializers.CharField(allow_null=True)


class LanguageFields(serializers.Serializer[Any]):
    interface_language = serializers.CharField(max_length=32)


class ThemeFields(serializers.Serializer[Any]):
    interface_theme = serializers.CharField(max_length=32)


class TimezoneFields(serializers.Serializer[Any]):
    timezone = serializers.CharField(max_length=64)


class ChangePasswordFields(serializers.Serializer[Any]):
    password = SecretField(required=False, default="", allow_blank=True, allow_null=True)
    new_password = SecretField()
    repeat_new_password = SecretField()


class AccountInitFields(LanguageFields, TimezoneFields):
    pass


class ChangeEmailFields(serializers.Serializer[Any]):
    email = AddressField()
    language = serializers.CharField(max_length=32, required=False, default="", allow_null=True)
    phase = serializers.ChoiceField([email_change.OLD, email_change.NEW], required=False, default=email_change.OLD)
    token = serializers.CharField(max_length=255, required=False, default="", allow_null=True)

    def validate_token(self, value: str | None) -> str:
        return value or ""


class NewEmailFields(serializers.Serializer[Any]):
    new_email = AddressField()
    token = serializers.CharField(max_length=255)


class DeletionFields(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=255)
    code = serializers.CharField(max_length=32)


class ClosingFeedbackFields(serializers.Serializer[Any]):
    email = AddressField()
    feedback = serializers.CharField(max_length=2000)


class IntegrateRecord(serializers.Serializer[Any]):
    """``link`` begins the sign-in by which a provider that is not bound becomes so."""

    provider = serializers.CharField()
    created_at = MomentField(allow_null=True)
    is_bound = serializers.BooleanField()
    link = serializers.CharField(allow_null=True)


class IntegratesRecord(serializers.Serializer[Any]):
    data = IntegrateRecord(many=True)  # type: ignore[assignment]


class EducationStateRecord(serializers.Serializer[Any]):
    result = serializers.BooleanField()
    is_student = serializers.BooleanField()
    expire_at = serializers.IntegerField(allow_null=True)
    allow_refresh = serializers.BooleanField()


class SchoolsRecord(serializers.Serializer[Any]):
    data = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]
    curr_page = serializers.IntegerField()
    has_next = serializers.BooleanField()
