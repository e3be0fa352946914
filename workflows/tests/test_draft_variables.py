"""Variables of drafts over the Console API: what runs left, changed by authors, found by the next node that is tried."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from asgiref.sync import sync_to_async

from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.flows import BARE_START, ECHO, make_flow
from difyproj.testing.served import Key, Served
from workflows.services import graphs

ASSIGN = {
    "type": "assigner", "title": "Set", "version": "2",
    "items": [{"variable_selector": ["conversation", "mood"], "operation": "over-write", "input_type": "variable",
               "value": ["sys", "query"]}],
}  # fmt: skip
SAY = {"type": "answer", "title": "Answer", "answer": "{{#conversation.mood#}} {{#sys.query#}}"}
MOODY = graphs.drawn([BARE_START, ("set", ASSIGN), ("answer", SAY)])
MOOD = [{"name": "mood", "value_type": "string", "value": "good"}]


@pytest.fixture
async def bob(house: Served) -> TierClient:
    return await signed_in(house, house.cast.bob)


@pytest.fixture
async def flow(house: Served, bob: TierClient) -> Key:
    """Run once."""
    made = await sync_to_async(make_flow)(house.cast.alice, ECHO)
    assert (await bob.get(f"{draft(made)}/variables")).json() == {"items": [], "total": 0}
    await bob.post(f"{draft(made)}/run", {"inputs": {"word": "hello"}})
    return made


def draft(key: Key) -> str:
    return f"/apps/{key.app.pk}/workflows/draft"


async def listed(bob: TierClient, key: Key, **query: Any) -> dict[str, dict[str, Any]]:
    items = (await bob.get(f"{draft(key)}/variables", **query)).json()["items"]
    return {".".join(one["selector"]): one for one in items}


async def tried(bob: TierClient, key: Key, node: str = "end", **body: Any) -> Any:
    return (await bob.post(f"{draft(key)}/nodes/{node}/run", body)).json()["outputs"]


async def test_variables_are_those_of_the_last_run_of_each_node(bob: TierClient, flow: Key) -> None:
    found = await listed(bob, flow)
    assert {name: one["value"] for name, one in found.items() if one["type"] == "node"} == {
        "start.word": "hello", "end.said": "hello",
    }  # fmt: skip
    assert await tried(bob, flow, inputs={"start.word": "bye"}) == {"said": "bye"}
    (one,) = (await bob.get(f"{draft(flow)}/nodes/end/variables")).json()["items"]
    assert (one["value"], one["value_type"], one["type"], one["edited"]) == ("bye", "string", "node", False)
    assert one == (await listed(bob, flow))["end.said"] == (await bob.get(f"{draft(flow)}/variables/{one['id']}")).json()
    system = {one["name"]: one for one in (await bob.get(f"{draft(flow)}/system-variables")).json()["items"]}
    assert (system["app_id"]["value"], system["app_id"]["editable"]) == (str(flow.app.pk), False)
    page = (await bob.get(f"{draft(flow)}/variables", page="2", limit="1")).json()
    assert ([one["name"] for one in page["items"]], page["total"]) == (["said"], len(found))
    assert (await bob.get(f"{draft(flow)}/nodes/sys/variables")).status == 400


async def test_the_next_node_that_is_tried_finds_what_the_author_wrote(bob: TierClient, flow: Key) -> None:
    word = (await listed(bob, flow))["start.word"]
    place = f"{draft(flow)}/variables/{word['id']}"
    assert await tried(bob, flow) == {"said": "hello"}
    changed = (await bob.patch(place, {"value": "written"})).json()
    assert changed == {**word, "value": "written", "edited": True}
    assert await tried(bob, flow) == {"said": "written"}
    assert (await bob.put(f"{place}/reset")).json() == word
    assert await tried(bob, flow) == {"said": "hello"}
    await bob.patch(place, {"value": "written"})
    await bob.post(f"{draft(flow)}/run", {"inputs": {"word": "newer"}})
    assert await tried(bob, flow) == {"said": "newer"}
    for wrong in ({"value": 7}, {"name": "no name"}):
        refused = await bob.patch(place, wrong)
        assert (refused.status, refused.json()["code"]) == (400, "invalid_param")
    app_id = (await listed(bob, flow))["sys.app_id"]["id"]
    assert (await bob.patch(f"{draft(flow)}/variables/{app_id}", {"value": "x"})).status == 400


async def test_a_variable_is_gone_until_a_run_brings_it_again(bob: TierClient, flow: Key) -> None:
    word = (await listed(bob, flow))["start.word"]
    place = f"{draft(flow)}/variables/{word['id']}"
    assert (await bob.delete(place)).status == 204
    assert [(await bob.get(place)).status, (await bob.delete(place)).status, (await bob.put(f"{place}/reset")).status] == [
        404
    ] * 3
    assert (await tried(bob, flow)) in ({"said": None}, {"said": ""}, {})
    await bob.post(f"{draft(flow)}/run", {"inputs": {"word": "again"}})
    renamed = (await bob.patch(place, {"name": "phrase", "value": "kept"})).json()
    assert (renamed["selector"], renamed["value"]) == (["start", "phrase"], "kept")
    assert set(await listed(bob, flow)) >= {"start.phrase", "end.said"} and "start.word" not in await listed(bob, flow)
    assert (await bob.put(f"{draft(flow)}/variables/{renamed['id']}/reset")).status == 204
    assert (await bob.delete(f"{draft(flow)}/nodes/end/variables")).status == 204
    assert not [name for name in await listed(bob, flow) if name.startswith(("end.", "start."))]
    assert (await bob.delete(f"{draft(flow)}/variables")).status == 204
    assert await listed(bob, flow) == {}
    await bob.post(f"{draft(flow)}/run", {"inputs": {"word": "back"}})
    assert (await listed(bob, flow))["start.word"]["value"] == "back"


async def test_a_chatflow_is_tried_with_what_its_conversation_held_last(house: Served, bob: TierClient) -> None:
    chat = await sync_to_async(make_flow)(house.cast.alice, MOODY, "advanced-chat", conversation_variables=MOOD)

    async def mood() -> Any:
        (one,) = (await bob.get(f"{draft(chat)}/conversation-variables")).json()["items"]
        return one

    assert (await mood())["value"] == "good"
    assert (await tried(bob, chat, "answer", query="Well?"))["answer"] == "good Well?"
    await bob.post(f"/apps/{chat.app.pk}/advanced-chat/workflows/draft/run", {"query": "sad"})
    assert (await mood())["value"] == "sad"
    assert (await tried(bob, chat, "answer"))["answer"] == "sad sad"
    place = f"{draft(chat)}/variables/{(await mood())['id']}"
    await bob.patch(place, {"value": "calm"})
    assert (await tried(bob, chat, "answer"))["answer"] == "calm sad"
    assert (await bob.put(f"{place}/reset")).json()["value"] == "good"
    assert (await bob.patch(place, {"name": "temper"})).status == 400


async def test_a_file_is_kept_as_the_authors_own(house: Served, bob: TierClient) -> None:
    field = {"variable": "paper", "label": "Paper", "type": "file", "required": True, "allowed_file_types": ["document"]}
    end = {"type": "end", "title": "End", "outputs": [{"variable": "name", "value_selector": ["start", "paper", "name"]}]}
    graph = graphs.drawn([("start", {"type": "start", "title": "Start", "variables": [field]}), ("end", end)])
    key = await sync_to_async(make_flow)(house.cast.alice, graph)

    async def upload(client: TierClient, name: str) -> dict[str, str]:
        form = aiohttp.FormData()
        form.add_field("file", b"text", filename=name, content_type="text/plain")
        made = (await client.call("POST", "/files/upload", data=form)).json()
        return {"type": "document", "transfer_method": "local_file", "upload_file_id": made["id"]}

    mine, eve = await upload(bob, "a.txt"), await signed_in(house, house.cast.eve)
    await bob.post(f"{draft(key)}/run", {"inputs": {"paper": mine}})
    paper = (await listed(bob, key))["start.paper"]
    place = f"{draft(key)}/variables/{paper['id']}"
    changed = (await bob.patch(place, {"value": await upload(bob, "b.txt")})).json()
    assert (changed["value_type"], changed["value"]["filename"]) == ("file", "b.txt")
    assert await tried(bob, key) == {"name": "b.txt"}
    for wrong in (await upload(eve, "c.txt"), "text", [mine]):
        assert (await bob.patch(place, {"value": wrong})).status == 400
