"""App files are imported over the Console API: at once, after a confirmation, over an app, or not at all, with the reason."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async

from apps.models import App, DslLeftovers, PendingImport, Site
from apps.services import dsl
from apps.tasks.retention import Retention
from difyproj.infra.models import Job
from difyproj.kernel import clock
from difyproj.testing.served import Answer
from workflows.models import Workflow

from .console_crew import Crew
from .contract import assert_error
from .dsl_files import NAMES, as_dify_reads, losses, raw_of, text_of

GRAPHS = [name for name in NAMES if name not in ("completion_slogans.yml", "chat_helper.yml", "agent_chat_clerk.yml")]
FIELDS = {"id", "status", "app_id", "app_mode", "current_dsl_version", "imported_dsl_version", "error"}


async def take(crew: Crew, text: str, **fields: Any) -> Answer:
    return await crew.bob.post("/apps/imports", {"mode": "yaml-content", "yaml_content": text, **fields})


async def taken(crew: Crew, text: str, **fields: Any) -> dict[str, Any]:
    answer = await take(crew, text, **fields)
    assert answer.status == 200, answer.body
    body: dict[str, Any] = answer.json()
    assert set(body) == FIELDS and body["error"] == ""
    return body


async def assert_failed(answer: Answer, told: str) -> None:
    assert answer.status == 400, answer.body
    body = answer.json()
    assert (body["status"], body["app_id"]) == ("failed", None)
    assert told in body["error"]


async def export_of(crew: Crew, app_id: str, **query: str) -> str:
    answer = await crew.bob.get(f"/apps/{app_id}/export", **query)
    assert answer.status == 200, answer.body
    text: str = answer.json()["data"]
    return text


async def app_count(crew: Crew) -> int:
    return await App.objects.for_tenant(crew.house.cast.bob.tenant).acount()


def newer(name: str) -> str:
    return json.dumps({**raw_of(name), "version": "99.0.0"})


@pytest.mark.parametrize("name", NAMES)
async def test_every_mode_is_imported_and_exported_without_a_loss(crew: Crew, name: str) -> None:
    made = await taken(crew, text_of(name))
    row = await App.objects.aget(pk=made["app_id"])
    assert (row.mode, row.tenant_id, row.created_by_id) == (
        raw_of(name)["app"]["mode"], crew.house.cast.bob.tenant.pk, crew.house.cast.bob.account.pk,
    )  # fmt: skip
    assert made["app_mode"] == row.mode
    assert await Site.objects.filter(app=row, title=row.name).aexists()
    assert await Workflow.objects.filter(app=row, version="draft").acount() == (1 if name in GRAPHS else 0)
    exported = as_dify_reads(await export_of(crew, made["app_id"], include_secret="true"))
    assert list(losses(raw_of(name), exported)) == []


@pytest.mark.parametrize("name", NAMES)
async def test_the_copy_of_a_copy_has_the_same_bytes(crew: Crew, name: str) -> None:
    first = await export_of(crew, (await taken(crew, text_of(name)))["app_id"])
    second = await export_of(crew, (await taken(crew, first))["app_id"])
    assert second == first


@pytest.mark.parametrize(
    ("version", "status", "told"),
    [
        ("0.6.0", "completed", "0.6.0"),
        ("0.1.5", "completed-with-warnings", "0.1.5"),
        (None, "completed-with-warnings", "0.1.0"),
    ],
)
async def test_the_answer_says_how_the_version_fits(crew: Crew, version: str | None, status: str, told: str) -> None:
    made = await taken(crew, json.dumps({**raw_of("chat_helper.yml"), "version": version}))
    assert (made["status"], made["imported_dsl_version"], made["current_dsl_version"]) == (status, told, "0.6.0")


async def test_a_newer_file_waits_for_its_confirmation_and_is_taken_once(crew: Crew) -> None:
    before = await app_count(crew)
    answer = await take(crew, newer("workflow_orders.yml"), name="Newer")
    assert answer.status == 202
    waiting = answer.json()
    assert (waiting["status"], waiting["app_id"], waiting["imported_dsl_version"]) == ("pending", None, "99.0.0")
    row = await PendingImport.objects.aget(pk=waiting["id"])
    assert b"sk-shop" not in bytes(row.sealed)
    assert await app_count(crew) == before
    confirmed = await crew.bob.post(f"/apps/imports/{waiting['id']}/confirm")
    assert (confirmed.status, confirmed.json()["status"], confirmed.json()["id"]) == (200, "completed", waiting["id"])
    assert (await App.objects.aget(pk=confirmed.json()["app_id"])).name == "Newer"
    assert not await PendingImport.objects.aexists()
    again = await crew.bob.post(f"/apps/imports/{waiting['id']}/confirm")
    await assert_failed(again, "Import information expired or does not exist")
    assert await app_count(crew) == before + 1


async def test_nobody_else_confirms_and_nobody_too_late(crew: Crew) -> None:
    waiting = (await take(crew, newer("chat_helper.yml"))).json()["id"]
    await assert_failed(await crew.eve.post(f"/apps/imports/{waiting}/confirm"), "expired or does not exist")
    assert_error(await crew.norma.post(f"/apps/imports/{waiting}/confirm"), 403, "forbidden")
    await PendingImport.objects.aupdate(expires_at=clock.now() - timedelta(seconds=1))
    await assert_failed(await crew.bob.post(f"/apps/imports/{waiting}/confirm"), "expired or does not exist")
    assert await PendingImport.objects.acount() == 1
    assert await sync_to_async(Retention(Job(kind=Retention.kind)).run)() == {"imports": 1}
    assert not await PendingImport.objects.aexists()


async def test_only_the_newest_files_wait(crew: Crew) -> None:
    keys = [(await take(crew, newer("chat_helper.yml"))).json()["id"] for _ in range(22)]
    kept = {str(key) async for key in PendingImport.objects.values_list("pk", flat=True)}
    assert kept == set(keys[2:])


@pytest.mark.parametrize("key", ["x", "0" * 36, "0198a7c4-1f2e-7c3a-9b8d-2f6e5a4c3b2d"])
async def test_an_import_that_never_was_cannot_be_confirmed(crew: Crew, key: str) -> None:
    await assert_failed(await crew.bob.post(f"/apps/imports/{key}/confirm"), "expired or does not exist")


async def test_what_the_importer_chose_wins_over_the_file(crew: Crew) -> None:
    looks = {"name": "Mine", "description": "Said by me", "icon_type": "emoji", "icon": "🦊", "icon_background": "#000000"}
    row = await App.objects.aget(pk=(await taken(crew, text_of("chat_helper.yml"), **looks))["app_id"])
    assert {name: getattr(row, name) for name in looks} == looks
    file = raw_of("completion_slogans.yml")["app"]
    blank = await App.objects.aget(pk=(await taken(crew, text_of("completion_slogans.yml"), name="", icon=None))["app_id"])
    assert (blank.name, blank.icon) == (file["name"], file["icon"])


async def test_secrets_of_the_environment_are_sealed_and_come_out_only_when_asked(crew: Crew) -> None:
    made = await taken(crew, text_of("workflow_orders.yml"))
    draft = await Workflow.objects.aget(app_id=made["app_id"])
    assert "sk-shop" not in json.dumps([draft.environment_variables, draft.graph])
    assert bytes(draft.sealed)
    assert "sk-shop-0123456789" not in await export_of(crew, made["app_id"])
    assert "sk-shop-0123456789" in await export_of(crew, made["app_id"], include_secret="true")


async def test_an_import_over_an_app_keeps_the_app_and_changes_the_rest(crew: Crew) -> None:
    old = await taken(crew, text_of("workflow_orders.yml"))
    draft = await Workflow.objects.aget(app_id=old["app_id"])
    made = await taken(crew, text_of("old_workflow.yml"), app_id=old["app_id"])
    assert made["app_id"] == old["app_id"]
    row, now = await App.objects.aget(pk=old["app_id"]), await Workflow.objects.aget(app_id=old["app_id"])
    assert (row.name, now.pk, now.environment_variables) == ("Old parchment", draft.pk, [])
    assert {node["id"] for node in now.graph["nodes"]} == {"begin", "choose", "fetch", "join", "done"}
    assert not await DslLeftovers.objects.filter(app=row).aexists()
    assert await export_of(crew, made["app_id"]) == await export_of(
        crew, (await taken(crew, text_of("old_workflow.yml")))["app_id"]
    )


async def test_an_app_is_overwritten_only_by_its_kind_and_by_its_own_people(crew: Crew) -> None:
    flow = text_of("workflow_orders.yml")
    chat = await crew.new_app(mode="chat")
    await assert_failed(await take(crew, flow, app_id=chat["id"]), "Only workflow or advanced chat apps can be overwritten")
    chatflow = await crew.new_app(mode="advanced-chat")
    await assert_failed(await take(crew, flow, app_id=chatflow["id"]), "of the mode workflow")
    mine = await taken(crew, flow)
    for key in (str(crew.house.foreign.app.pk), str(uuid4()), "x"):
        await assert_failed(await take(crew, flow, app_id=key), "App not found")
    body = {"mode": "yaml-content", "yaml_content": text_of("old_workflow.yml"), "app_id": mine["app_id"]}
    await assert_failed(await crew.eve.post("/apps/imports", body), "App not found")
    assert (await App.objects.aget(pk=mine["app_id"])).name == "Orders"


async def test_a_newer_file_may_overwrite_after_its_confirmation(crew: Crew) -> None:
    mine = (await taken(crew, text_of("old_workflow.yml")))["app_id"]
    waiting = (await take(crew, newer("workflow_orders.yml"), app_id=mine)).json()
    assert (waiting["status"], waiting["app_id"]) == ("pending", mine)
    assert (await App.objects.aget(pk=mine)).name == "Old parchment"
    done = (await crew.bob.post(f"/apps/imports/{waiting['id']}/confirm")).json()
    assert (done["status"], done["app_id"]) == ("completed", mine)
    assert (await App.objects.aget(pk=mine)).name == "Orders"


def broken(name: str, path: str, value: Any) -> str:
    raw = raw_of(name)
    *steps, last = path.split(".")
    found: Any = raw
    for step in steps:
        found = found[int(step)] if step.isdigit() else found[step]
    found[int(last) if last.isdigit() else last] = value
    return json.dumps(raw)


BROKEN = {
    "a field of the form": (broken("chat_helper.yml", "model_config.user_input_form.0", {"slider": {}}), "user_input_form.0"),
    "a type of variable": (broken("workflow_orders.yml", "workflow.environment_variables.2.value_type", "cat"), "tries"),
    "a value of a variable": (broken("workflow_orders.yml", "workflow.environment_variables.2.value", "many"), "tries"),
    "a twice used name": (broken("workflow_orders.yml", "workflow.environment_variables.2.name", "shop_url"), "shop_url"),
    "a version": (broken("chat_helper.yml", "version", "six"), "Invalid DSL version"),
    "nothing of an app": ("nodes: []", "Missing app data"),
    "no YAML": ("a: 'b", "Invalid YAML format"),
    "objects": ("app: !!python/object/new:os.system [id]", "tag"),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_a_broken_file_makes_nothing_and_says_why(crew: Crew, what: str) -> None:
    before = await app_count(crew)
    text, told = BROKEN[what]
    await assert_failed(await take(crew, text), told)
    assert await app_count(crew) == before
    assert not await Workflow.objects.filter(tenant=crew.house.cast.bob.tenant).aexists()


@pytest.mark.parametrize("mode", ["yaml-content", "yaml-url"])
@pytest.mark.parametrize("nothing", [{}, {"yaml_content": "", "yaml_url": ""}, {"yaml_content": None, "yaml_url": None}])
async def test_an_import_of_nothing_names_the_field(crew: Crew, mode: str, nothing: dict[str, Any]) -> None:
    answer = await crew.bob.post("/apps/imports", {"mode": mode, **nothing})
    await assert_failed(answer, f"{mode.replace('-', '_')} is required")


async def test_an_unknown_way_of_import_is_refused(crew: Crew) -> None:
    assert_error(await crew.bob.post("/apps/imports", {"mode": "yaml-pigeon"}), 400, "invalid_param")


async def test_a_huge_file_is_refused(crew: Crew) -> None:
    await assert_failed(await take(crew, "a: " + "x" * (11 * 1024 * 1024)), "10MB")
    assert (await take(crew, "a: " + "x" * (16 * 1024 * 1024))).status == 413


async def test_only_editors_import(crew: Crew) -> None:
    body = {"mode": "yaml-content", "yaml_content": text_of("chat_helper.yml")}
    for path in ("/apps/imports", "/apps/imports/check"):
        assert_error(await crew.norma.post(path, body), 403, "forbidden")
    mine = (await taken(crew, text_of("chat_helper.yml")))["app_id"]
    await crew.assert_only_for("GET", f"/apps/imports/{mine}/check-dependencies", editors=True)


async def test_ids_of_another_workspace_lead_to_nothing_of_it(crew: Crew) -> None:
    """A file may name whatever it likes: datasets, credentials and icons are looked for at home only."""
    picture = str(uuid4())
    made = await taken(crew, text_of("chatflow_memory.yml"), icon_type="image", icon=picture)
    detail = (await crew.bob.get(f"/apps/{made['app_id']}")).json()
    assert (detail["icon"], detail["icon_url"]) == (picture, None)
    text = await export_of(crew, made["app_id"], include_secret="true")
    for key in (picture, str(crew.house.cast.bob.tenant.pk), made["app_id"]):
        assert key not in text
    checked = await crew.bob.post("/apps/imports/check", {"mode": "yaml-content", "yaml_content": text})
    missing = {(row["kind"], row["place"]) for row in checked.json()["findings"] if row["level"] == "missing"}
    assert ("dataset", "3") in missing


async def test_the_dry_run_tells_everything_and_keeps_nothing(crew: Crew) -> None:
    before = await app_count(crew)
    answer = await crew.bob.post(
        "/apps/imports/check", {"mode": "yaml-content", "yaml_content": text_of("chatflow_memory.yml")}
    )
    assert answer.status == 200, answer.body
    body = answer.json()
    assert (body["status"], body["name"], body["mode"]) == ("completed-with-warnings", "Elephant", "advanced-chat")
    assert (body["current_dsl_version"], body["imported_dsl_version"]) == ("0.6.0", "0.4.0")
    rows = {(row["level"], row["place"], row["kind"], row["name"]) for row in body["findings"]}
    assert ("mapped", "4", "model", "langgenius/openai/openai/gpt-4o") in rows
    assert ("missing", "2", "model", "deepseek/deepseek-chat") in rows
    assert ("missing", "5", "model", "openai/gpt-4o") not in rows, "Acme has credentials of openai"
    assert await app_count(crew) == before
    refused = await crew.bob.post("/apps/imports/check", {"mode": "yaml-content", "yaml_content": "nodes: []"})
    assert_error(refused, 400, "invalid_param")


async def test_plug_ins_whose_work_nothing_here_does_are_told_after_the_import(crew: Crew) -> None:
    async def leaked(name: str) -> list[str]:
        key = (await taken(crew, text_of(name)))["app_id"]
        rows = (await crew.bob.get(f"/apps/imports/{key}/check-dependencies")).json()["leaked_dependencies"]
        return [next(iter(row["value"].values())) for row in rows]

    assert await leaked("agent_chat_clerk.yml") == ["acme/registers:0.1.0@0d1f"]
    assert await leaked("completion_slogans.yml") == []
    assert "langgenius/atlas" in await leaked("chatflow_memory.yml")


async def test_a_version_is_exported_by_its_id(crew: Crew) -> None:
    made = (await taken(crew, text_of("old_workflow.yml")))["app_id"]
    draft = await Workflow.objects.aget(app_id=made)
    assert "Old parchment" in await export_of(crew, made, workflow_id=str(draft.pk))
    foreign = await taken(crew, text_of("workflow_orders.yml"))
    other = await Workflow.objects.aget(app_id=foreign["app_id"])
    for key in (str(other.pk), str(uuid4()), "x"):
        assert (await crew.bob.get(f"/apps/{made}/export", workflow_id=key)).status == 404


async def test_what_somebody_clicked_in_the_editor_changes_no_export(crew: Crew) -> None:
    made = (await taken(crew, text_of("old_workflow.yml")))["app_id"]
    before = await export_of(crew, made)
    draft = await Workflow.objects.aget(app_id=made)
    for node in draft.graph["nodes"]:
        node["selected"] = node["data"]["selected"] = True
    await Workflow.objects.filter(pk=draft.pk).aupdate(graph=draft.graph)
    assert await export_of(crew, made) == before


async def test_an_agent_app_is_kept_though_it_cannot_run_yet(crew: Crew) -> None:
    made = (await taken(crew, text_of("agent_chat_clerk.yml")))["app_id"]
    row = await App.objects.aget(pk=made)
    assert [tool["tool_name"] for tool in row.config["agent_mode"]["tools"]] == ["look_up", "current_time"]
    ask = {"inputs": {}, "query": "x", "response_mode": "blocking"}
    assert_error(await crew.bob.post(f"/apps/{made}/chat-messages", ask), 400, "app_unavailable")


async def test_the_version_of_the_dsl_is_told_to_everybody(crew: Crew) -> None:
    answer = await crew.house.call("GET", "/console/api/app-dsl-version", headers={"Authorization": ""})
    assert (answer.status, answer.json()) == (200, {"app_dsl_version": dsl.VERSION})


async def test_a_copy_takes_the_draft_its_secrets_and_what_else_came_with_the_file(crew: Crew) -> None:
    made = (await taken(crew, text_of("workflow_orders.yml")))["app_id"]
    answer = await crew.bob.post(f"/apps/{made}/copy", {"name": "Orders"})
    assert answer.status == 201, answer.body
    copied = answer.json()["id"]
    assert await export_of(crew, copied, include_secret="true") == await export_of(crew, made, include_secret="true")
    assert "sk-shop-0123456789" in await export_of(crew, copied, include_secret="true")
    await crew.bob.post(
        "/apps/imports", {"mode": "yaml-content", "yaml_content": text_of("old_workflow.yml"), "app_id": copied}
    )
    assert "shop_url" in await export_of(crew, made)


async def test_a_graph_that_nobody_drew_yet_is_exported_as_it_begins(crew: Crew) -> None:
    made = await crew.new_app(mode="advanced-chat")
    graph = as_dify_reads(await export_of(crew, made["id"]))["workflow"]["graph"]
    assert [node["data"]["type"] for node in graph["nodes"]] == ["start", "llm", "answer"]
    assert not await Workflow.objects.filter(app_id=made["id"]).aexists()
