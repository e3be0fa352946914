"""What callers send about model providers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from difyproj.model_runtime.base import ModelType

MOST_VALUES = 64


class CredentialValues(serializers.DictField):
    """A filled-in credential form; what is left empty may come as null."""

    def __init__(self, **options: Any) -> None:
        value = serializers.CharField(allow_blank=True, allow_null=True, trim_whitespace=False, max_length=20_000)
        super().__init__(child=value, **options)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        values: dict[str, str | None] = super().to_internal_value(data)
        if len(values) > MOST_VALUES:
            raise serializers.ValidationError(f"Ensure this field has no more than {MOST_VALUES} values.")
        return {name: value for name, value in values.items() if value is not None}


class ModelTypeFields(serializers.Serializer[Any]):
    model_type = serializers.ChoiceField(list(ModelType))


class OptionalModelTypeFields(serializers.Serializer[Any]):
    model_type = serializers.ChoiceField(list(ModelType), required=False, allow_blank=True)


class ModelFields(ModelTypeFields):
    model = serializers.CharField(max_length=255)


class ModelNameFields(serializers.Serializer[Any]):
    model = serializers.CharField(max_length=255)


class CredentialIdFields(serializers.Serializer[Any]):
    credential_id = serializers.CharField(max_length=64)


class OptionalCredentialIdFields(serializers.Serializer[Any]):
    credential_id = serializers.CharField(max_length=64, required=False, allow_blank=True)


class ValuesFields(serializers.Serializer[Any]):
    credentials = CredentialValues()


class NamedFields(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=255, required=False, allow_null=True, allow_blank=True)


class NewCredentialFields(NamedFields, ValuesFields):
    pass


class ChangedCredentialFields(NewCredentialFields, CredentialIdFields):
    pass


class ModelValuesFields(ModelFields, ValuesFields):
    pass


class NewModelCredentialFields(ModelFields, NewCredentialFields):
    pass


class ChangedModelCredentialFields(ModelFields, ChangedCredentialFields):
    pass


class ModelCredentialIdFields(ModelFields, CredentialIdFields):
    pass


class ModelCredentialQuery(ModelFields, OptionalCredentialIdFields):
    pass


class BalancedFields(serializers.Serializer[Any]):
    """One credential of several: known by its id, or new with its values."""

    id = serializers.CharField(max_length=64, required=False, allow_null=True, allow_blank=True)
    credential_id = serializers.CharField(max_length=64, required=False, allow_null=True, allow_blank=True)
    name = serializers.CharField(max_length=255, required=False, allow_null=True, allow_blank=True)
    enabled = serializers.BooleanField(required=False, default=True)
    credentials = CredentialValues(required=False, allow_null=True)


class BalancingFields(serializers.Serializer[Any]):
    enabled = serializers.BooleanField(required=False, default=False)
    configs = BalancedFields(many=True, required=False, allow_null=True, max_length=50)  # type: ignore[call-arg]


class ModelChoiceFields(ModelFields, NamedFields):
    """``credentials`` as older clients add a custom model."""

    credentials = CredentialValues(required=False, allow_null=True)
    load_balancing = BalancingFields(required=False, allow_null=True)
    credential_id = serializers.CharField(max_length=64, required=False, allow_null=True, allow_blank=True)


class DefaultModelFields(ModelTypeFields):
    provider = serializers.CharField(max_length=255, required=False, allow_null=True, allow_blank=True)
    model = serializers.CharField(max_length=255, required=False, allow_null=True, allow_blank=True)


class DefaultModelsFields(serializers.Serializer[Any]):
    model_settings = DefaultModelFields(many=True, max_length=50)  # type: ignore[call-arg]


class PreferredFields(serializers.Serializer[Any]):
    preferred_provider_type = serializers.ChoiceField(["custom", "system"])
