"""The sweep of the admin: every page, for nobody, for people of tenants, for staff without permissions, for the operator.

The rows come from the URL table and the admin's registry: a model without a row here fails the first test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from asgiref.sync import sync_to_async
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Model
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Challenge, Purpose
from accounts.services import accounts
from difyproj.infra.models import CacheVersion
from difyproj.kernel import clock
from difyproj.testing.served import Served

from . import acme, acme_graphs, acme_more
from .routes import routes
from .sweeping import changes, footprint

MOST_QUERIES = 15
LOGIN = "/admin/login/"
# Django's own pages, and what nobody has to be known for.
OPEN = {LOGIN, "/admin/logout/"}
FOR_ALL_STAFF = {
    "/admin/", "/admin/search/", "/admin/password_change/", "/admin/password_change/done/", "/admin/jsi18n/",
}  # fmt: skip
# Django's index of one app, whose names are added below, and its "not found".
PATTERN = "(?P"
Sweep = Callable[..., list[str]]


def furnish(house: Served, ids: dict[str, str]) -> None:
    """Many rows of what lists show, and one of what only the admin knows."""
    acme_more.add(house, ids, 12)
    acme_graphs.add(acme_graphs.furnish(house), 12)
    alice = house.cast.alice.account
    Authenticator.objects.create(user=alice, type=Authenticator.Type.TOTP, data={"secret": "sealed"})
    SocialAccount.objects.create(user=alice, provider="github", uid="1")
    Challenge.objects.create(
        purpose=Purpose.LOGIN,
        token_hash="0" * 64,
        email=alice.email,
        account=alice,
        expires_at=clock.now() + timedelta(hours=1),
    )
    Group.objects.create(name="Support")
    CacheVersion.objects.get_or_create(namespace="sweep", defaults={"version": 1})


@pytest.fixture
async def world(house: Served) -> Served:
    await sync_to_async(furnish)(house, await acme.furnish(house))
    await house.call(
        "POST", "/v1/apps/annotations", json={"question": "Q", "answer": "A"}, headers={"Idempotency-Key": "sweep"}
    )
    return house


def rows() -> dict[str, Model | None]:
    """A row of each registered model, by the path of its list."""
    return {
        f"/admin/{model._meta.app_label}/{model._meta.model_name}/": model._default_manager.order_by("pk").first()
        for model in admin.site._registry
    }


def pages() -> Iterator[str]:
    """Every address of the admin, with an existing row where one is named."""
    known = rows()
    user = ContentType.objects.get_for_model(Account)
    yield from sorted({f"/admin/{model._meta.app_label}/" for model in admin.site._registry})
    for route in routes("admin/"):
        if PATTERN in route.path:
            continue
        row = next((row for below, row in known.items() if route.path.startswith(below)), None)
        key = row.pk if row is not None else Account.objects.order_by("pk")[0].pk
        yield route.path.format(**{**dict.fromkeys(route.parameters, key), "content_type_id": user.pk})


def is_list(page: str) -> bool:
    return page in rows()


async def swept(sweep: Sweep, *given: Any) -> None:
    wrong = await sync_to_async(sweep)(*given)
    assert not wrong, "\n".join(wrong)


async def test_every_model_of_the_admin_has_a_row_to_look_at(world: Served) -> None:
    assert [path for path, row in (await sync_to_async(rows)()).items() if row is None] == []


async def test_nobody_and_people_of_tenants_see_no_page(world: Served) -> None:
    await swept(refused, None)
    for person in (world.cast.alice, world.cast.bob, world.cast.eve):
        await swept(refused, person.account)


def refused(account: Account | None) -> list[str]:
    client, wrong = Client(), []
    if account is not None:
        client.force_login(account)
    for page in pages():
        if page in OPEN:
            continue
        for answer in (client.get(page), client.post(page, {})):
            target = answer.headers.get("Location", "")
            if answer.status_code != 302 or not target.startswith(LOGIN):
                wrong.append(f"{page} for {account}: {answer.status_code} {target}")
    return wrong


async def test_staff_without_permissions_sees_no_row(world: Served) -> None:
    before = await sync_to_async(footprint)(world.cast.alice.tenant)
    await swept(not_shown)
    assert changes(before, await sync_to_async(footprint)(world.cast.alice.tenant)) == []


def not_shown() -> list[str]:
    client, wrong = Client(), []
    client.force_login(accounts.create(email="staff@house.example", name="Staff", is_staff=True))
    for page in pages():
        if page in OPEN | FOR_ALL_STAFF:
            continue
        for answer in (client.get(page), client.post(page, {"post": "yes"})):
            moved = answer.headers.get("Location", "")
            goes_on = moved == f"{page}change/" or page.startswith("/admin/r/")
            if answer.status_code not in (403, 404, 405) and not goes_on:
                wrong.append(f"{page}: {answer.status_code} {moved}")
    return wrong


async def test_the_operator_sees_every_page_with_few_queries(world: Served) -> None:
    await swept(shown)


def shown() -> list[str]:
    client, wrong = Client(), []
    client.force_login(accounts.create(email="root@house.example", name="Root", is_staff=True, is_superuser=True))
    for page in pages():
        if page in OPEN:
            continue
        with CaptureQueriesContext(connection) as asked:
            answer = client.get(page)
        if answer.status_code not in expected(page):
            wrong.append(f"{page}: {answer.status_code}")
        if is_list(page) and len(asked) > MOST_QUERIES:
            wrong += [f"{page}: {len(asked)} queries", *(query["sql"][:200] for query in asked)]
    return wrong


def expected(page: str) -> tuple[int, ...]:
    """Some rows are only looked at: nobody adds or deletes them."""
    if page.endswith(("/add/", "/delete/")):
        return (200, 403)
    if page.endswith(("/change/", "/history/")) or is_list(page) or page in FOR_ALL_STAFF:
        return (200,)
    return (200, 302, 403, 404)


async def test_no_action_works_for_who_may_only_look(world: Served) -> None:
    before = await sync_to_async(footprint)(world.cast.alice.tenant)
    await swept(acted)
    assert changes(before, await sync_to_async(footprint)(world.cast.alice.tenant)) == []


def acted() -> list[str]:
    staff = accounts.create(email="staff@house.example", name="Staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    root = accounts.create(email="root@house.example", name="Root", is_staff=True, is_superuser=True)
    client, wrong = Client(), []
    client.force_login(staff)
    asking: Any = RequestFactory().get("/admin/")
    asking.user = root
    tried = 0
    for model, model_admin in admin.site._registry.items():
        path, row = f"/admin/{model._meta.app_label}/{model._meta.model_name}/", model._default_manager.first()
        for name in model_admin.get_actions(asking):
            tried += 1
            form = {"action": name, "_selected_action": [str(row.pk if row is not None else uuid4())], "post": "yes"}
            answer = client.post(path, form)
            if answer.status_code >= 500:
                wrong.append(f"{path} {name}: {answer.status_code}")
    assert tried, "The admin has no actions to try."
    return wrong
