"""Tags on the Console API: named once per type, carried by apps of the same tenant, told to whoever asks for the app."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import Tag, TagBinding
from accounts.policies import Role
from accounts.services import tags, tenants
from difyproj.testing.cast import Cast
from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.served import Served


@pytest.fixture
async def owner(house: Served) -> TierClient:
    return await signed_in(house, house.cast.alice)


async def make(client: TierClient, name: str, type: str = "app") -> str:
    answer = await client.post("/tags", {"name": name, "type": type})
    assert answer.status == 200, answer.body
    assert answer.json() == {"id": answer.json()["id"], "name": name, "type": type, "binding_count": "0"}
    return str(answer.json()["id"])


async def bind(client: TierClient, house: Served, *tag_ids: str, remove: bool = False, **changes: Any) -> int:
    body = {"tag_ids": list(tag_ids), "target_id": str(house.chat.app.pk), "type": "app", **changes}
    answer = await client.post("/tag-bindings/remove" if remove else "/tag-bindings", body)
    if answer.status == 200:
        assert answer.json() == {"result": "success"}
    return answer.status


async def test_tags_are_made_found_renamed_and_deleted(house: Served, owner: TierClient) -> None:
    first, second = await make(owner, "Support"), await make(owner, "Internal")
    knowledge = await make(owner, "Support", "knowledge")
    listed = (await owner.get("/tags", type="app")).json()
    assert [row["name"] for row in listed] == ["Internal", "Support"]
    assert [row["id"] for row in (await owner.get("/tags", type="app", keyword="supp")).json()] == [first]
    assert len((await owner.get("/tags")).json()) == 3
    renamed = (await owner.patch(f"/tags/{second}", {"name": "Private"})).json()
    assert (renamed["name"], renamed["id"]) == ("Private", second)
    assert (await owner.delete(f"/tags/{first}")).status == 204
    assert {str(row.pk) async for row in Tag.objects.all()} == {second, knowledge}
    assert (await owner.delete(f"/tags/{first}")).status == 404


async def test_a_name_is_there_once_per_type(owner: TierClient) -> None:
    await make(owner, "Support")
    other = await make(owner, "Other")
    for answer in (
        await owner.post("/tags", {"name": "Support", "type": "app"}),
        await owner.patch(f"/tags/{other}", {"name": "Support"}),
    ):
        assert (answer.status, answer.json()["code"], answer.json()["params"]) == (400, "invalid_param", "name")
    assert await Tag.objects.filter(name="Support").acount() == 1


async def test_many_who_do_the_same_at_once_make_one_tag_and_one_binding(house: Served, owner: TierClient) -> None:
    made = await asyncio.gather(*(owner.post("/tags", {"name": "Support", "type": "app"}) for _ in range(6)))
    assert sorted(answer.status for answer in made) == [200] + [400] * 5
    (tag,) = [str(row.pk) async for row in Tag.objects.all()]
    assert set(await asyncio.gather(*(bind(owner, house, tag) for _ in range(6)))) == {200}
    assert await TagBinding.objects.acount() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "app"}, "name"),
        ({"name": "", "type": "app"}, "name"),
        ({"name": "x" * 51, "type": "app"}, "name"),
        ({"name": "a\0b", "type": "app"}, "name"),
        ({"name": "x"}, "type"),
        ({"name": "x", "type": "planet"}, "type"),
    ],
)
async def test_a_tag_that_does_not_fit_is_refused(owner: TierClient, body: dict[str, str], field: str) -> None:
    answer = await owner.post("/tags", body)
    assert (answer.status, answer.json()["code"], answer.json()["params"]) == (400, "invalid_param", field)
    assert not await Tag.objects.aexists()


async def test_an_app_carries_tags_until_they_are_taken_off(house: Served, owner: TierClient) -> None:
    first, second = await make(owner, "A"), await make(owner, "B")
    for _ in range(2):
        assert await bind(owner, house, first, second) == 200
    assert await TagBinding.objects.acount() == 2
    assert {row["binding_count"] for row in (await owner.get("/tags", type="app")).json()} == {"1"}
    assert (await house.call("GET", "/v1/info")).json()["tags"] == ["A", "B"]
    assert await bind(owner, house, first, remove=True) == 200
    assert await bind(owner, house, first, remove=True) == 200
    assert (await house.call("GET", "/v1/info")).json()["tags"] == ["B"]
    body = {"tag_id": second, "target_id": str(house.chat.app.pk), "type": "app"}
    assert (await owner.post("/tag-bindings/remove", body)).status == 200
    assert not await TagBinding.objects.aexists()
    await bind(owner, house, second)
    await owner.delete(f"/tags/{second}")
    assert not await TagBinding.objects.aexists()


async def test_nothing_is_bound_that_is_not_there(house: Served, owner: TierClient) -> None:
    tag, knowledge = await make(owner, "A"), await make(owner, "K", "knowledge")
    nobody = "00000000-0000-4000-8000-000000000000"
    assert await bind(owner, house, tag, target_id=nobody) == 404
    assert await bind(owner, house, tag, nobody) == 404
    assert await bind(owner, house, knowledge) == 404
    assert await bind(owner, house, knowledge, type="knowledge") == 404
    assert await bind(owner, house) == 400
    assert await bind(owner, house, "not-an-id") == 400
    assert await bind(owner, house, *[nobody] * 101) == 400
    assert await bind(owner, house, remove=True) == 400
    assert not await TagBinding.objects.aexists()


async def test_a_stranger_reaches_neither_the_tags_nor_the_apps_of_another_tenant(house: Served, owner: TierClient) -> None:
    tag = await make(owner, "A")
    assert await bind(owner, house, tag) == 200
    stranger = await signed_in(house, house.cast.eve)
    theirs = await make(stranger, "Eve's")
    assert [row["name"] for row in (await stranger.get("/tags")).json()] == ["Eve's"]
    assert (await stranger.patch(f"/tags/{tag}", {"name": "Mine"})).status == 404
    assert (await stranger.delete(f"/tags/{tag}")).status == 404
    foreign = str(house.foreign.app.pk)
    assert await bind(stranger, house, theirs) == 404
    assert await bind(stranger, house, tag, target_id=foreign) == 404
    assert await bind(stranger, house, tag, remove=True) == 404
    assert await bind(owner, house, tag, target_id=foreign) == 404
    assert await TagBinding.objects.acount() == 1
    assert (await Tag.objects.aget(pk=tag)).name == "A"


async def test_editors_tag_users_only_look(house: Served, owner: TierClient) -> None:
    bob, norma = await signed_in(house, house.cast.bob), await signed_in(house, house.cast.norma)
    tag = await make(bob, "A")
    assert await bind(bob, house, tag) == 200
    assert (await norma.get("/tags")).status == 200
    for answer in (
        await norma.post("/tags", {"name": "B", "type": "app"}),
        await norma.patch(f"/tags/{tag}", {"name": "B"}),
        await norma.delete(f"/tags/{tag}"),
    ):
        assert (answer.status, answer.json()["code"]) == (403, "forbidden")
    assert await bind(norma, house, tag) == await bind(norma, house, tag, remove=True) == 403
    for path in ("/tags", "/tag-bindings"):
        assert (await house.call("POST", f"/console/api{path}", headers={"Authorization": ""})).status == 401


async def test_a_dataset_operator_tags_knowledge_but_no_apps(house: Served, owner: TierClient) -> None:
    membership = house.cast.norma.membership
    await sync_to_async(tenants.change_role)(membership=membership, role=Role.DATASET_OPERATOR)
    operator = await signed_in(house, house.cast.norma)
    tag = await make(owner, "A")
    await make(operator, "K", "knowledge")
    assert (await operator.post("/tags", {"name": "B", "type": "app"})).status == 403
    assert (await operator.delete(f"/tags/{tag}")).status == 403
    assert await bind(operator, house, tag) == 403


def test_the_number_of_tags_is_bounded(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "MOST", 1)
    tags.create(principal=cast.alice.principal, type="app", name="A")
    tags.create(principal=cast.alice.principal, type="knowledge", name="A")
    with pytest.raises(tags.TooManyTags):
        tags.create(principal=cast.alice.principal, type="app", name="B")
