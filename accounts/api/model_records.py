"""Model providers, models and credentials as the Console API writes them: no secret is ever among the fields."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.services import credentials
from accounts.services.model_inventory import FetchFrom, ModelEntry, ModelStatus
from accounts.services.providers import CustomModel, DefaultChoice, ProviderModels, ProviderName, ProviderView
from difyproj.model_runtime.base import CredentialField, ModelType
from difyproj.model_runtime.model_facts import ParameterRule
from difyproj.tiers.schema import ResultRecord as ResultRecord

TEMPLATES = frozenset(
    {"temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty", "max_tokens", "response_format", "json_schema"}
)
"""Parameters that Dify's clients have texts of their own for."""
CONFIGURED = {True: "active", False: "no-configure"}


class CheckRecord(serializers.Serializer[Any]):
    result = serializers.ChoiceField(["success", "error"])
    error = serializers.CharField(required=False)


class TextRecord(serializers.Serializer[Any]):
    """One text, or one address, in the languages that clients ask for."""

    en_US = serializers.CharField()
    zh_Hans = serializers.CharField()

    def to_representation(self, instance: str) -> dict[str, str]:
        return {"en_US": instance, "zh_Hans": instance}


def text(value: str) -> dict[str, str]:
    return {"en_US": value, "zh_Hans": value}


class NameRecord(serializers.Serializer[Any]):
    """A provider where it is only mentioned."""

    tenant_id = serializers.UUIDField()
    provider = serializers.CharField()
    label = TextRecord()  # type: ignore[assignment]
    icon_small = TextRecord()
    icon_small_dark = TextRecord(allow_null=True)
    icon_large = TextRecord()
    supported_model_types = serializers.ListField(child=serializers.ChoiceField(list(ModelType)))

    def to_representation(self, instance: ProviderName) -> dict[str, Any]:
        return {
            "tenant_id": str(instance.tenant_id),
            "provider": instance.provider,
            "label": text(instance.label),
            "icon_small": text(instance.icon_small),
            "icon_small_dark": None,
            "icon_large": text(instance.icon_large),
            "supported_model_types": [kind.value for kind in instance.supported_model_types],
        }


class FormOption(serializers.Serializer[Any]):
    label = TextRecord()  # type: ignore[assignment]
    value = serializers.CharField()
    show_on = serializers.ListField(child=serializers.DictField())


class FormField(serializers.Serializer[Any]):
    """One input of a credential form."""

    variable = serializers.CharField()
    label = TextRecord()  # type: ignore[assignment]
    type = serializers.CharField()
    required = serializers.BooleanField()  # type: ignore[assignment]
    default = serializers.CharField(allow_null=True)
    options = FormOption(many=True)
    placeholder = TextRecord(allow_null=True)
    max_length = serializers.IntegerField()
    show_on = serializers.ListField(child=serializers.DictField())

    def to_representation(self, instance: CredentialField) -> dict[str, Any]:
        return {
            "variable": instance.name,
            "label": text(instance.label),
            "type": instance.kind,
            "required": instance.required,
            "default": instance.default or None,
            "options": [{"label": text(option), "value": option, "show_on": []} for option in instance.options],
            "placeholder": text(instance.placeholder) if instance.placeholder else None,
            "max_length": 0,
            "show_on": [],
        }


class ProviderFormRecord(serializers.Serializer[Any]):
    credential_form_schemas = FormField(many=True)


class ModelNaming(serializers.Serializer[Any]):
    label = TextRecord()  # type: ignore[assignment]
    placeholder = TextRecord()


class ModelFormRecord(ProviderFormRecord):
    model = ModelNaming()


class CredentialName(serializers.Serializer[Any]):
    credential_id = serializers.UUIDField(source="pk")
    credential_name = serializers.CharField(source="name")


class CustomModelRecord(serializers.Serializer[Any]):
    model = serializers.CharField()
    model_type = serializers.ChoiceField(list(ModelType))
    current_credential_id = serializers.UUIDField(allow_null=True)
    current_credential_name = serializers.CharField(allow_null=True)
    available_model_credentials = CredentialName(many=True)

    def to_representation(self, instance: CustomModel) -> dict[str, Any]:
        return {
            "model": instance.model,
            "model_type": instance.model_type,
            **current(instance.credentials),
            "available_model_credentials": CredentialName(instance.credentials, many=True).data,
        }


class ModelName(serializers.Serializer[Any]):
    model = serializers.CharField()
    model_type = serializers.ChoiceField(list(ModelType))


class CustomConfiguration(serializers.Serializer[Any]):
    status = serializers.ChoiceField(list(CONFIGURED.values()))
    current_credential_id = serializers.UUIDField(allow_null=True)
    current_credential_name = serializers.CharField(allow_null=True)
    available_credentials = CredentialName(many=True)
    custom_models = CustomModelRecord(many=True)
    can_added_models = ModelName(many=True)


class SystemConfiguration(serializers.Serializer[Any]):
    """Quotas that the installation itself would give; it gives none."""

    enabled = serializers.BooleanField()
    current_quota_type = serializers.CharField(allow_null=True)
    quota_configurations = serializers.ListField(child=serializers.DictField())


class ProviderRecord(NameRecord):
    description = TextRecord(allow_null=True)
    background = serializers.CharField(allow_null=True)
    help = serializers.DictField(allow_null=True)
    configurate_methods = serializers.ListField(child=serializers.ChoiceField(list(FetchFrom)))
    provider_credential_schema = ProviderFormRecord(allow_null=True)
    model_credential_schema = ModelFormRecord(allow_null=True)
    preferred_provider_type = serializers.ChoiceField(["custom", "system"])
    custom_configuration = CustomConfiguration()
    system_configuration = SystemConfiguration()

    def to_representation(self, instance: ProviderView) -> dict[str, Any]:  # type: ignore[override]
        form: dict[str, Any] | None = (
            {"credential_form_schemas": FormField(instance.form, many=True).data} if instance.form else None
        )
        named = {"label": text("Model Name"), "placeholder": text("Enter the model's name")}
        return {
            **super().to_representation(instance.name),
            "description": None,
            "background": None,
            "help": None,
            "configurate_methods": [method.value for method in instance.configurate_methods],
            "provider_credential_schema": form,
            "model_credential_schema": form and {"model": named, **form},
            "preferred_provider_type": "custom",
            "custom_configuration": {
                "status": CONFIGURED[instance.is_configured],
                **current(instance.credentials),
                "available_credentials": CredentialName(instance.credentials, many=True).data,
                "custom_models": CustomModelRecord(instance.custom_models, many=True).data,
                "can_added_models": [],
            },
            "system_configuration": {"enabled": False, "current_quota_type": None, "quota_configurations": []},
        }


class ProviderList(serializers.Serializer[Any]):
    data = ProviderRecord(many=True)  # type: ignore[assignment]


class ModelRecord(serializers.Serializer[Any]):
    model = serializers.CharField()
    label = TextRecord()  # type: ignore[assignment]
    model_type = serializers.ChoiceField(list(ModelType))
    features = serializers.ListField(child=serializers.CharField(), allow_null=True)
    fetch_from = serializers.ChoiceField(list(FetchFrom))
    model_properties = serializers.DictField()
    deprecated = serializers.BooleanField()
    status = serializers.ChoiceField(list(ModelStatus))
    load_balancing_enabled = serializers.BooleanField()
    has_invalid_load_balancing_configs = serializers.BooleanField()

    def to_representation(self, instance: ModelEntry) -> dict[str, Any]:
        return {
            "model": instance.model,
            "label": text(instance.label),
            "model_type": instance.model_type.value,
            "features": instance.features,
            "fetch_from": instance.fetch_from.value,
            "model_properties": instance.model_properties,
            "deprecated": instance.deprecated,
            "status": instance.status.value,
            "load_balancing_enabled": instance.load_balancing_enabled,
            "has_invalid_load_balancing_configs": instance.has_invalid_load_balancing_configs,
        }


class ProviderModelRecord(ModelRecord):
    provider = NameRecord()


class ProviderModelList(serializers.Serializer[Any]):
    data = ProviderModelRecord(many=True)  # type: ignore[assignment]

    def to_representation(self, instance: ProviderModels) -> dict[str, Any]:
        name, record = NameRecord(instance.name).data, ModelRecord()
        return {"data": [{**record.to_representation(entry), "provider": name} for entry in instance.models]}


class ModelGroup(NameRecord):
    status = serializers.ChoiceField(list(CONFIGURED.values()))
    models = ModelRecord(many=True)

    def to_representation(self, instance: ProviderModels) -> dict[str, Any]:  # type: ignore[override]
        models = ModelRecord(instance.models, many=True).data
        return {**super().to_representation(instance.name), "status": CONFIGURED[True], "models": models}


class ModelGroupList(serializers.Serializer[Any]):
    data = ModelGroup(many=True)  # type: ignore[assignment]


class DefaultModelRecord(ModelName):
    provider = NameRecord()

    def to_representation(self, instance: DefaultChoice) -> dict[str, Any]:
        name = NameRecord(instance.name).data
        return {"model": instance.model, "model_type": instance.model_type, "provider": name}


class DefaultModelEnvelope(serializers.Serializer[Any]):
    data = DefaultModelRecord(allow_null=True)  # type: ignore[assignment]


class RuleRecord(serializers.Serializer[Any]):
    """One input of a model's parameter form."""

    name = serializers.CharField()
    use_template = serializers.CharField(allow_null=True)
    label = TextRecord()  # type: ignore[assignment]
    type = serializers.CharField()
    help = TextRecord(allow_null=True)
    required = serializers.BooleanField()  # type: ignore[assignment]
    default = serializers.JSONField(allow_null=True)
    min = serializers.FloatField(allow_null=True)
    max = serializers.FloatField(allow_null=True)
    precision = serializers.IntegerField(allow_null=True)
    options = serializers.ListField(child=serializers.CharField())

    def to_representation(self, instance: ParameterRule) -> dict[str, Any]:
        return {
            "name": instance.name,
            "use_template": instance.name if instance.name in TEMPLATES else None,
            "label": text(instance.label),
            "type": instance.type,
            "help": text(instance.help) if instance.help else None,
            "required": instance.required,
            "default": instance.default,
            "min": instance.min,
            "max": instance.max,
            "precision": instance.precision,
            "options": list(instance.options),
        }


class RuleList(serializers.Serializer[Any]):
    data = RuleRecord(many=True)  # type: ignore[assignment]


class CredentialRecord(serializers.Serializer[Any]):
    """The values of one credential, what is secret masked."""

    credentials = serializers.DictField(child=serializers.CharField(), allow_null=True)


class BalancedCredential(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    credentials = serializers.DictField(child=serializers.CharField())
    credential_id = serializers.UUIDField()
    enabled = serializers.BooleanField(help_text="Whether it takes its turn.")
    in_cooldown = serializers.BooleanField()
    ttl = serializers.IntegerField(help_text="Seconds that it still rests, after it failed.")


class Balancing(serializers.Serializer[Any]):
    enabled = serializers.BooleanField()
    configs = BalancedCredential(many=True)


class ModelCredentialRecord(CredentialRecord):
    current_credential_id = serializers.UUIDField(allow_null=True)
    current_credential_name = serializers.CharField(allow_null=True)
    load_balancing = Balancing()
    available_credentials = CredentialName(many=True)


def current(rows: Any) -> dict[str, Any]:
    """What calls use, of credentials in the order of preference."""
    first = next((row for row in rows if row.enabled), None)
    return {
        "current_credential_id": first and str(first.pk),
        "current_credential_name": first and first.name,
    }


def masked(row: Any) -> dict[str, str]:
    return credentials.masked(row)
