"""Single apps on the Console API: made, shown, changed, copied, removed."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from accounts.models import DefaultModel, Tag, TagBinding
from apps.models import ApiToken, App, AppStar, AppStatus, Conversation, DoomedBytes, EndUser, Message, Run, Site, UploadFile
from apps.services import app_removal, apps, tokens
from apps.tasks.removal import Removal
from difyproj.infra import jobs
from difyproj.infra.models import Job as JobRow
from difyproj.testing.cast import Cast
from difyproj.testing.served import Key
from difyproj.testing.upstream import Script

from .console_crew import Crew, names
from .contract import UNKNOWN_ID, assert_error
from .test_console_app_list import ITEM
from .test_file_upload import upload

DETAIL = ITEM | {"enable_site", "enable_api", "tracing", "api_base_url", "deleted_tools", "site"}
OLD_MODES, GRAPHS = ["chat", "completion", "agent-chat"], ["advanced-chat", "workflow"]
THEFT = {
    "tenant_id": UNKNOWN_ID,
    "id": UNKNOWN_ID,
    "created_by_id": UNKNOWN_ID,
    "created_by": UNKNOWN_ID,
    "status": "suspended",
}


async def test_a_new_app_has_its_defaults_and_a_site(crew: Crew) -> None:
    answer = await crew.bob.post("/apps", {"name": "Whales", "mode": "chat", **THEFT})
    assert answer.status == 201
    body, bob = answer.json(), crew.house.cast.bob.account
    row = await App.objects.select_related("site").aget(pk=body["id"])
    assert set(body) == DETAIL
    assert (row.tenant_id, row.created_by_id, row.updated_by_id) == (crew.house.cast.bob.tenant.pk, bob.pk, bob.pk)
    assert (row.status, str(row.pk) == UNKNOWN_ID) == (AppStatus.NORMAL, False)
    assert (body["name"], body["mode"], body["description"], body["icon"]) == ("Whales", "chat", "", "🤖")
    assert (body["enable_site"], body["enable_api"], body["tracing"], body["deleted_tools"]) == (True, True, None, [])
    assert body["api_base_url"].endswith("/v1")
    assert (body["site"]["code"], body["site"]["access_token"]) == (row.site.code, row.site.code)
    assert (body["site"]["title"], body["site"]["app_id"], body["site"]["access_mode"]) == ("Whales", str(row.pk), "public")
    assert body["model_config"]["model"] == {
        "provider": "openai", "name": "gpt-4o-mini", "mode": "chat", "completion_params": {},
    }  # fmt: skip
    assert {"pre_prompt", "prompt_type", "user_input_form", "file_upload", "agent_mode", "dataset_configs"} <= set(
        body["model_config"]
    )


@pytest.mark.parametrize("mode", ["chat", "completion"])
async def test_a_fresh_app_answers_with_the_workspaces_default_model(crew: Crew, mode: str) -> None:
    made = await crew.new_app(mode=mode)
    app = await App.objects.select_related("tenant").aget(pk=made["id"])
    _, token = await sync_to_async(tokens.create)(tenant=app.tenant, app=app)
    crew.house.upstream.script = Script(tokens=["A whale."])
    body = {"query": "Who?", "inputs": {"query": "Who?"}, "user": "u1"}
    answer = await crew.house.call("POST", f"/v1/{mode}-messages", key=Key(app, token), json=body)
    assert (answer.status, answer.json()["answer"]) == (200, "A whale.")


async def test_without_a_default_model_an_app_is_made_without_one(crew: Crew) -> None:
    await sync_to_async(DefaultModel.objects.all().delete)()
    made = await crew.new_app()
    assert made["model_config"]["model"]["name"] == ""
    answer = await crew.bob.post(f"/apps/{made['id']}/chat-messages", {"query": "Who?", "inputs": {}})
    assert_error(answer, 400, "app_unavailable")


@pytest.mark.parametrize("mode", OLD_MODES)
async def test_apps_of_prompts_show_their_configuration(crew: Crew, mode: str) -> None:
    made = await crew.new_app(mode=mode)
    assert (made["mode"], made["workflow"]) == (mode, None)
    assert made["model_config"]["created_by"] == made["created_by"]


@pytest.mark.parametrize("mode", GRAPHS)
async def test_apps_of_graphs_are_made_and_do_not_run_yet(crew: Crew, mode: str) -> None:
    made = await crew.new_app(mode=mode)
    assert (made["mode"], made["model_config"], made["workflow"]) == (mode, None, None)
    if mode == "advanced-chat":
        answer = await crew.bob.post(f"/apps/{made['id']}/chat-messages", {"query": "Who?", "inputs": {}})
        assert_error(answer, 400, "draft_workflow_not_exist")
    assert_error(await crew.bob.post(f"/apps/{made['id']}/model-config", {"pre_prompt": "x"}), 400, "app_unavailable")


@pytest.mark.parametrize(
    ("body", "params"),
    [
        ({"mode": "chat"}, "name"), ({"name": "", "mode": "chat"}, "name"), ({"name": "x"}, "mode"),
        ({"name": "x", "mode": "rag-pipeline"}, "mode"), ({"name": "a\0b", "mode": "chat"}, "name"),
        ({"name": "x" * 256, "mode": "chat"}, "name"), ({"name": "x", "mode": "chat", "description": "d" * 401}, "description"),
        ({"name": "x", "mode": "chat", "icon_type": "video"}, "icon_type"), ({"name": {}, "mode": "chat"}, "name"),
        ({"name": "x", "mode": "chat", "icon": "i" * 256}, "icon"),
    ],
)  # fmt: skip
async def test_a_wrong_body_makes_no_app(crew: Crew, body: dict[str, Any], params: str) -> None:
    before = await App.objects.acount()
    assert_error(await crew.bob.post("/apps", body), 400, "invalid_param", params=params)
    assert await App.objects.acount() == before


async def test_only_editors_make_apps(crew: Crew) -> None:
    before = await App.objects.acount()
    assert_error(await crew.norma.post("/apps", {"name": "x", "mode": "chat"}), 403, "forbidden")
    assert await App.objects.acount() == before


async def test_a_page_is_for_every_member_and_for_no_stranger(crew: Crew) -> None:
    path = f"/apps/{crew.house.chat.app.pk}"
    body = (await crew.norma.get(path)).json()
    assert (set(body), body["id"], body["author_name"]) == (DETAIL, str(crew.house.chat.app.pk), "Alice")
    for stranger in (path, f"/apps/{UNKNOWN_ID}", "/apps/not-an-id", "/apps/%00"):
        assert_error(await crew.eve.get(stranger), 404, "app_not_found")


async def test_a_broken_configuration_does_not_hide_the_app(crew: Crew) -> None:
    broken = {"model": {"provider": 5, "mode": "song"}, "pre_prompt": "Hi"}
    await App.objects.filter(pk=crew.house.chat.app.pk).aupdate(config=broken)
    body = (await crew.bob.get(f"/apps/{crew.house.chat.app.pk}")).json()
    assert body["model_config"]["model"] == broken["model"]
    assert len(names(await crew.bob.get("/apps"))) == 2


async def test_an_app_is_changed_field_by_field(crew: Crew) -> None:
    key = crew.house.chat.app.pk
    changes = {
        "name": "New", "description": "About", "icon_type": "emoji", "icon": "🐋", "icon_background": "#123456",
        "use_icon_as_answer_icon": True, "max_active_requests": 7,
    }  # fmt: skip
    answer = await crew.bob.put(f"/apps/{key}", {**changes, **THEFT, "mode": "workflow", "config": {}, "access_mode": "x"})
    assert (answer.status, {name: answer.json()[name] for name in changes}) == (200, changes)
    row = await App.objects.aget(pk=key)
    assert {name: getattr(row, name) for name in changes} == changes
    assert (row.mode, row.tenant_id, row.status) == ("chat", crew.house.cast.alice.tenant.pk, "normal")
    assert (row.created_by_id, row.updated_by_id) == (crew.house.cast.alice.account.pk, crew.house.cast.bob.account.pk)
    assert row.config == crew.house.chat.app.config
    assert_error(await crew.bob.put(f"/apps/{key}", {"description": "x"}), 400, "invalid_param", params="name")
    kept = (await crew.bob.put(f"/apps/{key}", {"name": "New", "description": None, "max_active_requests": None})).json()
    assert (kept["description"], kept["max_active_requests"]) == ("About", 7)


@pytest.mark.parametrize(
    ("part", "body", "shown"),
    [
        ("name", {"name": "Other"}, {"name": "Other"}),
        ("icon", {"icon": "🦈", "icon_background": "#ffffff"}, {"icon": "🦈", "icon_background": "#ffffff"}),
        ("site-enable", {"enable_site": False}, {"enable_site": False}),
        ("api-enable", {"enable_api": False}, {"enable_api": False}),
    ],
)
async def test_single_settings_have_routes_of_their_own(
    crew: Crew, part: str, body: dict[str, Any], shown: dict[str, Any]
) -> None:
    path = f"/apps/{crew.house.chat.app.pk}/{part}"
    await crew.assert_only_for("POST", path, editors=part != "api-enable", json=body)
    before = await App.objects.aget(pk=crew.house.chat.app.pk)
    answer = await crew.alice.post(path, {**body, **THEFT})
    assert (answer.status, {name: answer.json()[name] for name in shown}) == (200, shown)
    row = await App.objects.aget(pk=crew.house.chat.app.pk)
    assert {name: getattr(row, name) for name in shown} == shown != {name: getattr(before, name) for name in shown}
    assert_error(await crew.alice.post(path, {}), 400, "invalid_param", params=next(iter(body)))


async def test_an_app_whose_api_is_switched_off_refuses_its_keys_at_once(crew: Crew) -> None:
    path = f"/apps/{crew.house.chat.app.pk}/api-enable"
    assert (await crew.house.call("GET", "/v1/info")).status == 200
    await crew.alice.post(path, {"enable_api": False})
    assert_error(await crew.house.call("GET", "/v1/info"), 403, "app_api_disabled")
    await crew.alice.post(path, {"enable_api": True})
    assert (await crew.house.call("GET", "/v1/info")).status == 200


async def test_an_image_shows_only_where_the_workspace_owns_it(crew: Crew) -> None:
    async def upload_of(tenant: Any, key: str) -> str:
        row = await UploadFile.objects.acreate(
            tenant=tenant, key=key, name="a.png", size=1, extension="png", mime_type="image/png", hash="0"
        )
        return str(row.pk)

    own, foreign = await upload_of(crew.house.cast.bob.tenant, "own"), await upload_of(crew.house.cast.eve.tenant, "foreign")
    path = f"/apps/{crew.house.chat.app.pk}"
    for icon, is_shown in ((own, True), (foreign, False), ("nonsense", False)):
        answer = await crew.bob.post(f"{path}/icon", {"icon_type": "image", "icon": icon})
        url = answer.json()["icon_url"]
        assert (url is not None and f"/files/{icon}/" in url) is is_shown
        listed = (await crew.bob.get("/apps", name="Alice's chat")).json()["data"][0]
        assert (listed["icon_url"] is not None) is is_shown


async def test_a_copy_has_its_own_keys_site_and_conversations(crew: Crew) -> None:
    source = crew.house.chat.app
    await App.objects.filter(pk=source.pk).aupdate(access_mode="private_all", description="First")
    await crew.assert_only_for("POST", f"/apps/{source.pk}/copy", editors=True)
    answer = await crew.bob.post(f"/apps/{source.pk}/copy", {"name": "Second", "icon": "🐙", **THEFT})
    assert answer.status == 201
    body = answer.json()
    row = await App.objects.aget(pk=body["id"])
    assert (row.name, row.icon, row.description, row.mode) == ("Second", "🐙", "First", "chat")
    assert (row.config, row.tenant_id, row.access_mode) == (source.config, source.tenant_id, "private_all")
    assert row.created_by_id == crew.house.cast.bob.account.pk
    codes = [site.code async for site in Site.objects.filter(app__in=[row.pk, source.pk])]
    assert len(set(codes)) == 2
    assert not await ApiToken.objects.filter(app=row).aexists()
    same = (await crew.bob.post(f"/apps/{source.pk}/copy")).json()
    assert (same["name"], same["id"] == body["id"]) == (source.name, False)


async def test_a_suspended_app_is_neither_copied_nor_does_it_speak(crew: Crew) -> None:
    house = crew.house
    features = {name: {"enabled": True} for name in ("suggested_questions_after_answer", "text_to_speech", "speech_to_text")}
    await house.configure(house.chat, **features)
    path = f"/apps/{house.chat.app.pk}"
    body = {"inputs": {}, "query": "Hello?", "response_mode": "blocking"}
    message = (await crew.bob.post(f"{path}/chat-messages", body)).json()["message_id"]
    await App.objects.filter(pk=house.chat.app.pk).aupdate(status="suspended")
    before, asked = await App.objects.acount(), house.upstream.requests
    form = aiohttp.FormData()
    form.add_field("file", b"RIFFsound", filename="a.wav", content_type="audio/wav")
    for answer in (
        await crew.bob.post(f"{path}/copy", {"name": "Second"}),
        await crew.bob.get(f"{path}/chat-messages/{message}/suggested-questions"),
        await crew.bob.post(f"{path}/text-to-audio", {"text": "Hi"}),
        await crew.bob.post(f"{path}/audio-to-text", data=form),
    ):
        assert_error(answer, 400, "app_unavailable")
    assert (await App.objects.acount(), house.upstream.requests) == (before, asked)


async def test_a_removed_app_is_gone_for_everybody_and_its_rows_follow(crew: Crew) -> None:
    house = crew.house
    key, site = house.chat.app.pk, await Site.objects.aget(app=house.chat.app)
    await house.ask(response_mode="blocking", auto_generate_name=False)
    await crew.bob.post(f"/apps/{key}/star")
    given = await UploadFile.objects.aget(pk=(await upload(house)).json()["id"])
    tag = await Tag.objects.acreate(tenant=house.cast.bob.tenant, type="app", name="sea")
    await TagBinding.objects.acreate(tenant=house.cast.bob.tenant, tag=tag, target_id=key)
    await crew.assert_only_for("DELETE", f"/apps/{key}", editors=True)
    answer = await crew.bob.delete(f"/apps/{key}")
    assert (answer.status, answer.body) == (204, b"")
    assert_error(await crew.bob.get(f"/apps/{key}"), 404, "app_not_found")
    assert_error(await crew.bob.delete(f"/apps/{key}"), 404, "app_not_found")
    assert_error(await house.call("GET", "/v1/info"), 401, "unauthorized")
    assert (await house.call("GET", "/api/site", headers={"X-App-Code": site.code})).status in (401, 404)
    assert names(await crew.bob.get("/apps")) == ["Alice's completion"]
    assert not await TagBinding.objects.aexists()
    assert not await AppStar.objects.aexists()
    assert await Message.objects.filter(app_id=key).aexists()
    await sync_to_async(jobs.run_waiting)("apps.removal")
    for model in (App.objects.filter(pk=key), *(m.objects.filter(app_id=key) for m in (Message, Conversation, Run, EndUser))):
        assert not await model.aexists()
    assert await App.objects.filter(pk=house.completion.app.pk).aexists()
    assert not await UploadFile.objects.aexists()
    assert await DoomedBytes.objects.filter(key=given.key).aexists()


async def test_a_long_history_goes_in_small_steps(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_removal, "BATCH", 2)
    for _ in range(5):
        await crew.house.ask(response_mode="blocking", auto_generate_name=False)
    await crew.bob.delete(f"/apps/{crew.house.chat.app.pk}")
    told: list[int] = []
    await sync_to_async(app_removal.carry_out)(crew.house.chat.app.pk, told.append)
    assert told[:3] == [2, 4, 5]
    assert not await App.objects.filter(pk=crew.house.chat.app.pk).aexists()
    await sync_to_async(app_removal.carry_out)(crew.house.chat.app.pk, told.append)


async def test_an_app_that_is_not_removed_loses_nothing(crew: Crew) -> None:
    await crew.house.ask(response_mode="blocking", auto_generate_name=False)
    await sync_to_async(app_removal.carry_out)(crew.house.chat.app.pk, lambda count: None)
    assert await Message.objects.acount() == 1


async def test_an_app_without_its_site_is_still_shown(crew: Crew) -> None:
    await sync_to_async(Site.objects.all().delete)()
    assert (await crew.bob.get(f"/apps/{crew.house.chat.app.pk}")).json()["site"] is None
    assert_error(await crew.bob.post(f"/apps/{crew.house.chat.app.pk}/site", {"title": "x"}), 403, "forbidden")


async def test_an_integrator_reads_the_names_of_the_tags(crew: Crew) -> None:
    tag = await Tag.objects.acreate(tenant=crew.house.cast.bob.tenant, type="app", name="sea")
    await TagBinding.objects.acreate(tenant=tag.tenant, tag=tag, target_id=crew.house.chat.app.pk)
    assert (await crew.house.call("GET", "/v1/info")).json()["tags"] == ["sea"]


async def test_a_run_of_a_removed_app_is_stopped_and_its_rows_wait_for_its_end(crew: Crew) -> None:
    house = crew.house
    house.upstream.script = Script(tokens=["One", " two"], delay=0.05, hang="end")
    async with house.asking(auto_generate_name=False) as response:
        await response.content.readuntil(b"\n\n")
        assert (await crew.bob.delete(f"/apps/{house.chat.app.pk}")).status == 204
        rest = await response.read()
    assert b"message_end" in rest
    await sync_to_async(jobs.run_waiting)("apps.removal", due_only=False)
    assert not await App.objects.filter(pk=house.chat.app.pk).aexists()


@pytest.mark.parametrize("longest", [1, 1200, 1_000_000])
def test_a_removal_waits_for_the_longest_run(cast: Cast, settings: Settings, longest: int) -> None:
    settings.APP_MAX_EXECUTION_TIME = longest
    app = apps.create(tenant=cast.alice.tenant, name="Busy", mode="chat")
    Run.objects.create(tenant=app.tenant, app=app, tier="service", status="running")
    app_removal.begin(app, by=cast.alice.account.pk)
    removal = Removal(JobRow.objects.get(kind="apps.removal"))
    with pytest.raises(jobs.Retry) as again:
        removal.run()
    assert again.value.after is not None
    assert again.value.after * (removal.max_attempts - 1) > longest
    assert App.objects.filter(pk=app.pk).exists()
