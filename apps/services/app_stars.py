"""Stars: an account keeps an app at hand."""

from __future__ import annotations

from apps.models import App, AppStar
from difyproj.kernel.principal import Principal


def add(principal: Principal, app: App) -> None:
    AppStar.objects.get_or_create(app=app, account_id=principal.actor_id)


def remove(principal: Principal, app: App) -> None:
    AppStar.objects.filter(app=app, account_id=principal.actor_id).delete()
