"""Removing an app: gone at once for everybody, its rows in the background, a few hundred at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import TagBinding
from apps.models import ApiToken, App, AppStar, AppStatus, Conversation, EndUser, Message, Run, RunStatus, Site, UploadFile
from difyproj.infra import jobs

from . import annotation_reply, apps

KIND: Final = "apps.removal"
BATCH: Final = 300


@transaction.atomic
def begin(app: App, *, by: UUID) -> list[UUID]:
    """Nothing reaches the app any more. The runs that still go on, for the caller to stop."""
    App.objects.select_for_update().get(pk=app.pk)  # nobody ties something to it from here on
    for rows in (
        ApiToken.objects.filter(app=app),
        Site.objects.filter(app=app),
        AppStar.objects.filter(app=app),
        TagBinding.objects.for_tenant(app.tenant_id).filter(target_id=app.pk),
    ):
        rows.delete()
    apps.update(app, status=AppStatus.REMOVED, updated_by_id=by)
    jobs.enqueue(KIND, app.pk, tenant_id=app.tenant_id, created_by_id=by, unique=True)
    return list(Run.objects.filter(app=app, status=RunStatus.RUNNING).values_list("pk", flat=True))


def is_busy(app_id: UUID | str) -> bool:
    """Whether a run of the app still writes."""
    return Run.objects.filter(app_id=app_id, status=RunStatus.RUNNING).exists()


def carry_out(app_id: UUID | str, removed: Callable[[int], None]) -> None:
    """Delete what the app left, then the app. May be repeated; ``removed`` is told how many rows went so far."""
    app = App.objects.filter(pk=app_id, status=AppStatus.REMOVED).first()
    if app is None:
        return
    annotation_reply.forget_all(app)
    total = 0
    for rows in _left_by(app):
        while deleted := _delete_some(rows):
            total += deleted
            removed(total)
    app.delete()


def _left_by(app: App) -> list[QuerySet[Any]]:
    """From the leaves to the root, so that no deletion drags a whole history into memory."""
    return [model.objects.filter(app=app) for model in (Message, Conversation, Run, UploadFile, EndUser)]


def _delete_some(rows: QuerySet[Any]) -> int:
    keys = list(rows.order_by().values_list("pk", flat=True)[:BATCH])
    if keys:
        with transaction.atomic():
            rows.filter(pk__in=keys).delete()
    return len(keys)
