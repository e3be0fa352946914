"""What a tenant's model calls need, remembered while warm: opened credentials by provider, and its default models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from accounts.models import DefaultModel, ModelCredential, Tenant
from difyproj.infra.cache import Cached
from difyproj.kernel.errors import ProviderNotInitialize
from difyproj.kernel.registry import UnknownEntry
from difyproj.model_runtime import catalogue
from difyproj.model_runtime.base import Credential, ModelType

from . import credentials, default_models


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model of a provider; ``provider`` is the catalogue's own name."""

    provider: str
    model: str


_opened: Cached[tuple[Credential, ...]] = Cached("model_credentials", ttl=300.0, max_entries=5_000)
_defaults: Cached[ModelChoice | None] = Cached("default_models", ttl=300.0, max_entries=5_000)


def credentials_for(
    tenant_id: UUID, provider: str, *, model: str, model_type: ModelType = ModelType.LLM
) -> Sequence[Credential]:
    """The credentials of a call. Raises ProviderNotInitialize when the provider is unknown or needs some and has none."""
    try:
        own = catalogue.resolve(provider)
    except UnknownEntry as error:
        raise ProviderNotInitialize(f"The model provider {provider} is not known here.") from error
    key = (tenant_id, own, str(model_type), model)
    found = _opened.get(key, lambda: _open(tenant_id, own, model, model_type))
    if not found and any(field.required for field in catalogue.provider_class(own).credential_fields):
        raise ProviderNotInitialize(f"Model provider {provider} has no credentials. Add them in the model provider settings.")
    return found


def default_model(tenant_id: UUID, model_type: ModelType) -> ModelChoice | None:
    """The tenant's default of the type, or None."""
    return _defaults.get((tenant_id, str(model_type)), lambda: _default(tenant_id, model_type))


def _open(tenant_id: UUID, provider: str, model: str, model_type: ModelType) -> tuple[Credential, ...]:
    tenant = Tenant(pk=tenant_id)
    return tuple(credentials.list_for(tenant, provider, model_type=model_type, model=model))


def _default(tenant_id: UUID, model_type: ModelType) -> ModelChoice | None:
    row = default_models.get(Tenant(pk=tenant_id), model_type)
    return None if row is None else ModelChoice(catalogue.resolve(row.provider), row.model)


@receiver((post_save, post_delete), sender=ModelCredential, dispatch_uid="forget_model_credentials")
def _forget_credentials(**_: Any) -> None:
    _opened.invalidate(None)


@receiver((post_save, post_delete), sender=DefaultModel, dispatch_uid="forget_default_models")
def _forget_defaults(**_: Any) -> None:
    _defaults.invalidate(None)
