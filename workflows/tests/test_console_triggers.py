"""Triggers in the console: listed, switched, signed; drafts that wait for a call of their webhook."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.models import Run
from difyproj.infra import backends
from difyproj.kernel import ids
from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.flows import HOOK, HOOK_END, HOOKED, make_flow, publish
from difyproj.testing.served import Answer, Served
from workflows.models import Trigger, WorkflowRun
from workflows.services import drafts, graphs, triggers

TICK = {"type": "trigger-schedule", "title": "Tick", "mode": "visual", "frequency": "daily", "timezone": "UTC"}
BOTH = {
    "nodes": [{"id": "hook", "data": HOOK}, {"id": "tick", "data": TICK}, {"id": "end", "data": HOOK_END}],
    "edges": [{"source": "hook", "target": "end"}, {"source": "tick", "target": "end"}],
}


@pytest.fixture(autouse=True)
def _own_adapters() -> None:
    backends.reset()


class Builder:
    """Alice at the console, with an app of hers."""

    def __init__(self, house: Served, client: TierClient, app: Any) -> None:
        self.house, self.client, self.app = house, client, app
        self.path = f"/apps/{app.pk}"

    async def address(self, node_id: str = "hook") -> Any:
        answer = await self.client.get(f"{self.path}/workflows/triggers/webhook", node_id=node_id)
        assert answer.status == 200, answer.body
        return answer.json()

    async def call(self, url: str, **body: Any) -> Answer:
        path = url.partition("/triggers/")[2]
        return await self.house.call("POST", f"/triggers/{path}", json=body)

    async def draft(self, path: str, **body: Any) -> Answer:
        return await self.client.post(f"{self.path}/workflows/draft/{path}", body)


async def builder(house: Served, graph: Any = HOOKED) -> Builder:
    key = await sync_to_async(make_flow)(house.cast.alice, graph)
    return Builder(house, await signed_in(house, house.cast.alice), key.app)


async def test_the_triggers_of_the_published_graph_are_listed_and_switched(house: Served) -> None:
    alice = await builder(house, BOTH)
    hook, tick = (await alice.client.get(f"{alice.path}/triggers")).json()["data"]
    assert (hook["trigger_type"], hook["node_id"], hook["title"], hook["status"]) == (
        "trigger-webhook", "hook", "Hook", "enabled",
    )  # fmt: skip
    assert (tick["trigger_type"], hook["next_at"], tick["next_at"] > 0) == ("trigger-schedule", None, True)
    url = (await alice.address())["webhook_url"]
    body = {"trigger_id": hook["id"], "enable_trigger": False}
    assert (await alice.client.post(f"{alice.path}/trigger-enable", body)).json()["status"] == "disabled"
    assert (await alice.call(url, word="hi")).status == 404
    await alice.client.post(f"{alice.path}/trigger-enable", {**body, "enable_trigger": True})
    assert (await alice.call(url, word="hi")).status == 200
    assert (await alice.client.post(f"{alice.path}/trigger-enable", {**body, "trigger_id": str(ids.new_id())})).status == 404


async def test_a_key_is_shown_once_and_demanded_until_it_is_dropped(house: Served) -> None:
    alice = await builder(house)
    (row,) = (await alice.client.get(f"{alice.path}/triggers")).json()["data"]
    url, place = (await alice.address())["webhook_url"], f"{alice.path}/triggers/{row['id']}/signing-key"
    shown = (await alice.client.post(place)).json()["signing_key"]
    assert shown == await sync_to_async(lambda: triggers.signing_key(triggers.of_node(alice.app, "hook")))()
    listed = await alice.client.get(f"{alice.path}/triggers")
    assert listed.json()["data"][0]["is_signed"] is True
    assert shown.encode() not in listed.body
    assert (await alice.call(url, word="hi")).status == 401
    assert (await alice.client.delete(place)).status == 204
    assert (await alice.call(url, word="hi")).status == 200


async def test_a_draft_has_its_address_before_it_is_published_and_keeps_it(house: Served) -> None:
    alice = await builder(house, graphs.drawn([("start", {"type": "start"}), ("end", {"type": "end", "outputs": []})]))
    assert (await alice.client.get(f"{alice.path}/workflows/triggers/webhook", node_id="hook")).status == 404
    await sync_to_async(drafts.save)(alice.app, by=None, given_hash=None, graph=HOOKED)
    before = await alice.address()
    assert before["webhook_debug_url"].endswith(f"/triggers/webhook-debug/{before['webhook_id']}")
    assert (await alice.call(before["webhook_url"], word="hi")).status == 404
    assert (await alice.client.get(f"{alice.path}/triggers")).json()["data"] == []
    await sync_to_async(publish)(alice.app, HOOKED)
    assert await alice.address() == before
    assert (await alice.call(before["webhook_url"], word="hi")).status == 200


@pytest.mark.parametrize(
    ("path", "body"), [("trigger/run", {"node_id": "hook"}), ("trigger/run-all", {"node_ids": ["hook", "tick"]})]
)
async def test_a_draft_waits_for_a_call_of_its_debug_address_and_runs_with_it(
    house: Served, path: str, body: dict[str, Any]
) -> None:
    alice = await builder(house, BOTH)
    url = (await alice.address())["webhook_debug_url"]
    assert (await alice.call(url, word="early")).status == 404
    assert (await alice.draft(path, **body)).json() == {"status": "waiting", "retry_in": 2000}
    assert (await alice.call(url)).status == 400
    assert (await alice.draft(path, **body)).json()["status"] == "waiting"
    assert (await alice.call(url, word="hi")).status == 200
    assert not await Run.objects.filter(app=alice.app).aexists()
    frames = (await alice.draft(path, **body)).frames
    assert (frames[0].event, frames[-1].event) == ("workflow_started", "workflow_finished")
    assert frames[-1].record["data"]["outputs"] == {"said": "hi"}
    kept = await WorkflowRun.objects.aget(app=alice.app)
    assert (kept.version, kept.triggered_from) == ("draft", "debugging")
    assert (await alice.call(url, word="late")).status == 404
    assert (await alice.draft(path, **body)).json()["status"] == "waiting"


async def test_a_trigger_alone_shows_what_a_call_gives(house: Served) -> None:
    alice = await builder(house)
    url = (await alice.address())["webhook_debug_url"]
    assert (await alice.draft("nodes/hook/trigger/run")).json()["status"] == "waiting"
    await alice.call(url, word="hi")
    shown = (await alice.draft("nodes/hook/trigger/run")).json()
    assert (shown["status"], shown["outputs"]["word"]) == ("succeeded", "hi")
    assert not await Run.objects.filter(app=alice.app).aexists()


async def test_a_schedule_runs_at_once(house: Served) -> None:
    alice = await builder(house, BOTH)
    frames = (await alice.draft("trigger/run", node_id="tick")).frames
    assert (frames[-1].event, frames[-1].record["data"]["status"]) == ("workflow_finished", "succeeded")
    assert (await alice.draft("nodes/tick/trigger/run")).json()["status"] == "succeeded"


@pytest.mark.parametrize("node_id", ["end", "nowhere"])
async def test_what_is_no_trigger_is_not_waited_for(house: Served, node_id: str) -> None:
    alice = await builder(house)
    assert (await alice.draft("trigger/run", node_id=node_id)).status == 404
    assert (await alice.draft(f"nodes/{node_id}/trigger/run")).status == 404
    assert (await alice.draft("trigger/run-all", node_ids=["hook", node_id])).status == 404
    assert (await alice.draft("trigger/run-all", node_ids=[])).status == 400


async def test_a_call_reaches_only_who_listens(house: Served) -> None:
    alice = await builder(house)
    bob = await signed_in(house, house.cast.bob)
    await alice.draft("trigger/run", node_id="hook")
    await alice.call((await alice.address())["webhook_debug_url"], word="hi")
    answer = await bob.post(f"{alice.path}/workflows/draft/trigger/run", {"node_id": "hook"})
    assert (answer.status, answer.json()["status"]) == (200, "waiting")
    assert await Trigger.objects.filter(app=alice.app, kind="webhook").acount() == 1
    assert not await Run.objects.filter(app=alice.app).aexists()
