"""GET /console/api/apps and /apps/starred: pages of the workspace's apps, filtered and sorted, in few queries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import Tag, TagBinding
from apps.models import App, AppStar
from apps.services import apps
from difyproj.kernel import clock
from difyproj.testing.console import TierClient
from difyproj.testing.queries import queries_of

from .console_crew import Crew, data, names
from .contract import UNKNOWN_ID, assert_error

MOST_QUERIES = 8
ITEM = {
    "id", "name", "mode", "description", "icon_type", "icon", "icon_background", "icon_url", "max_active_requests",
    "model_config", "workflow", "use_icon_as_answer_icon", "created_by", "created_at", "updated_by", "updated_at", "tags",
    "access_mode", "author_name", "create_user_name", "is_starred", "has_draft_trigger", "permission_keys", "maintainer",
    "bound_agent_id",
}  # fmt: skip


async def tag(crew: Crew, name: str, *app_ids: str) -> Tag:
    tenant = crew.house.cast.alice.tenant
    row = await Tag.objects.acreate(tenant=tenant, type="app", name=name)
    for app_id in app_ids:
        await TagBinding.objects.acreate(tenant=tenant, tag=row, target_id=app_id)
    return row


async def test_an_item_tells_what_the_contract_names(crew: Crew) -> None:
    made = await crew.new_app(description="About whales", icon="🐳", icon_background="#000000")
    whales = await tag(crew, "sea", made["id"])
    await crew.bob.post(f"/apps/{made['id']}/star")
    answer = await crew.bob.get("/apps", name="whales")
    assert {name: value for name, value in answer.json().items() if name != "data"} == {
        "page": 1, "limit": 20, "total": 1, "has_more": False,
    }  # fmt: skip
    (item,) = data(answer)
    row = await App.objects.aget(pk=made["id"])
    bob = crew.house.cast.bob.account
    assert set(item) == ITEM
    assert item.pop("model_config")["model"]["name"] == "gpt-4o-mini"
    assert item == {
        "id": str(row.pk), "name": "Whales", "mode": "chat", "description": "About whales", "icon_type": "emoji", "icon": "🐳",
        "icon_background": "#000000", "icon_url": None, "max_active_requests": 0, "workflow": None,
        "use_icon_as_answer_icon": False, "created_by": str(bob.pk), "created_at": clock.epoch(row.created_at),
        "updated_by": str(bob.pk), "updated_at": clock.epoch(row.updated_at),
        "tags": [{"id": str(whales.pk), "name": "sea", "type": "app"}], "access_mode": "public", "author_name": "Bob",
        "create_user_name": "Bob", "is_starred": True, "has_draft_trigger": False, "permission_keys": [], "maintainer": None,
        "bound_agent_id": None,
    }  # fmt: skip


async def test_every_member_who_uses_apps_sees_those_of_the_workspace_and_no_other(crew: Crew) -> None:
    for who in (crew.alice, crew.bob, crew.norma):
        assert sorted(names(await who.get("/apps"))) == ["Alice's chat", "Alice's completion"]
    assert names(await crew.eve.get("/apps")) == ["Eve's chat"]
    nobody = TierClient(crew.house, "/console/api", {"Authorization": ""})
    assert_error(await nobody.get("/apps"), 401, "unauthorized")


async def test_pages_follow_one_another_without_gap_or_repetition(crew: Crew) -> None:
    for number in range(5):
        await crew.new_app(name=f"App {number}")
    seen: list[str] = []
    for page in (1, 2, 3):
        body = (await crew.alice.get("/apps", page=str(page), limit="3")).json()
        assert (body["page"], body["limit"], body["total"], body["has_more"]) == (page, 3, 7, page < 3)
        seen += [row["id"] for row in body["data"]]
    assert len(seen) == len(set(seen)) == 7
    beyond = (await crew.alice.get("/apps", page="9", limit="3")).json()
    assert (beyond["data"], beyond["total"], beyond["has_more"]) == ([], 7, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page", "0"), ("page", "100000"), ("page", "x"), ("limit", "0"), ("limit", "101"), ("mode", "dance"),
        ("sort_by", "-name"), ("tag_ids", "1,2"), ("creator_ids", "x"), ("name", "a\0b"), ("name", "x" * 256),
        ("is_created_by_me", "perhaps"),
    ],
)  # fmt: skip
async def test_a_wrong_query_names_its_field(crew: Crew, name: str, value: str) -> None:
    assert_error(await crew.alice.get("/apps", **{name: value}), 400, "invalid_param", params=name)


async def test_filters_narrow_the_list(crew: Crew) -> None:
    whales, sharks = await crew.new_app(), await crew.new_app(name="Sharks", mode="completion")
    sea, _ = await tag(crew, "sea", whales["id"], sharks["id"]), await tag(crew, "land")
    bob = str(crew.house.cast.bob.account.pk)

    async def found(**query: str) -> list[str]:
        return sorted(names(await crew.bob.get("/apps", **query)))

    assert await found(mode="chat") == ["Alice's chat", "Whales"]
    assert await found(mode="all", name="SHARK") == await found(search="shark") == ["Sharks"]
    assert await found(mode="workflow") == await found(mode="channel") == []
    assert await found(is_created_by_me="true") == await found(creator_ids=f"{bob},{UNKNOWN_ID}") == ["Sharks", "Whales"]
    assert await found(is_created_by_me="false", name="%") == []
    assert await found(tag_ids=str(sea.pk)) == ["Sharks", "Whales"]
    assert await found(tag_ids=f"{UNKNOWN_ID},{sea.pk}", mode="chat") == ["Whales"]
    assert await found(tag_ids=UNKNOWN_ID) == []


async def test_another_workspaces_tag_finds_nothing(crew: Crew) -> None:
    eve = crew.house.cast.eve.tenant
    foreign = await Tag.objects.acreate(tenant=eve, type="app", name="spy")
    await TagBinding.objects.acreate(tenant=eve, tag=foreign, target_id=crew.house.chat.app.pk)
    assert data(await crew.alice.get("/apps", tag_ids=str(foreign.pk))) == []
    assert data(await crew.eve.get("/apps", tag_ids=str(foreign.pk))) == []
    assert all(row["tags"] == [] for row in data(await crew.alice.get("/apps")))


async def test_the_order_is_the_callers_choice(crew: Crew) -> None:
    now = clock.now()
    for age, name in enumerate(("new", "middle", "old")):
        made = await crew.new_app(name=name)
        await App.objects.filter(pk=made["id"]).aupdate(
            created_at=now - timedelta(days=age), updated_at=now - timedelta(days=3 - age)
        )

    async def order(**query: str) -> list[str]:
        return names(await crew.bob.get("/apps", is_created_by_me="true", **query))

    assert await order() == await order(sort_by="last_modified") == ["old", "middle", "new"]
    assert await order(sort_by="recently_created") == ["new", "middle", "old"]
    assert await order(sort_by="earliest_created") == ["old", "middle", "new"]


async def test_stars_are_everyones_own(crew: Crew) -> None:
    path = f"/apps/{crew.house.chat.app.pk}/star"
    for _ in range(2):
        assert (await crew.norma.post(path)).json() == {"result": "success"}
    assert await AppStar.objects.acount() == 1
    starred = await crew.norma.get("/apps/starred")
    assert (names(starred), starred.json()["total"], data(starred)[0]["is_starred"]) == (["Alice's chat"], 1, True)
    assert names(await crew.bob.get("/apps/starred")) == []
    assert [row["is_starred"] for row in data(await crew.bob.get("/apps"))] == [False, False]
    for _ in range(2):
        assert (await crew.norma.delete(path)).json() == {"result": "success"}
    assert names(await crew.norma.get("/apps/starred")) == []


async def test_a_stranger_stars_nothing(crew: Crew) -> None:
    for method in ("POST", "DELETE"):
        assert_error(await crew.eve.call(method, f"/apps/{crew.house.chat.app.pk}/star"), 404, "app_not_found")
    assert not await AppStar.objects.aexists()


async def test_a_page_costs_the_same_few_queries_whatever_stands_on_it(crew: Crew) -> None:
    tenant, bob = crew.house.cast.alice.tenant, crew.house.cast.bob.account
    before = await queries_of(crew.bob.get, "/apps", limit="50")

    def fill() -> list[Any]:
        made = [apps.create(tenant=tenant, name=f"App {n}", mode="chat", created_by_id=bob.pk) for n in range(30)]
        AppStar.objects.bulk_create([AppStar(app=app, account_id=bob.pk) for app in made])
        return [str(app.pk) for app in made]

    made = await sync_to_async(fill)()
    await tag(crew, "many", *made)
    after = await queries_of(crew.bob.get, "/apps", limit="50")
    assert len(data(await crew.bob.get("/apps", limit="50"))) == 32
    assert before == after <= MOST_QUERIES
    assert await queries_of(crew.bob.get, "/apps", limit="10", page="2", name="app") <= MOST_QUERIES
    assert await queries_of(crew.bob.get, "/apps/starred", limit="10") <= MOST_QUERIES
