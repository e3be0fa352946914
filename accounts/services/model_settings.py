"""What a tenant chose for one model besides credentials: whether it may be called, and by which credentials in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import ModelCredential, ModelSetting, Tenant
from difyproj.kernel.errors import InvalidParam

from . import credentials


def get(tenant_id: UUID, provider: str, *, model_type: str, model: str) -> ModelSetting | None:
    """The setting of a model of ``provider`` (the catalogue's own name), if the tenant ever changed it."""
    rows = ModelSetting.objects.for_tenant(tenant_id)
    return rows.filter(provider=provider, model_type=model_type, model=model).first()


def serving(
    setting: ModelSetting | None, own: Sequence[ModelCredential], wide: Sequence[ModelCredential]
) -> Sequence[ModelCredential]:
    """Which of the usable credentials serve a model's calls: the preferred one, or those that share them."""
    by_default = own or wide
    if setting is None or not setting.load_balancing_enabled:
        return by_default[:1]
    chosen = set(setting.spread_over)
    return [row for row in (*own, *wide) if str(row.pk) in chosen] or by_default


def enable(*, tenant: Tenant, provider: str, model_type: str, model: str, enabled: bool) -> ModelSetting:
    """A model that is not enabled is neither offered nor called."""
    return _change(tenant, provider, model_type, model, {"enabled": enabled})


@transaction.atomic
def balance(
    *, tenant: Tenant, provider: str, model_type: str, model: str, enabled: bool, spread_over: Sequence[str] | None = None
) -> ModelSetting:
    """Spread the model's calls over ``spread_over`` (None: as before), or over one credential only.

    Raises InvalidParam for a credential that is none of the model's or its provider's.
    """
    changes: dict[str, Any] = {"load_balancing_enabled": enabled}
    if spread_over is not None:
        own, wide = credentials.usable(tenant, credentials.own_name(provider), model_type=model_type, model=model)
        if set(spread_over) - {str(row.pk) for row in (*own, *wide)}:
            raise InvalidParam("A credential of the list does not serve this model.", params="load_balancing")
        changes["spread_over"] = list(dict.fromkeys(spread_over))
    return _change(tenant, provider, model_type, model, changes)


@transaction.atomic
def forget(*, tenant: Tenant, provider: str, model_type: str, model: str) -> None:
    """Remove a custom model: its credentials and its setting."""
    own = credentials.own_name(provider)
    for rows in (ModelCredential.objects.for_tenant(tenant), ModelSetting.objects.for_tenant(tenant)):
        for row in rows.filter(provider=own, model_type=model_type, model=model):
            row.delete()


def _change(tenant: Tenant, provider: str, model_type: str, model: str, changes: dict[str, Any]) -> ModelSetting:
    row, _ = ModelSetting.objects.update_or_create(
        tenant=tenant,
        provider=credentials.own_name(provider),
        model_type=model_type,
        model=model,
        defaults=changes,
    )
    return row
