"""The model a tenant uses where nothing else is chosen, one per model type."""

from __future__ import annotations

from accounts.models import DefaultModel, Tenant
from difyproj.kernel.errors import InvalidParam
from difyproj.kernel.registry import UnknownEntry
from difyproj.model_runtime import catalogue
from difyproj.model_runtime.base import ModelType


def update(*, tenant: Tenant, model_type: str, provider: str, model: str) -> DefaultModel:
    """Choose the default of ``model_type``; a choice made before is replaced."""
    if model_type not in set(ModelType):
        raise InvalidParam(f"model_type must be one of: {', '.join(ModelType)}.", params="model_type")
    try:
        own = catalogue.resolve(provider)
    except UnknownEntry as error:
        raise InvalidParam(str(error), params="provider") from error
    row, _ = DefaultModel.objects.update_or_create(
        tenant=tenant, model_type=str(model_type), defaults={"provider": own, "model": model}
    )
    return row


def get(tenant: Tenant, model_type: str) -> DefaultModel | None:
    return DefaultModel.objects.for_tenant(tenant).filter(model_type=model_type).first()
