"""What the sweeps over the URL table share: how a route is called, with whose ids, and what it may have changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.apps import apps as installed
from django.db.models import Model

from accounts.models import Account, Session, Tenant
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.testing.console import TierClient
from difyproj.testing.served import Answer

from .routes import Route, routes

NOT_FOUND = frozenset({404})
FILES = {
    "csv": ("rows.csv", b"question,answer\nWhere?,Here.\n", "text/csv"),
    "png": ("a.png", b"\x89PNG\r\n\x1a\n", "image/png"),
    "wav": ("a.wav", b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
}
# They say when somebody was here, which reading may change.
FOOTSTEPS = {
    "last_active_at", "last_login", "last_login_ip", "last_used_at", "last_opened_at", "updated_at",
}  # fmt: skip

Rows = dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Entry:
    """How a route is called. ``{names}`` in path, query, headers and body stand for ids.

    ``status`` is what somebody gets who may and whose ids they are; ``allowed`` what a stranger may get with them, and
    ``crossed`` what a stranger may get who names an app of their own beside them. ``ids`` replaces some of the usual ids.
    """

    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    allowed: frozenset[int] = NOT_FOUND
    crossed: frozenset[int] = NOT_FOUND


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one route, ``name`` as entries are called."""

    method: str
    route: Route

    @property
    def name(self) -> tuple[str, str]:
        return self.method, self.route.path

    @property
    def action(self) -> str:
        return self.route.actions.get(self.method, "")

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.route.path}"


def operations(prefix: str) -> list[Operation]:
    return [Operation(method, route) for route in routes(prefix) for method in route.methods]


def filled(value: Any, ids: Mapping[str, str]) -> Any:
    """``value`` with ids in the place of their names; a text in braces alone is a name, any other is left as it is."""
    if isinstance(value, dict):
        return {name: filled(item, ids) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item, ids) for item in value]
    if isinstance(value, str) and value.startswith("{") and value.endswith("}"):
        return ids[value[1:-1]]
    return value


def names_in(value: Any) -> set[str]:
    """The ids that ``filled`` would put in."""
    if isinstance(value, Mapping):
        return {name for item in value.values() for name in names_in(item)}
    if isinstance(value, list):
        return {name for item in value for name in names_in(item)}
    return {value[1:-1]} if isinstance(value, str) and value.startswith("{") and value.endswith("}") else set()


async def call(
    client: TierClient, operation: Operation, entry: Entry, ids: Mapping[str, str], extra: Mapping[str, Any] | None = None
) -> Answer:
    """The operation with ``ids``; ``extra`` is added to the fields of a body that is an object."""
    mine = {**dict.fromkeys(operation.route.parameters, "x"), **ids, **filled(dict(entry.ids), ids)}
    path = operation.route.path.format(**mine).removeprefix(client.prefix)
    body = filled(entry.body, mine)
    sent: dict[str, Any] = {"params": filled(dict(entry.query), mine), "headers": filled(dict(entry.headers), mine)}
    if entry.file:
        form = aiohttp.FormData({name: str(value) for name, value in {**(body or {}), **(extra or {})}.items()})
        name, content, mime_type = FILES[entry.file]
        form.add_field("file", content, filename=name, content_type=mime_type)
        sent["data"] = form
    elif body is not None:
        sent["json"] = {**body, **(extra or {})} if isinstance(body, dict) else body
    return await client.call(operation.method.upper(), path, **sent)


def told(operation: Operation, answer: Answer, more: str = "") -> str:
    return f"{operation}: {answer.status} {answer.body[:300]!r} {more}"


def tenant_models() -> list[Any]:
    """Every model whose rows belong to a tenant."""
    return [model for model in installed.get_models() if isinstance(_rows_of(model), TenantQuerySet)]


def _rows_of(model: type[Model]) -> Any:
    return model._default_manager.all()


def footprint(tenant: Tenant) -> Rows:
    """Every row of the tenant and of its people, by model and key. In a thread of the database."""
    people = Account.objects.filter(memberships__tenant=tenant)
    found: dict[str, Any] = {model.__name__: model.objects.for_tenant(tenant).values() for model in tenant_models()}
    found["Account"] = people.values()
    found["Session"] = Session.objects.filter(account__in=people).values()
    found["Authenticator"] = Authenticator.objects.filter(user__in=people).values()
    found["SocialAccount"] = SocialAccount.objects.filter(user__in=people).values()
    return {
        name: {
            str(row[rows.model._meta.pk.attname]): {key: value for key, value in row.items() if key not in FOOTSTEPS}
            for row in rows
        }
        for name, rows in found.items()
    }


def changes(before: Rows, after: Rows) -> list[str]:
    """What differs, in words."""
    differences = []
    for model, rows in before.items():
        for key, row in rows.items():
            now = after[model].get(key)
            if now is None:
                differences.append(f"{model} {key} is gone")
            elif now != row:
                differences.append(
                    f"{model} {key}: " + ", ".join(f"{n} {row[n]!r} -> {now[n]!r}" for n in row if row[n] != now[n])
                )
        differences += [f"{model} {key} is new" for key in after[model].keys() - rows.keys()]
    return differences
