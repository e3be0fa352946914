"""Drafts and versions over the Console API."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.services import sessions
from apps.services import apps
from difyproj.kernel import jsonio
from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.flows import ECHO, TALK, make_flow
from difyproj.testing.served import Key, Served
from workflows.models import Workflow
from workflows.services import environment

KEY = {"id": "00000000-0000-4000-8000-000000000001", "name": "KEY", "value_type": "secret", "value": "env-5ecret-0123456789"}


@pytest.fixture
async def bob(house: Served) -> TierClient:
    return await signed_in(house, house.cast.bob)


@pytest.fixture
async def flow(house: Served) -> Key:
    return await sync_to_async(make_flow)(house.cast.alice, ECHO, environment_variables=[KEY])


def below(key: Key) -> str:
    return f"/apps/{key.app.pk}/workflows"


async def test_a_new_app_has_no_draft_until_its_first_save(house: Served, bob: TierClient) -> None:
    app = await sync_to_async(apps.create)(tenant=house.cast.alice.tenant, name="New", mode="workflow")
    place = f"/apps/{app.pk}/workflows/draft"
    refused = await bob.get(place)
    assert (refused.status, refused.json()["code"]) == (400, "draft_workflow_not_exist")
    assert (await bob.get(f"/apps/{app.pk}/workflows/publish")).body == b"null"
    saved = (await bob.post(place, {"graph": ECHO, "features": {}})).json()
    assert saved["result"] == "success" and saved["updated_at"] > 1_700_000_000
    row = await Workflow.objects.aget(app=app)
    assert (row.version, row.hash, row.graph, row.created_by_id) == ("draft", saved["hash"], ECHO, house.cast.bob.account.pk)


async def test_a_draft_is_saved_only_over_what_was_read(bob: TierClient, flow: Key) -> None:
    read = (await bob.get(f"{below(flow)}/draft")).json()
    stale = await bob.post(f"{below(flow)}/draft", {"graph": TALK, "hash": "0" * 64})
    assert (stale.status, stale.json()["code"]) == (400, "draft_workflow_not_sync")
    assert (await bob.post(f"{below(flow)}/draft", {"graph": TALK})).status == 400
    saved = await bob.post(f"{below(flow)}/draft", {"graph": TALK, "hash": read["hash"]})
    assert saved.status == 200 and saved.json()["hash"] != read["hash"]
    assert (await Workflow.objects.aget(app=flow.app, version="draft")).graph == TALK


async def test_a_secret_is_shown_masked_and_comes_back_as_it_was(bob: TierClient, flow: Key) -> None:
    answer = await bob.get(f"{below(flow)}/draft")
    assert KEY["value"].encode() not in answer.body
    (shown,) = (await bob.get(f"{below(flow)}/draft/environment-variables")).json()["items"]
    assert (shown["name"], shown["type"], shown["value_type"]) == ("KEY", "env", "secret")
    again = {**KEY, "value": shown["value"]}
    saved = await bob.post(f"{below(flow)}/draft/environment-variables", {"environment_variables": [again]})
    assert saved.json() == {"result": "success"}
    row = await Workflow.objects.select_related("tenant").aget(app=flow.app, version="draft")
    assert await sync_to_async(environment.values)(row) == {"KEY": KEY["value"]}


async def test_parts_are_saved_alone(bob: TierClient, flow: Key) -> None:
    mood = {"name": "mood", "value_type": "string", "value": "good", "description": "How it goes"}
    await bob.post(f"{below(flow)}/draft/conversation-variables", {"conversation_variables": [mood]})
    await bob.post(f"{below(flow)}/draft/features", {"features": {"opening_statement": "Hi"}})
    row = await Workflow.objects.aget(app=flow.app, version="draft")
    assert (row.graph, row.features) == (ECHO, {"opening_statement": "Hi"})
    (item,) = (await bob.get(f"{below(flow)}/draft/conversation-variables")).json()["items"]
    assert (item["selector"], item["value"], item["description"]) == (["conversation", "mood"], "good", "How it goes")


async def test_a_version_is_published_named_listed_restored_and_deleted(house: Served, bob: TierClient, flow: Key) -> None:
    old = await Workflow.objects.versions().aget(app=flow.app)
    draft = (await bob.get(f"{below(flow)}/draft")).json()
    await bob.post(f"{below(flow)}/draft", {"graph": TALK, "hash": draft["hash"]})
    published = await bob.post(f"{below(flow)}/publish", {"marked_name": "Second", "marked_comment": "Talks"})
    assert published.json()["result"] == "success"
    newest = (await bob.get(f"{below(flow)}/publish")).json()
    assert (newest["marked_name"], newest["graph"], newest["created_by"]["email"]) == ("Second", TALK, "bob@acme.example")
    page = (await bob.get(below(flow), limit="1")).json()
    assert ([one["id"] for one in page["items"]], page["has_more"], page["page"]) == ([newest["id"]], True, 1)
    named = (await bob.get(below(flow), named_only="true", user_id=str(house.cast.bob.account.pk))).json()
    assert [one["id"] for one in named["items"]] == [newest["id"]]
    renamed = await bob.patch(f"{below(flow)}/{old.pk}", {"marked_name": "First"})
    assert (renamed.json()["marked_name"], renamed.json()["marked_comment"]) == ("First", "")
    assert (await bob.post(f"{below(flow)}/{old.pk}/restore")).json()["result"] == "success"
    assert (await Workflow.objects.aget(app=flow.app, version="draft")).graph == ECHO
    assert (await bob.delete(f"{below(flow)}/{newest['id']}")).json()["code"] == "bad_request"
    assert (await bob.delete(f"{below(flow)}/{old.pk}")).status == 204
    assert not await Workflow.objects.filter(pk=old.pk).aexists()


async def test_a_graph_that_cannot_run_is_not_published(bob: TierClient, flow: Key) -> None:
    broken = {"nodes": [{"id": "x", "data": {"type": "nonsense"}}], "edges": []}
    draft = (await bob.get(f"{below(flow)}/draft")).json()
    assert (await bob.post(f"{below(flow)}/draft", {"graph": broken, "hash": draft["hash"]})).status == 200
    refused = await bob.post(f"{below(flow)}/publish", {})
    assert (refused.status, refused.json()["code"]) == (400, "invalid_param")
    assert await Workflow.objects.versions().filter(app=flow.app).acount() == 1


async def test_apps_of_other_modes_have_no_graph(house: Served, bob: TierClient) -> None:
    refused = await bob.get(f"/apps/{house.chat.app.pk}/workflows/draft")
    assert (refused.status, refused.json()["code"]) == (404, "app_not_found")


async def test_nodes_have_defaults(bob: TierClient, flow: Key) -> None:
    every = {one["type"]: one["config"] for one in (await bob.get(f"{below(flow)}/default-workflow-block-configs")).json()}
    assert {"llm", "code", "iteration"} <= set(every)
    place = f"{below(flow)}/default-workflow-block-configs"
    code = (await bob.get(f"{place}/code", q='{"code_language": "javascript"}')).json()["config"]
    assert (code["code_language"], "function main" in code["code"]) == ("javascript", True)
    assert (await bob.get(f"{place}/if-else")).json() == {"type": "if-else", "config": {}}
    assert (await bob.get(f"{place}/nonsense")).status == 404
    assert (await bob.get(f"{place}/code", q="{")).json()["params"] == "q"


def beacon(origin: str, access: str) -> dict[str, str]:
    return {
        "Cookie": f"access_token={access}",
        "Authorization": "",
        "Content-Type": "text/plain;charset=UTF-8",
        "Origin": origin,
    }


@pytest.mark.parametrize(("origin", "status"), [("own", 200), ("https://evil.example", 401), ("null", 401), ("", 401)])
async def test_a_page_that_is_left_saves_by_a_beacon_of_its_own_origin_only(
    house: Served, flow: Key, origin: str, status: int
) -> None:
    made = await sync_to_async(sessions.open)(house.cast.bob.account, method="test")
    row = await Workflow.objects.aget(app=flow.app, version="draft")
    headers = beacon(house.url if origin == "own" else origin, made.access)
    body: Any = jsonio.dumps({"graph": TALK, "hash": row.hash})
    answer = await house.call("POST", f"/console/api{below(flow)}/draft", data=body, headers=headers)
    assert answer.status == status
    await row.arefresh_from_db()
    assert row.graph == (TALK if status == 200 else ECHO)


async def test_no_other_write_takes_a_beacon(house: Served, flow: Key) -> None:
    made = await sync_to_async(sessions.open)(house.cast.bob.account, method="test")
    headers = {**beacon(house.url, made.access), "Content-Type": "application/json"}
    answer = await house.call("POST", f"/console/api{below(flow)}/publish", data=b"{}", headers=headers)
    assert answer.status == 401
    assert await Workflow.objects.versions().filter(app=flow.app).acount() == 1


async def test_the_list_of_apps_names_the_published_version(bob: TierClient, flow: Key) -> None:
    shown = {one["id"]: one["workflow"] for one in (await bob.get("/apps")).json()["data"]}
    version = await Workflow.objects.versions().aget(app=flow.app)
    assert shown.pop(str(flow.app.pk))["id"] == str(version.pk)
    assert set(shown.values()) == {None}
    own = (await bob.get(f"/apps/{flow.app.pk}")).json()["workflow"]
    assert (own["id"], own["created_by"]) == (str(version.pk), str(version.created_by_id))
