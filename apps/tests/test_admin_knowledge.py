"""Which datasets an app asks, chosen on its page in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.services import accounts
from apps import config
from apps.models import App, DatasetUse
from apps.services import apps
from datasets.models import Dataset
from difyproj.kernel import jsonio
from difyproj.testing.cast import Cast, Person

from .admin_rows import Rows, furnish
from .library import SHOWN, configs
from .test_admin import app_form
from .test_admin import root as root


@pytest.fixture
def rows(cast: Cast) -> Rows:
    return furnish(cast)


def made(person: Person, name: str) -> Dataset:
    return Dataset.objects.create(tenant=person.tenant, name=name)


def save(client: Client, app: App, **changes: Any) -> Any:
    app.refresh_from_db()
    return client.post(f"/admin/apps/app/{app.pk}/change/", app_form(app, **changes))


def configured(app: App) -> config.AppConfig:
    return config.parse(App.objects.get(pk=app.pk).config)


def asked(app: App) -> list[str]:
    """By its configuration, which its rows follow."""
    named = configured(app).dataset_ids
    assert {str(use.dataset_id) for use in DatasetUse.objects.filter(app=app)} == set(named)
    return named


def test_an_operator_chooses_what_an_app_asks(root: Client, rows: Rows, cast: Cast) -> None:
    manual, menu, foreign = made(cast.alice, "Manual"), made(cast.alice, "Menu"), made(cast.eve, "Secret")
    page = root.get(f"/admin/apps/app/{rows.app.pk}/change/").content.decode()
    assert "Manual" in page and "Secret" not in page
    assert save(root, rows.app, knowledge=[manual.pk, menu.pk], names_sources="on").status_code == 302
    assert asked(rows.app) == [str(manual.pk), str(menu.pk)]
    assert configured(rows.app).pre_prompt == "You are kind." and configured(rows.app).retriever_resource.enabled
    assert save(root, rows.app, knowledge=[foreign.pk], names_sources="on").status_code == 200
    save(root, rows.app, knowledge=[menu.pk])
    assert asked(rows.app) == [str(menu.pk)] and not configured(rows.app).retriever_resource.enabled
    save(root, rows.app)
    assert asked(rows.app) == []


def test_how_an_app_asks_stays_when_other_datasets_are_chosen(root: Client, rows: Rows, cast: Cast) -> None:
    manual, menu = made(cast.alice, "Manual"), made(cast.alice, "Menu")
    tools = [{"dataset": {"enabled": True, "id": str(manual.pk)}}, {"tool_name": "clock"}]
    given = {**rows.app.config, "dataset_configs": configs(manual, top_k=7), "agent_mode": {"tools": tools}, **SHOWN}
    save(root, rows.app, config=jsonio.indented(given))
    assert asked(rows.app) == [str(manual.pk)]
    save(root, rows.app, knowledge=[menu.pk], names_sources="on")
    assert asked(rows.app) == [str(menu.pk)] and configured(rows.app).dataset_configs.top_k == 7
    assert [tool["tool_name"] for tool in configured(rows.app).agent_mode.tools] == ["clock"]


def test_a_broken_configuration_is_told_and_not_built_upon(root: Client, rows: Rows, cast: Cast) -> None:
    App.objects.filter(pk=rows.app.pk).update(config={"prompt_type": "poem", "dataset_configs": "none"})
    answer = save(root, rows.app, knowledge=[made(cast.alice, "Manual").pk], names_sources="on")
    assert answer.status_code == 200 and "config" in answer.context["adminform"].form.errors
    assert not DatasetUse.objects.exists()


def test_who_may_not_see_datasets_neither_sees_nor_changes_them(cast: Cast, client: Client, rows: Rows) -> None:
    manual = made(cast.alice, "Manual")
    apps.update(rows.app, config={**rows.app.config, "dataset_configs": configs(manual), **SHOWN})
    staff = accounts.create(email="staff@house.example", name="Staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=("view_app", "change_app")))
    client.force_login(staff)
    assert 'name="knowledge"' not in client.get(f"/admin/apps/app/{rows.app.pk}/change/").content.decode()
    assert save(client, rows.app, name="Renamed").status_code == 302
    assert asked(rows.app) == [str(manual.pk)]
    staff.user_permissions.set(Permission.objects.filter(codename__in=("view_app", "view_dataset")))
    assert client.get(f"/admin/apps/app/{rows.app.pk}/change/").status_code == 200
    assert save(client, rows.app, knowledge=[]).status_code == 403
