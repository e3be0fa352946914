"""A tenant's credentials for model providers: sealed when written, opened only for a model call, shown masked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import Account, ModelCredential, Tenant
from accounts.services import data_keys
from difyproj.kernel import ids, jsonio, secrets
from difyproj.kernel.errors import InvalidParam, NotFound
from difyproj.kernel.principal import Principal
from difyproj.kernel.registry import UnknownEntry
from difyproj.model_runtime import catalogue
from difyproj.model_runtime.base import Credential, CredentialField, ModelType

UNCHANGED = "[__HIDDEN__]"
LONGEST_VALUE = 20_000
ADDRESS = re.compile("url|base|endpoint|host|server")


class CredentialNotFound(NotFound):
    default_message = "Credential not found."


class CredentialNameTaken(InvalidParam):
    default_message = "This provider has a credential of this name."


@transaction.atomic
def create(
    *,
    tenant: Tenant,
    provider: str,
    values: Mapping[str, str],
    name: str = "",
    model_type: str = "",
    model: str = "",
    created_by: Account | None = None,
) -> ModelCredential:
    """A provider-wide credential, or with ``model_type`` and ``model`` one that defines a custom model.

    ``provider`` may be written as app files write it; the row keeps the catalogue's own name. A nameless one gets a name.
    """
    if bool(model) != bool(model_type) or (model_type and model_type not in set(ModelType)):
        raise InvalidParam("A custom model needs its name and a model type.", params="model_type")
    row = ModelCredential(
        id=ids.new_id(),
        tenant=tenant,
        provider=own_name(provider),
        name=name,
        model_type=model_type,
        model=model,
        created_by=created_by,
    )
    row.sealed = _sealed(row, checked(row.provider, values))
    row.name = name or _free_name(row)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise CredentialNameTaken(params="name") from error
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
        row.sealed = _sealed(row, merged(row, values))
    row.name = row.name if name is None else name
    row.enabled = row.enabled if enabled is None else enabled
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise CredentialNameTaken(params="name") from error
    return row


def delete(*, credential: ModelCredential) -> None:
    credential.delete()


@transaction.atomic
def switch(*, credential: ModelCredential) -> ModelCredential:
    """Calls use this one from now on. Raises InvalidParam for one that is disabled."""
    rows = list(
        ModelCredential.objects.select_for_update()
        .for_tenant(credential.tenant_id)
        .filter(provider=credential.provider, model_type=credential.model_type, model=credential.model)
    )
    chosen = next((row for row in rows if row.pk == credential.pk), None)
    if chosen is None:
        raise CredentialNotFound
    if not chosen.enabled:
        raise InvalidParam("The credential is disabled.", params="credential_id")
    for row in rows:
        if row.current and row is not chosen:
            row.current = False
            row.save(update_fields=["current", "updated_at"])
    chosen.current = True
    chosen.save(update_fields=["current", "updated_at"])
    return chosen


def get(principal: Principal, provider: str, credential_id: str, *, model_type: str = "", model: str = "") -> ModelCredential:
    """A credential of the provider or of its model. Raises CredentialNotFound."""
    rows = ModelCredential.objects.visible_to(principal).select_related("tenant")
    rows = rows.filter(provider=own_name(provider), model_type=model_type, model=model)
    key = ids.parse(credential_id)
    found = rows.filter(pk=key).first() if key else None
    if found is None:
        raise CredentialNotFound
    return found


def find(principal: Principal, provider: str, credential_id: str | None) -> ModelCredential | None:
    """The provider-wide credential of the id; without an id the one that calls use, if there is any."""
    if credential_id:
        return get(principal, provider, credential_id)
    _, wide = usable(Tenant(pk=principal.tenant_id), own_name(provider))
    return wide[0] if wide else None


def precedence(row: ModelCredential) -> tuple[bool, Any]:
    """The order in which calls prefer credentials of one kind: the chosen one, then by age."""
    return not row.current, row.created_at


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


def usable(
    tenant: Tenant, provider: str, *, model_type: str = "", model: str = ""
) -> tuple[list[ModelCredential], list[ModelCredential]]:
    """Enabled credentials of the custom model itself, and those of the provider; the preferred ones first."""
    rows = sorted(ModelCredential.objects.for_tenant(tenant).usable(provider).select_related("tenant"), key=precedence)
    own = [row for row in rows if model and (row.model_type, row.model) == (model_type, model)]
    return own, [row for row in rows if not row.model]


def opened(rows: Iterable[ModelCredential]) -> list[Credential]:
    return [Credential(id=str(row.pk), values=get_values(row)) for row in rows]


def _sealed(row: ModelCredential, values: Mapping[str, str]) -> bytes:
    """Sealed under the tenant's key as it is now: the lock keeps a renewal of the key from passing in between."""
    tenant = Tenant.objects.select_for_update().get(pk=row.tenant_id)
    return secrets.seal(data_keys.open_key(tenant), jsonio.dumps(dict(values)), context=data_keys.sealing_context(row))


def merged(credential: ModelCredential, given: Mapping[str, str]) -> dict[str, str]:
    """The values after an update with what was given: secrets that are ``UNCHANGED`` or their own mask stay.

    Raises InvalidParam, too, where a secret that stays would be sent to an address that changes.
    """
    return checked(credential.provider, _merged(get_values(credential), given))


def _merged(kept: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    staying = {name for name, value in given.items() if name in kept and value in (UNCHANGED, secrets.mask(kept[name]))}
    moved = [name for name in {*kept, *given} if ADDRESS.search(name) and kept.get(name, "") != given.get(name, "")]
    if staying and [name for name in moved if name not in staying]:
        raise InvalidParam("Enter the secrets again when the address changes.", params="credentials")
    return {name: kept[name] if name in staying else value for name, value in given.items()}


def checked(provider: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Values as they may be kept. Raises InvalidParam for what is no text, and for what the provider's form misses."""
    if any(not isinstance(value, str) or len(value) > LONGEST_VALUE for value in values.values()):
        raise InvalidParam("Each value of a credential must be a text.", params="credentials")
    missing = [field.name for field in _fields(provider) if field.required and not (values.get(field.name) or field.default)]
    if missing:
        raise InvalidParam(f"These values are missing: {', '.join(missing)}.", params="credentials")
    return dict(values)


def own_name(provider: str) -> str:
    """The catalogue's name of a provider as clients write it. Raises InvalidParam."""
    try:
        return catalogue.resolve(provider)
    except UnknownEntry as error:
        raise InvalidParam(str(error), params="provider") from error


def _free_name(row: ModelCredential) -> str:
    """Found while sealing holds the tenant's lock."""
    rows = ModelCredential.objects.for_tenant(row.tenant_id)
    rows = rows.filter(provider=row.provider, model_type=row.model_type, model=row.model)
    taken = set(rows.values_list("name", flat=True))
    return next(name for number in count(1) if (name := f"API KEY {number}") not in taken)


def _fields(provider: str) -> Sequence[CredentialField]:
    return catalogue.provider_class(provider).credential_fields
