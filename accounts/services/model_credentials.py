"""The credentials of one model: which there are, which take turns, and the choice of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import Account, ModelCredential, Tenant
from difyproj.infra import db
from difyproj.kernel.errors import InvalidParam
from difyproj.kernel.principal import Principal

from . import checked_credentials, credentials, model_settings


@dataclass(frozen=True, slots=True)
class ModelCredentials:
    """``own`` are the model's, ``turns`` all that could share its calls; ``taking`` are the ids of those that do."""

    shown: ModelCredential | None
    own: Sequence[ModelCredential]
    turns: Sequence[ModelCredential]
    taking: frozenset[UUID]
    load_balancing_enabled: bool


def describe(
    principal: Principal, provider: str, *, model_type: str, model: str, credential_id: str | None = None
) -> ModelCredentials:
    """``shown`` is the credential of the id, without one the current one of the model. Raises CredentialNotFound."""
    tenant, name = Tenant(pk=principal.tenant_id), credentials.own_name(provider)
    own, wide = credentials.usable(tenant, name, model_type=model_type, model=model)
    setting = model_settings.get(tenant.pk, name, model_type=model_type, model=model)
    shown = own[0] if own else None
    if credential_id:
        shown = credentials.get(principal, name, credential_id, model_type=model_type, model=model)
    taking = frozenset(row.pk for row in model_settings.serving(setting, own, wide))
    balanced = setting is not None and setting.load_balancing_enabled
    return ModelCredentials(shown, own, [*own, *wide], taking, balanced)


def sharing(principal: Principal, provider: str, credential_id: str, *, model_type: str, model: str) -> ModelCredential:
    """A credential that may take turns in the model's calls: its own or the provider's. Raises CredentialNotFound."""
    try:
        return credentials.get(principal, provider, credential_id, model_type=model_type, model=model)
    except credentials.CredentialNotFound:
        return credentials.get(principal, provider, credential_id)


async def choose(
    *,
    principal: Principal,
    tenant: Tenant,
    provider: str,
    model_type: str,
    model: str,
    credential_id: str | None = None,
    values: Mapping[str, str] | None = None,
    name: str | None = None,
    balancing: Mapping[str, Any] | None = None,
    created_by: Account | None = None,
) -> None:
    """Make a custom model's credential the current one, give the model its values, spread its calls or stop that.

    ``values`` change the credential that the model uses, or become its first, once its provider has accepted them.
    ``balancing`` has ``enabled`` and maybe ``configs``, the credentials that take turns: known ones by their id, new ones with
    their values, which their provider is asked about; one with neither means the current credential.
    """
    for config in _taking(balancing):
        if _is_new(config):
            await checked_credentials.check(provider=provider, values=config["credentials"], model=model)
    if values:
        await _keep(tenant, _Target(provider, model_type, model), credential_id, values, name, created_by)
    await db.run(_choose, principal, tenant, _Target(provider, model_type, model), credential_id, balancing, created_by)


@dataclass(frozen=True, slots=True)
class _Target:
    provider: str
    model_type: str
    model: str


async def _keep(
    tenant: Tenant,
    target: _Target,
    credential_id: str | None,
    values: Mapping[str, str],
    name: str | None,
    created_by: Account | None,
) -> None:
    kind = {"model_type": target.model_type, "model": target.model}
    own, _ = await db.run(credentials.usable, tenant, target.provider, **kind)
    known = next((row for row in own if credential_id in (None, str(row.pk))), None)
    if known is None and credential_id is not None:
        raise credentials.CredentialNotFound
    if known is not None:
        await checked_credentials.update(credential=known, values=values, name=name)
        return
    await checked_credentials.create(
        tenant=tenant, provider=target.provider, values=values, name=name or "", created_by=created_by, **kind
    )


@transaction.atomic
def _choose(
    principal: Principal,
    tenant: Tenant,
    target: _Target,
    credential_id: str | None,
    balancing: Mapping[str, Any] | None,
    created_by: Account | None,
) -> None:
    kind = {"model_type": target.model_type, "model": target.model}
    if credential_id:
        credentials.switch(credential=credentials.get(principal, target.provider, credential_id, **kind))
    if balancing is None:
        return
    spread_over = None
    if balancing.get("configs") is not None:
        spread_over = [_id_of(config, tenant, target, created_by) for config in _taking(balancing)]
    model_settings.balance(
        tenant=tenant, provider=target.provider, enabled=balancing["enabled"], spread_over=spread_over, **kind
    )


def _id_of(config: Mapping[str, Any], tenant: Tenant, target: _Target, created_by: Account | None) -> str:
    """The credential that a config means; a new one is made."""
    kind = {"model_type": target.model_type, "model": target.model}
    known = config.get("credential_id") or config.get("id")
    if known:
        return str(known)
    if _is_new(config):
        name, values = config.get("name") or "", config["credentials"]
        row = credentials.create(
            tenant=tenant, provider=target.provider, values=values, name=name, created_by=created_by, **kind
        )
        return str(row.pk)
    own, wide = credentials.usable(tenant, target.provider, **kind)
    if not own and not wide:
        raise InvalidParam("The provider has no credential yet.", params="load_balancing")
    return str((own or wide)[0].pk)


def _taking(balancing: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    configs = (balancing or {}).get("configs") or ()
    return [config for config in configs if config.get("enabled", True)]


def _is_new(config: Mapping[str, Any]) -> bool:
    return bool(config.get("credentials")) and not (config.get("credential_id") or config.get("id"))
