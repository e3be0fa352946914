"""The API keys of an app as its builders manage them: a few at most, each shown once."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import transaction

from apps.models import ApiToken, App
from apps.models.token import ApiTokenQuerySet
from difyproj.kernel import ids
from difyproj.kernel.errors import BadRequest, NotFound

from . import tokens

MOST: Final = 10


class KeyNotFound(NotFound):
    default_message = "API key not found."


class TooManyKeys(BadRequest):
    default_message = f"Cannot create more than {MOST} API keys for this resource type."


def rows(app: App) -> list[ApiToken]:
    return list(_of(app).order_by("-created_at", "-id"))


@transaction.atomic
def create(app: App) -> tuple[ApiToken, str]:
    """The row and the key, which nobody can read again. Raises TooManyKeys."""
    App.objects.select_for_update().get(pk=app.pk)
    if _of(app).count() >= MOST:
        raise TooManyKeys
    return tokens.create(tenant=app.tenant, app=app)


def delete(app: App, key_id: UUID | str) -> None:
    """The key is refused from now on. Raises KeyNotFound."""
    key = ids.parse(key_id)
    found = _of(app).filter(pk=key).first() if key else None
    if found is None:
        raise KeyNotFound
    tokens.delete(found)


def _of(app: App) -> ApiTokenQuerySet:
    return ApiToken.objects.for_tenant(app.tenant_id).filter(app=app)
