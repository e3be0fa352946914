"""The audit log: each write of a watched row leaves an entry that says who did it, from where, and what changed.

Edges name the actor once (``begin``, ``identify``); the entries are written by signals, in the transaction of the write itself,
so that no service can forget one. Of secrets, hashes and bytes they say that they changed, and never what they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import BinaryField, Field, Model
from django.db.models.signals import post_delete, post_save, pre_save

from difyproj.kernel import secrets
from difyproj.kernel.principal import Principal

from .models import AuditEntry

# They change with use, not by anybody's decision.
BY_USE = frozenset({"id", "created_at", "updated_at", "last_login", "last_login_ip", "last_active_at", "last_used_at"})
SECRET = frozenset(
    {"password", "password_print", "token_hash", "refresh_hash", "code_hash", "data_key", "sealed", "sealed_key"}
)
LONGEST_TEXT = 2_000
LARGEST_DOCUMENT = 10_000


@dataclass(slots=True)
class Actor:
    """Who acts in this task. One object per request, so that what a thread finds out holds for the rest of it."""

    kind: str = "system"
    id: UUID | None = None
    tenant_id: UUID | None = None
    ip: str | None = None
    request_id: str = ""


_actor: ContextVar[Actor | None] = ContextVar("audit_actor", default=None)


def begin(*, ip: str | None, request_id: str) -> None:
    """A request begins; until somebody is identified it is anonymous."""
    _actor.set(Actor("anonymous", ip=ip, request_id=request_id))


def identify(principal: Principal) -> None:
    """The request's caller is known."""
    identify_as(str(principal.actor_kind), principal.actor_id, principal.tenant_id)


def identify_as(kind: str, actor_id: UUID | None, tenant_id: UUID | None = None) -> None:
    actor = _actor.get()
    if actor is None:
        _actor.set(actor := Actor())
    actor.kind, actor.id, actor.tenant_id = kind, actor_id, tenant_id


def watch(models: Iterable[type[Model]]) -> None:
    """From now on writes of these models are noted. Called once for each, when its app is ready."""
    for model in models:
        name = model._meta.label_lower
        pre_save.connect(_before_save, sender=model, dispatch_uid=f"audit_before_{name}")
        post_save.connect(_after_save, sender=model, dispatch_uid=f"audit_after_{name}")
        post_delete.connect(_after_delete, sender=model, dispatch_uid=f"audit_delete_{name}")


def _before_save(instance: Model, raw: bool = False, update_fields: Iterable[str] | None = None, **_: Any) -> None:
    """Reads what the row holds: an audited row changes rarely, and by hand."""
    names = _compared(instance, update_fields)
    if raw or instance._state.adding or not names:
        instance.__dict__["_audit_before"] = None
        return
    found = type(instance)._base_manager.filter(pk=instance.pk).values(*names).first()
    instance.__dict__["_audit_before"] = found and {name: _comparable(value) for name, value in found.items()}


def _after_save(instance: Model, created: bool, raw: bool = False, **_: Any) -> None:
    before = instance.__dict__.pop("_audit_before", None)
    if raw:
        return
    if created:
        _note(instance, "created", None, _values(instance, _shown(instance)))
        return
    now = _values(instance, before or ())
    changed = [name for name in now if before is not None and before[name] != now[name]]
    if changed and before is not None:
        hidden = dict.fromkeys(set(changed) - set(_shown(instance)), secrets.REDACTED)
        _note(
            instance,
            "updated",
            {name: before[name] for name in changed} | hidden,
            {name: now[name] for name in changed} | hidden,
        )


def _after_delete(instance: Model, **_: Any) -> None:
    _note(instance, "deleted", _values(instance, _shown(instance)), None)


def _note(row: Model, what: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
    actor = _actor.get() or Actor()
    AuditEntry.objects.create(
        tenant_id=_tenant_of(row) or actor.tenant_id,
        actor_kind=actor.kind,
        actor_id=actor.id,
        action=f"{row._meta.model_name}.{what}",
        target_kind=row._meta.label_lower,
        target_id=str(row.pk),
        before=_told(before),
        after=_told(after),
        ip=actor.ip,
        request_id=actor.request_id,
    )


def _compared(row: Model, among: Iterable[str] | None) -> list[str]:
    """The fields whose change is somebody's decision, of those that are written."""
    wanted = None if among is None else set(among)
    fields = [field for field in row._meta.concrete_fields if field.name not in BY_USE]
    return [field.attname for field in fields if wanted is None or wanted & {field.name, field.attname}]


def _shown(row: Model) -> list[str]:
    """The fields whose values may be told."""
    return [field.attname for field in row._meta.concrete_fields if field.name not in BY_USE and not _is_secret(field)]


def _is_secret(field: Field[Any, Any]) -> bool:
    return isinstance(field, BinaryField) or field.name in SECRET


def _values(row: Model, names: Iterable[str]) -> dict[str, Any]:
    return {name: _comparable(getattr(row, name)) for name in names}


def _comparable(value: Any) -> Any:
    """Bytes as they are, whichever way a database hands them out."""
    return bytes(value) if isinstance(value, memoryview) else value


def _told(values: dict[str, Any] | None) -> dict[str, Any] | None:
    if values is None:
        return None
    told: dict[str, Any] = secrets.redact({name: _shortened(value) for name, value in values.items()})
    return told


def _shortened(value: Any) -> Any:
    """Long texts are cut; of large documents, which graphs are, the size and a fingerprint stand for them."""
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return f"{value[:LONGEST_TEXT]}…"
    if isinstance(value, dict | list) and len(written := json.dumps(value, default=str).encode()) > LARGEST_DOCUMENT:
        return {"bytes": len(written), "sha256": hashlib.sha256(written).hexdigest()}
    return value


def _tenant_of(row: Model) -> UUID | None:
    """The id of the row's tenant, along the path that its manager knows; None for rows without, or whose parent went first."""
    path = getattr(type(row)._default_manager.all(), "tenant_lookup", None)
    if path is None:
        return None
    found: Any = row
    try:
        for step in str(path).split("__"):
            found = getattr(found, step, None)
    except ObjectDoesNotExist:
        return None
    return found
