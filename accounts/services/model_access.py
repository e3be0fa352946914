"""What a tenant's model calls need, remembered while warm: opened credentials by provider, and its default models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from accounts.models import DefaultModel, ModelCredential, ModelSetting, Tenant
from difyproj.infra.cache import Cached
from difyproj.kernel.errors import ModelNotSupported, ProviderNotInitialize
from difyproj.kernel.registry import UnknownEntry
from difyproj.model_runtime import catalogue
from difyproj.model_runtime.base import Credential, ModelType

from . import credentials, default_models, model_settings


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model of a provider; ``provider`` is the catalogue's own name."""

    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class _Access:
    """How a model is called: with these credentials, or not at all."""

    credentials: tuple[Credential, ...]
    is_enabled: bool


_opened: Cached[_Access] = Cached("model_credentials", ttl=300.0, max_entries=5_000)
_defaults: Cached[ModelChoice | None] = Cached("default_models", ttl=300.0, max_entries=5_000)


def credentials_for(
    tenant_id: UUID, provider: str, *, model: str, model_type: ModelType = ModelType.LLM
) -> Sequence[Credential]:
    """The credentials of a call, several where the tenant spreads the model's calls.

    Raises ProviderNotInitialize when the provider is unknown or needs some and has none, ModelNotSupported for a model that
    the tenant has disabled.
    """
    try:
        own = catalogue.resolve(provider)
    except UnknownEntry as error:
        raise ProviderNotInitialize(f"The model provider {provider} is not known here.") from error
    key = (tenant_id, own, str(model_type), model)
    access = _opened.get(key, lambda: _open(tenant_id, own, model, model_type))
    if not access.is_enabled:
        raise ModelNotSupported(f"The model {model} is disabled in the workspace's settings.")
    if not access.credentials and any(field.required for field in catalogue.provider_class(own).credential_fields):
        raise ProviderNotInitialize(f"Model provider {provider} has no credentials. Add them in the model provider settings.")
    return access.credentials


def default_model(tenant_id: UUID, model_type: ModelType) -> ModelChoice | None:
    """The tenant's default of the type, or None."""
    return _defaults.get((tenant_id, str(model_type)), lambda: _default(tenant_id, model_type))


def _open(tenant_id: UUID, provider: str, model: str, model_type: ModelType) -> _Access:
    own, wide = credentials.usable(Tenant(pk=tenant_id), provider, model_type=model_type, model=model)
    setting = model_settings.get(tenant_id, provider, model_type=model_type, model=model)
    return _Access(tuple(credentials.opened(model_settings.serving(setting, own, wide))), setting is None or setting.enabled)


def _default(tenant_id: UUID, model_type: ModelType) -> ModelChoice | None:
    row = default_models.get(Tenant(pk=tenant_id), model_type)
    return None if row is None else ModelChoice(catalogue.resolve(row.provider), row.model)


@receiver((post_save, post_delete), sender=ModelCredential, dispatch_uid="forget_model_credentials")
@receiver((post_save, post_delete), sender=ModelSetting, dispatch_uid="forget_model_credentials_of_setting")
def _forget_credentials(**_: Any) -> None:
    _opened.invalidate(None)


@receiver((post_save, post_delete), sender=DefaultModel, dispatch_uid="forget_default_models")
def _forget_defaults(**_: Any) -> None:
    _defaults.invalidate(None)
