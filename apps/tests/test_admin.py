"""The admin of apps as an operator uses it: every page loads with few queries, changes reach the API, secrets stay inside."""

from __future__ import annotations

import re
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.services import accounts
from apps.models import ApiToken, App, Conversation, Message, Run, Site
from difyproj.kernel import jsonio
from difyproj.testing.cast import Cast
from difyproj.testing.served import Key, Served, next_frame
from difyproj.testing.upstream import Script

from .admin_rows import MANY, SCRIPT, Rows, furnish
from .contract import assert_error

MOST_QUERIES = 15
PAGES = {
    "app": "app",
    "site": "site",
    "apitoken": "token",
    "conversation": "conversation",
    "message": "message",
    "feedback": "feedback",
    "run": "run",
    "enduser": "end_user",
    "uploadfile": "upload_file",
}
READ_ONLY = ("conversation", "message", "feedback", "run", "enduser", "uploadfile")
SLOW = Script(tokens=[" more"] * 500, delay=0.02, usage=(7, 500))


@pytest.fixture
def root(cast: Cast, client: Client) -> Client:
    client.force_login(accounts.create(email="root@house.example", name="Root", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def rows(cast: Cast) -> Rows:
    return furnish(cast)


def page(client: Client, path: str) -> str:
    """The page as a browser gets it, for which the database was asked at most ``MOST_QUERIES`` times."""
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(f"/admin/apps/{path}", follow=True)
    assert answer.status_code == 200, path
    assert len(asked) <= MOST_QUERIES, [query["sql"] for query in asked]
    return answer.content.decode()


def app_form(app: App, **changes: Any) -> dict[str, Any]:
    """What the browser sends for the app's page, with ``changes``; None leaves a box unticked."""
    form = {
        "name": app.name,
        "description": app.description,
        "status": app.status,
        "enable_api": "on",
        "enable_site": "on",
        "max_active_requests": app.max_active_requests,
        "config": jsonio.indented(app.config),
        **changes,
    }
    return {name: value for name, value in form.items() if value is not None}


@pytest.mark.parametrize("model", PAGES)
def test_lists_searches_and_forms_load_with_few_queries(root: Client, rows: Rows, model: str) -> None:
    row: Model = getattr(rows, PAGES[model])
    for path in ("", "?q=rain", f"?q={rows.app.pk}", f"{row.pk}/change/", f"{row.pk}/history/"):
        shown = page(root, f"{model}/{path}")
        assert rows.key.token not in shown
        assert rows.token.token_hash not in shown
        assert SCRIPT not in shown


@pytest.mark.parametrize("model", PAGES)
def test_a_list_without_rows_says_what_will_stand_there(root: Client, model: str) -> None:
    assert "Nothing here yet" in page(root, f"{model}/")


def test_the_index_shows_the_groups(root: Client) -> None:
    shown = root.get("/admin/").content.decode()
    assert all(f">{group}</h2>" in " ".join(shown.split()) for group in ("Tenants", "Apps", "Conversations", "Operations"))


def test_staff_sees_what_it_may_see_and_stops_nothing_without_being_allowed(cast: Cast, client: Client, rows: Rows) -> None:
    staff = accounts.create(email="staff@house.example", name="Staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_run"))
    client.force_login(staff)
    assert client.get("/admin/apps/message/").status_code == 403
    assert 'value="stop"' not in page(client, "run/")
    index = client.get("/admin/").content.decode()
    assert "/admin/apps/run/" in index and "/admin/apps/message/" not in index
    Run.objects.filter(pk=rows.run.pk).update(status="running")
    answer = client.post("/admin/apps/run/", {"action": "stop", "_selected_action": [str(rows.run.pk)]}, follow=True)
    assert b"Told to stop" not in answer.content


@pytest.mark.parametrize("model", READ_ONLY)
def test_what_was_said_and_done_is_only_looked_at(root: Client, rows: Rows, model: str) -> None:
    row: Model = getattr(rows, PAGES[model])
    assert root.get(f"/admin/apps/{model}/add/").status_code == 403
    assert root.post(f"/admin/apps/{model}/{row.pk}/change/", {"name": "changed"}).status_code == 403
    assert root.post(f"/admin/apps/{model}/{row.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", ["conversation", "message", "run", "feedback"])
def test_rows_are_found_by_the_id_of_what_they_belong_to(root: Client, rows: Rows, model: str) -> None:
    shown = page(root, f"{model}/?q={rows.end_user.pk}")
    assert len(re.findall(r'class="field-end_user', shown)) == 1
    assert f"user-{MANY}" in shown


def test_lists_are_narrowed_by_app_tenant_status_and_day(root: Client, rows: Rows, cast: Cast) -> None:
    day = rows.message.created_at
    mine = f"app__id__exact={rows.app.pk}&status__exact=normal&tier=service-api&created_at__day={day.day}"
    assert len(re.findall(r'class="field-end_user', page(root, f"message/?{mine}"))) == MANY
    for nobodys in (f"tenant__id__exact={cast.eve.tenant.pk}", "status__exact=error", "tier=console"):
        assert "Nothing found" in page(root, f"message/?{nobodys}")


def test_a_message_shows_everything_about_itself(root: Client, rows: Rows) -> None:
    shown = page(root, f"message/{rows.message.pk}/change/")
    facts = ("Take an umbrella.", "gpt-4o-mini", "7 + 5", "0.000123\N{NO-BREAK SPACE}USD", f"sky-{MANY}.png", "Right!", "rain")
    for fact in (*facts, str(rows.run.pk), rows.conversation.name):
        assert fact in shown
    Message.objects.filter(pk=rows.message.pk).update(status="error", error="The model is away.")
    assert "The model is away." in page(root, f"message/{rows.message.pk}/change/")


def test_a_conversation_reads_from_its_first_to_its_newest_message(root: Client, rows: Rows) -> None:
    given = {"tenant": rows.conversation.tenant, "app": rows.app, "conversation": rows.conversation, "tier": "service-api"}
    Message.objects.bulk_create(Message(**given, query=f"Question {number}.") for number in range(60))
    shown = page(root, f"conversation/{rows.conversation.pk}/change/")
    asked = [int(number) for number in re.findall(r"Question (\d+)\.", shown)]
    assert asked == list(range(10, 60))
    everything = re.search(r'href="([^"]+conversation__id__exact[^"]+)"', shown)
    assert everything is not None
    assert root.get(everything[1]).context["cl"].result_count == 61


def test_a_new_app_has_a_site_and_answers(root: Client, cast: Cast) -> None:
    form = {"tenant": str(cast.alice.tenant.pk), "name": "New", "mode": "chat", "description": ""}
    shown = page(root, "app/add/")
    assert "&quot;provider&quot;: &quot;demo&quot;" in shown and ">Agent<" not in shown
    config = '{"model": {"provider": "demo", "name": "demo"}}'
    refused = root.post("/admin/apps/app/add/", {**form, "config": '{"model": 1}'})
    assert refused.status_code == 200 and not App.objects.exists()
    root.post("/admin/apps/app/add/", {**form, "config": config})
    app = App.objects.get()
    assert (app.name, app.config["model"]["name"], Site.objects.get().app) == ("New", "demo", app)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("{", "This is not JSON"),
        ("[]", "This must be a JSON object"),
        ('{"user_input_form": [{"slider": {}}]}', "user_input_form.0: unknown control"),
        ('{"prompt_type": "poem"}', "prompt_type: "),
    ],
)
def test_a_configuration_that_makes_no_sense_is_told_on_its_field(root: Client, rows: Rows, config: str, told: str) -> None:
    answer = root.post(f"/admin/apps/app/{rows.app.pk}/change/", app_form(rows.app, config=config))
    assert told in " ".join(answer.context["adminform"].form.errors["config"])
    assert told in answer.content.decode()
    rows.app.refresh_from_db()
    assert rows.app.config["pre_prompt"] == "You are kind."


def test_an_app_with_a_broken_configuration_can_be_switched_off(root: Client, rows: Rows) -> None:
    App.objects.filter(pk=rows.app.pk).update(config={"prompt_type": "poem"})
    rows.app.refresh_from_db()
    root.post(f"/admin/apps/app/{rows.app.pk}/change/", app_form(rows.app, status="suspended"))
    rows.app.refresh_from_db()
    assert (rows.app.status, rows.app.config) == ("suspended", {"prompt_type": "poem"})


def test_a_site_is_edited(root: Client, rows: Rows) -> None:
    form = {"title": "Ask us", "default_language": "de-DE", "show_workflow_steps": "on"}
    root.post(f"/admin/apps/site/{rows.site.pk}/change/", form)
    code = rows.site.code
    rows.site.refresh_from_db()
    assert (rows.site.title, rows.site.default_language, rows.site.code) == ("Ask us", "de-DE", code)


async def test_a_change_is_seen_by_the_next_call(house: Served, root: Client) -> None:
    async def change(**changes: Any) -> None:
        await house.chat.app.arefresh_from_db()
        path = f"/admin/apps/app/{house.chat.app.pk}/change/"
        answer = await sync_to_async(root.post)(path, app_form(house.chat.app, **changes))
        assert answer.status_code == 302, answer.context["adminform"].form.errors

    assert (await house.call("GET", "/v1/info")).json()["name"] == "Alice's chat"
    config = {**house.chat.app.config, "opening_statement": "Welcome back."}
    await change(name="Renamed", config=jsonio.indented(config))
    assert (await house.call("GET", "/v1/info")).json()["name"] == "Renamed"
    assert (await house.call("GET", "/v1/parameters")).json()["opening_statement"] == "Welcome back."
    await change(enable_api=None)
    assert_error(await house.call("GET", "/v1/info"), 403, "app_api_disabled")
    await change(enable_api="on", status="suspended")
    assert_error(await house.call("GET", "/v1/info"), 403, "app_abnormal_status")
    await change(status="normal")
    assert (await house.call("GET", "/v1/info")).status == 200


def made_token(client: Client, **form: Any) -> str:
    """The token that the page after saving shows."""
    answer = client.post("/admin/apps/apitoken/add/", form, follow=True)
    (raw,) = set(re.findall(r'<code class="token">([^<]+)</code>', answer.content.decode()))
    return raw


async def test_a_token_is_shown_once_opens_its_app_and_is_switched_off_and_deleted(house: Served, root: Client) -> None:
    form = {"kind": "app", "app": str(house.chat.app.pk), "name": "Partner"}
    raw = await sync_to_async(made_token)(root, **form)
    key = Key(house.chat.app, raw)
    row = await ApiToken.objects.aget(name="Partner")
    assert row.tenant_id == house.chat.app.tenant_id
    assert (await house.call("GET", "/v1/info", key=key)).status == 200

    def pages() -> str:
        return "".join(page(root, f"apitoken/{path}") for path in ("", f"{row.pk}/change/", f"{row.pk}/history/"))

    shown = await sync_to_async(pages)()
    assert row.prefix in shown and raw not in shown and row.token_hash not in shown
    post = sync_to_async(root.post)
    await post(f"/admin/apps/apitoken/{row.pk}/change/", {})
    assert (await house.call("GET", "/v1/info", key=key)).status == 401
    await post("/admin/apps/apitoken/", {"action": "switch_on", "_selected_action": [str(row.pk)]})
    assert (await house.call("GET", "/v1/info", key=key)).status == 200
    await post("/admin/apps/apitoken/", {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"})
    assert (await house.call("GET", "/v1/info", key=key)).status == 401
    assert not await ApiToken.objects.filter(pk=row.pk).aexists()


def test_a_token_needs_what_it_opens(root: Client, rows: Rows, cast: Cast) -> None:
    before = ApiToken.objects.count()
    eve, app = str(cast.eve.tenant.pk), str(rows.app.pk)
    for form in (
        {"kind": "app"},
        {"kind": "app", "app": app, "tenant": eve},
        {"kind": "dataset"},
        {"kind": "dataset", "app": app, "tenant": eve},
    ):
        assert root.post("/admin/apps/apitoken/add/", form).status_code == 200, form
    assert ApiToken.objects.count() == before
    assert made_token(root, kind="dataset", tenant=eve).startswith("dataset-")
    assert ApiToken.objects.get(kind="dataset").tenant == cast.eve.tenant


async def test_an_operator_stops_a_run(house: Served, root: Client) -> None:
    house.upstream.script = SLOW
    async with house.asking() as response:
        run_id = (await next_frame(response)).record["task_id"]
        form = {"action": "stop", "_selected_action": [run_id]}
        answer = await sync_to_async(root.post)("/admin/apps/run/", form, follow=True)
        assert b"Told to stop: 1." in answer.content
        await house.upstream.until(lambda: house.upstream.aborted == 1)
        assert b"message_end" in await response.read()
    assert (await Run.objects.aget()).status == "stopped"
    again = await sync_to_async(root.post)("/admin/apps/run/", form, follow=True)
    assert b"None of these was running." in again.content
    assert await Conversation.objects.acount() == 1
