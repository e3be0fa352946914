"""Model providers as a tenant sees them: their forms, its credentials by name, its models and its default models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.models import ModelCredential, Tenant
from difyproj.kernel.errors import InvalidParam, NotFound
from difyproj.kernel.principal import Principal
from difyproj.kernel.registry import UnknownEntry
from difyproj.model_runtime import catalogue
from difyproj.model_runtime.base import CredentialField, ModelType
from difyproj.model_runtime.catalogue import ProviderInfo
from difyproj.model_runtime.model_facts import ParameterRule

from . import credentials, default_models
from .model_inventory import FetchFrom, Inventory, ModelEntry

ICONS = ("icon_small", "icon_large")


class ProviderNotFound(NotFound):
    default_message = "Model provider not found."


@dataclass(frozen=True, slots=True)
class ProviderName:
    """What stands on every list that mentions a provider. ``provider`` is the name that clients know it by."""

    tenant_id: UUID
    provider: str
    label: str
    icon_small: str
    icon_large: str
    supported_model_types: Sequence[ModelType]


@dataclass(frozen=True, slots=True)
class CustomModel:
    model: str
    model_type: str
    credentials: Sequence[ModelCredential]


@dataclass(frozen=True, slots=True)
class ProviderView:
    """A provider with what the tenant keeps for it; ``credentials`` and ``custom_models`` lead with what calls use."""

    name: ProviderName
    configurate_methods: Sequence[FetchFrom]
    form: Sequence[CredentialField]
    is_configured: bool
    credentials: Sequence[ModelCredential]
    custom_models: Sequence[CustomModel]


@dataclass(frozen=True, slots=True)
class ProviderModels:
    name: ProviderName
    models: Sequence[ModelEntry]


@dataclass(frozen=True, slots=True)
class DefaultChoice:
    name: ProviderName
    model: str
    model_type: str


def resolve(name: str) -> str:
    """The catalogue's own name of a provider in an address. Raises ProviderNotFound."""
    try:
        return catalogue.resolve(name)
    except UnknownEntry as error:
        raise ProviderNotFound from error


def named(tenant_id: UUID, provider: str) -> ProviderName:
    info = catalogue.info(provider)
    public = catalogue.public_name(info.name)
    icons = {
        icon: f"{settings.PUBLIC_URL}/console/api/workspaces/{tenant_id}/model-providers/{public}/{icon}/en_US"
        for icon in ICONS
    }
    return ProviderName(tenant_id, public, info.label, supported_model_types=_types(info), **icons)


def list_all(principal: Principal, model_type: ModelType | None = None) -> list[ProviderView]:
    """Every provider, or every one with models of the type."""
    inventory = Inventory(principal.tenant_id)
    wanted = [info for info in catalogue.providers() if model_type is None or model_type in info.model_types]
    return [_view(principal.tenant_id, info, inventory) for info in wanted]


def models(principal: Principal, provider: str) -> ProviderModels:
    """All models of one provider, usable or not. Raises ProviderNotFound."""
    own = resolve(provider)
    return ProviderModels(named(principal.tenant_id, own), Inventory(principal.tenant_id).models(own))


def usable_models(principal: Principal, model_type: str) -> list[ProviderModels]:
    """Models that can be called now, by provider. Raises InvalidParam for an unknown type."""
    wanted, inventory = parse_type(model_type), Inventory(principal.tenant_id)
    found = []
    for info in catalogue.providers():
        if wanted in info.model_types and inventory.is_configured(info.name):
            entries = [entry for entry in inventory.models(info.name, wanted) if entry.is_usable]
            if entries:
                found.append(ProviderModels(named(principal.tenant_id, info.name), entries))
    return found


def parameter_rules(principal: Principal, provider: str, model: str) -> Sequence[ParameterRule]:
    """The form of a chat model's parameters; its own credential may say what is not known of it."""
    own = resolve(provider)
    kind = ModelType.LLM.value
    row = next(iter(Inventory(principal.tenant_id).own(own).get((kind, model), [])), None)
    return catalogue.facts(own, model, credential=credentials.get_values(row) if row else None).parameter_rules


def default_model(principal: Principal, model_type: str) -> DefaultChoice | None:
    """The tenant's default of the type. Raises InvalidParam for an unknown type."""
    row = default_models.get(Tenant(pk=principal.tenant_id), parse_type(model_type))
    return None if row is None else DefaultChoice(named(principal.tenant_id, row.provider), row.model, row.model_type)


@transaction.atomic
def choose_defaults(*, tenant: Tenant, chosen: Iterable[Mapping[str, Any]]) -> None:
    """Each is a model type with the provider and model to use where nothing else is chosen; without them nothing changes.

    Raises InvalidParam for a model that the tenant cannot call.
    """
    inventory = Inventory(tenant.pk)
    for one in chosen:
        if one.get("provider") and one.get("model"):
            kind, own = parse_type(one["model_type"]), credentials.own_name(one["provider"])
            _demand(inventory, own, kind, one["model"])
            default_models.update(tenant=tenant, model_type=kind, provider=own, model=one["model"])


def parse_type(model_type: str) -> ModelType:
    try:
        return ModelType(model_type)
    except ValueError as error:
        raise InvalidParam(f"model_type must be one of: {', '.join(ModelType)}.", params="model_type") from error


def _demand(inventory: Inventory, provider: str, model_type: ModelType, model: str) -> None:
    info = catalogue.info(provider)
    listed = {entry.model for entry in inventory.models(provider, model_type)}
    if model_type not in info.model_types or not (model in listed or info.accepts_custom_models):
        raise InvalidParam(f"{info.label} has no {model_type} model {model}.", params="model")
    if not inventory.is_configured(provider):
        raise InvalidParam(f"{info.label} has no credentials yet.", params="provider")


def _view(tenant_id: UUID, info: ProviderInfo, inventory: Inventory) -> ProviderView:
    methods = [FetchFrom.PREDEFINED] if catalogue.models(info.name) else []
    return ProviderView(
        name=named(tenant_id, info.name),
        configurate_methods=[*methods, FetchFrom.CUSTOM] if info.accepts_custom_models else methods,
        form=info.credential_fields,
        is_configured=inventory.is_configured(info.name),
        credentials=inventory.wide(info.name),
        custom_models=[CustomModel(model, kind, rows) for (kind, model), rows in inventory.own(info.name).items()],
    )


def _types(info: ProviderInfo) -> list[ModelType]:
    return [kind for kind in ModelType if kind in info.model_types]
