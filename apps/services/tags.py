"""Tags on what carries them: each type of tag has rows of its own that it may be bound to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

from django.db import transaction

from accounts.models import TagType
from accounts.services import tags
from apps.models import App
from difyproj.kernel.errors import NotFound
from difyproj.kernel.principal import Principal

from . import apps


class TargetNotFound(NotFound):
    default_message = "There is nothing of this kind to bind a tag to."


@transaction.atomic
def bind(*, principal: Principal, tag_ids: Sequence[UUID], type: str, target_id: UUID) -> None:
    """Raises NotFound for a target or tag that is not the tenant's, Forbidden for who may not edit it."""
    tags.demand(principal, type)
    _target(principal, type, target_id)
    tags.bind(principal=principal, tag_ids=tag_ids, type=type, target_id=target_id)


@transaction.atomic
def unbind(*, principal: Principal, tag_ids: Sequence[UUID], type: str, target_id: UUID) -> None:
    """As ``bind``; a tag that the target does not carry changes nothing."""
    tags.demand(principal, type)
    _target(principal, type, target_id)
    tags.unbind(principal=principal, tag_ids=tag_ids, type=type, target_id=target_id)


def _app(principal: Principal, app_id: UUID) -> None:
    """Locked, so that an app that is removed meanwhile leaves no binding behind."""
    found = apps.get(principal, app_id)
    App.objects.select_for_update().get(pk=found.pk)
    apps.get(principal, app_id)


TARGETS: Final[dict[str, Callable[[Principal, UUID], None]]] = {TagType.APP: _app}


def _target(principal: Principal, type: str, target_id: UUID) -> None:
    check = TARGETS.get(type)
    if check is None:
        raise TargetNotFound
    check(principal, target_id)
