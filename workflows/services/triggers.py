"""Triggers of an app: they follow its published graph, can be switched off, and fire each tick once."""

from __future__ import annotations

import secrets as random_secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import transaction

from apps.models import App, AppStatus
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import InvalidParam, NotFound
from difyproj.kernel.principal import Principal
from workflows.models import Trigger, TriggerKind, Workflow
from workflows.models.trigger import UNFINISHED
from workflows.nodes.trigger_schedule import TriggerScheduleData, next_after

from . import drafts, sealing

KINDS: Final[Mapping[str, TriggerKind]] = {
    "trigger-webhook": TriggerKind.WEBHOOK,
    "trigger-schedule": TriggerKind.SCHEDULE,
}
LONGEST_ERROR: Final = 2_000
# So long may a claimed tick wait for its run before another process looks after it.
PATIENCE: Final = timedelta(seconds=30)


class TriggerNotFound(NotFound):
    default_message = "Trigger not found."


@transaction.atomic
def sync(app: App, workflow: Workflow) -> list[Trigger]:
    """The app's triggers as the graph has them: new ones made, known ones kept with their address, others removed.

    Raises InvalidParam naming node and field for a schedule that is none.
    """
    known = {row.node_id: row for row in Trigger.objects.for_tenant(app.tenant_id).filter(app=app)}
    found = [_follow(app, known.pop(str(node["id"]), None), node) for node in _nodes(workflow.graph)]
    for row in known.values():
        row.delete()
    return found


def of_app(app: App) -> list[Trigger]:
    """Of the published graph, oldest first."""
    return list(Trigger.objects.for_tenant(app.tenant_id).filter(app=app, published=True))


def of_node(app: App, node_id: str) -> Trigger:
    """Raises TriggerNotFound, also for a node that was not published yet."""
    found = Trigger.objects.for_tenant(app.tenant_id).filter(app=app, node_id=node_id).first()
    if found is None:
        raise TriggerNotFound
    return found


def webhook(app: App, node_id: str) -> Trigger:
    """The webhook of a node. Raises TriggerNotFound, also for a node of another kind."""
    found = of_node(app, node_id)
    if found.kind != TriggerKind.WEBHOOK:
        raise TriggerNotFound
    return found


def address(app: App, node_id: str) -> Trigger:
    """The webhook of a node, which a node of the draft alone gets here. Raises TriggerNotFound."""
    found = Trigger.objects.for_tenant(app.tenant_id).filter(app=app, node_id=node_id, kind=TriggerKind.WEBHOOK).first()
    if found is not None:
        return found
    data = drafts.node_data(drafts.get(app), node_id)
    if KINDS.get(str(data.get("type"))) is not TriggerKind.WEBHOOK:
        raise TriggerNotFound
    made = {"kind": TriggerKind.WEBHOOK, "token": _new_token(), "published": False, "title": str(data.get("title") or "")}
    row, _ = Trigger.objects.get_or_create(app=app, node_id=node_id, defaults={"tenant": app.tenant, **made})
    if row.kind != TriggerKind.WEBHOOK:
        raise TriggerNotFound
    return row


def get(principal: Principal, trigger_id: UUID | str) -> Trigger:
    """Raises TriggerNotFound."""
    key = ids.parse(trigger_id)
    found = Trigger.objects.visible_to(principal).select_related("app", "tenant").filter(pk=key).first() if key else None
    if found is None:
        raise TriggerNotFound
    return found


def by_token(token: str, *, debugged: bool = False) -> Trigger:
    """The webhook with this address, its app and tenant at hand. Raises TriggerNotFound, also for one that is switched off or
    not published; when ``debugged``, for one whose author does not listen."""
    rows = Trigger.objects.filter(token=token, app__status=AppStatus.NORMAL)
    rows = rows.filter(listening_until__gt=clock.now()) if debugged else rows.filter(enabled=True, published=True)
    found = rows.select_related("app", "tenant").first() if "\0" not in token else None
    if found is None:
        raise TriggerNotFound
    return found


def signing_key(trigger: Trigger) -> str:
    """The key that signs calls of a webhook, empty where they need no signature. Only for checking them."""
    return str(sealing.unseal(trigger) or "")


@transaction.atomic
def renew_signing_key(trigger: Trigger) -> str:
    """A new key: from now on calls without its signature are refused. It is told here, and never again."""
    made = random_secrets.token_urlsafe(32)
    trigger.sealed = sealing.seal(trigger, made, key=sealing.key_of(trigger.tenant_id))
    trigger.save(update_fields=["sealed", "updated_at"])
    return made


def drop_signing_key(trigger: Trigger) -> None:
    """Calls need no signature any more."""
    trigger.sealed = b""
    trigger.save(update_fields=["sealed", "updated_at"])


@transaction.atomic
def set_enabled(trigger: Trigger, *, enabled: bool) -> Trigger:
    """Switched on again, a schedule goes on with its next tick; those in between are not made up for."""
    trigger.enabled = enabled
    trigger.next_at = _next(trigger, clock.now())
    trigger.save(update_fields=["enabled", "next_at", "updated_at"])
    return trigger


def claim_due(*, now: datetime | None = None, limit: int = 100) -> list[Trigger]:
    """Schedules whose time has come, each tick for one caller only, however many ask; ``pending_at`` is the tick.

    Ticks that were missed while nobody asked fire once, together. A tick that nobody has settled comes again after a while:
    who claimed it has no room for its run, or is gone.
    """
    moment = now or clock.now()
    open_apps = Trigger.objects.ticking().filter(app__status=AppStatus.NORMAL).select_related("app", "tenant")
    due = list(open_apps.filter(next_at__lte=moment).order_by("next_at")[:limit])
    left = open_apps.filter(UNFINISHED, last_at__lte=moment - PATIENCE).order_by("last_at")[:limit]
    again = [row for row in left if row.pk not in {one.pk for one in due}]
    return [row for row in due if _claim(row, moment)] + [row for row in again if _claim_again(row, moment)]


def settle(trigger: Trigger) -> None:
    """The tick that was claimed has its run, or will have none."""
    Trigger.objects.filter(pk=trigger.pk, pending_at=trigger.pending_at).update(pending_at=None)


def note_run(trigger: Trigger, *, run_id: UUID | None, error: str = "") -> None:
    """What became of it when it last fired."""
    told = error.replace("\0", "")[:LONGEST_ERROR]
    Trigger.objects.filter(pk=trigger.pk).update(last_at=clock.now(), last_run_id=run_id, last_error=told)


def _claim(row: Trigger, moment: datetime) -> bool:
    waiting = Trigger.objects.ticking().filter(pk=row.pk, next_at=row.next_at)
    row.pending_at = row.next_at
    return waiting.update(next_at=_following(row, moment), pending_at=row.next_at, last_at=moment) == 1


def _claim_again(row: Trigger, moment: datetime) -> bool:
    waiting = Trigger.objects.ticking().filter(pk=row.pk, pending_at=row.pending_at, last_at=row.last_at)
    return waiting.update(last_at=moment) == 1


def _nodes(graph: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [node for node in graph.get("nodes", ()) if _data(node).get("type") in KINDS]


def _data(node: Mapping[str, Any]) -> Mapping[str, Any]:
    data = node.get("data")
    return data if isinstance(data, Mapping) else {}


def _follow(app: App, row: Trigger | None, node: Mapping[str, Any]) -> Trigger:
    data = _data(node)
    kind, title = KINDS[data["type"]], str(data.get("title") or "")
    if row is not None and row.kind != kind:
        row.delete()
        row = None
    if row is None:
        row = Trigger(tenant=app.tenant, app=app, node_id=str(node["id"]), kind=kind)
        if kind is TriggerKind.WEBHOOK:
            row.token = _new_token()
    elif (row.title, row.configuration, row.published) == (title, data, True):
        return row
    row.title, row.configuration, row.published = title, dict(data), True
    row.next_at = _next(row, clock.now())
    row.save()
    return row


def _new_token() -> str:
    return random_secrets.token_urlsafe(24)


def _next(row: Trigger, after: datetime) -> datetime | None:
    """The first tick after ``after``; None for what does not tick. Raises InvalidParam naming node and field."""
    if row.kind != TriggerKind.SCHEDULE:
        return None
    try:
        return next_after(msgspec.convert(row.configuration, TriggerScheduleData, strict=False), after)
    except msgspec.ValidationError as error:
        raise InvalidParam(f"Node {row.node_id!r}: {error}", params=f"nodes.{row.node_id}.data") from error
    except InvalidParam as error:
        raise InvalidParam(
            f"Node {row.node_id!r}: {error.message}", params=f"nodes.{row.node_id}.data.{error.params}"
        ) from error


def _following(row: Trigger, after: datetime) -> datetime | None:
    """As ``_next``; a schedule that cannot be read any more ticks no more, instead of holding up all others."""
    try:
        return _next(row, after)
    except InvalidParam:
        return None
