"""A tenant's credentials for model providers: sealed when written, opened only for a model call, shown masked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import Account, ModelCredential, Tenant
from accounts.services import data_keys
from difyproj.kernel import ids, jsonio, secrets
from difyproj.kernel.errors import Conflict, InvalidParam
from difyproj.kernel.registry import UnknownEntry
from difyproj.model_runtime import catalogue
from difyproj.model_runtime.base import Credential, CredentialField, ModelType

UNCHANGED = "[__HIDDEN__]"
LONGEST_VALUE = 20_000
ADDRESS = re.compile("url|base|endpoint|host|server")


@transaction.atomic
def create(
    *,
    tenant: Tenant,
    provider: str,
    values: Mapping[str, str],
    name: str = "default",
    model_type: str = "",
    model: str = "",
    created_by: Account | None = None,
) -> ModelCredential:
    """A provider-wide credential, or with ``model_type`` and ``model`` one that defines a custom model.

    ``provider`` may be written as app files write it; the row keeps the catalogue's own name.
    """
    if bool(model) != bool(model_type) or (model_type and model_type not in set(ModelType)):
        raise InvalidParam("A custom model needs its name and a model type.", params="model_type")
    row = ModelCredential(
        id=ids.new_id(),
        tenant=tenant,
        provider=_own_name(provider),
        name=name,
        model_type=model_type,
        model=model,
        created_by=created_by,
    )
    row.sealed = _sealed(row, _checked(row.provider, values))
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("This provider has a credential of this name.", params="name") from error
    return row


@transaction.atomic
def update(
    *,
    credential: ModelCredential,
    values: Mapping[str, str] | None = None,
    name: str | None = None,
    enabled: bool | None = None,
) -> ModelCredential:
    """Change what is given. A value that is ``UNCHANGED`` or its own mask keeps what is stored."""
    row = ModelCredential.objects.select_for_update().get(pk=credential.pk)
    if values is not None:
        row.sealed = _sealed(row, _checked(row.provider, _merged(get_values(row), values)))
    row.name = row.name if name is None else name
    row.enabled = row.enabled if enabled is None else enabled
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise Conflict("This provider has a credential of this name.", params="name") from error
    return row


def delete(*, credential: ModelCredential) -> None:
    credential.delete()


def get_values(credential: ModelCredential) -> dict[str, str]:
    """The secrets themselves, for a model call. Never for an answer, a log or a page: those take ``masked``."""
    context = data_keys.sealing_context(credential)
    values: dict[str, str] = jsonio.loads(
        secrets.unseal(data_keys.open_key(credential.tenant), bytes(credential.sealed), context=context)
    )
    return values


def masked(credential: ModelCredential) -> dict[str, str]:
    """The values as people see them: what the provider does not call a plain input is masked."""
    plain = {field.name for field in _fields(credential.provider) if field.kind != "secret-input"}
    return {name: value if name in plain else secrets.mask(value) for name, value in get_values(credential).items()}


def list_for(tenant: Tenant, provider: str, *, model_type: str = "", model: str = "") -> list[Credential]:
    """Enabled credentials for a call, opened: the custom model's own where it has any, otherwise the provider-wide ones."""
    rows = list(ModelCredential.objects.for_tenant(tenant).usable(provider).select_related("tenant"))
    own = [row for row in rows if model and (row.model_type, row.model) == (model_type, model)]
    return _opened(own or [row for row in rows if not row.model])


def _opened(rows: Iterable[ModelCredential]) -> list[Credential]:
    return [Credential(id=str(row.pk), values=get_values(row)) for row in rows]


def _sealed(row: ModelCredential, values: Mapping[str, str]) -> bytes:
    """Sealed under the tenant's key as it is now: the lock keeps a renewal of the key from passing in between."""
    tenant = Tenant.objects.select_for_update().get(pk=row.tenant_id)
    return secrets.seal(data_keys.open_key(tenant), jsonio.dumps(dict(values)), context=data_keys.sealing_context(row))


def _merged(kept: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """What was given, with the secrets that stay. A secret that stays must not be sent to an address that changes."""
    staying = {name for name, value in given.items() if name in kept and value in (UNCHANGED, secrets.mask(kept[name]))}
    moved = [name for name in {*kept, *given} if ADDRESS.search(name) and kept.get(name, "") != given.get(name, "")]
    if staying and [name for name in moved if name not in staying]:
        raise InvalidParam("Enter the secrets again when the address changes.", params="credentials")
    return {name: kept[name] if name in staying else value for name, value in given.items()}


def _checked(provider: str, values: Mapping[str, Any]) -> dict[str, str]:
    if any(not isinstance(value, str) or len(value) > LONGEST_VALUE for value in values.values()):
        raise InvalidParam("Each value of a credential must be a text.", params="credentials")
    missing = [field.name for field in _fields(provider) if field.required and not (values.get(field.name) or field.default)]
    if missing:
        raise InvalidParam(f"These values are missing: {', '.join(missing)}.", params="credentials")
    return dict(values)


def _own_name(provider: str) -> str:
    try:
        return catalogue.resolve(provider)
    except UnknownEntry as error:
        raise InvalidParam(str(error), params="provider") from error


def _fields(provider: str) -> Sequence[CredentialField]:
    return catalogue.provider_class(provider).credential_fields
