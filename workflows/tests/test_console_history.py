"""The history of runs, their logs and their figures over the Console API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.models import Run
from difyproj.infra import paging
from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.flows import ASKING, ECHO, TALK, make_flow, run
from difyproj.testing.served import Key, Served
from workflows.engine import previewed

COUNTS = ("total", "running", "succeeded", "failed", "stopped", "partial_succeeded", "paused")


@pytest.fixture
async def bob(house: Served) -> TierClient:
    return await signed_in(house, house.cast.bob)


@pytest.fixture
async def flow(house: Served) -> Key:
    return await sync_to_async(make_flow)(house.cast.alice, ECHO)


def counted(**given: int) -> Mapping[str, int]:
    return {**dict.fromkeys(COUNTS, 0), **given}


async def test_runs_are_listed_by_where_they_began_and_page_by_page(house: Served, bob: TierClient, flow: Key) -> None:
    debugged = [await run(flow.app, debugger=house.cast.bob, inputs={"word": word}) for word in ("one", "two")]
    asked = await run(flow.app, inputs={"word": "three"})
    place = f"/apps/{flow.app.pk}/workflow-runs"
    first = (await bob.get(place, limit="1")).json()
    assert (first["limit"], first["has_more"]) == (1, True)
    assert [one["id"] for one in first["data"]] == [debugged[1]["workflow_run_id"]]
    second = (await bob.get(place, last_id=first["data"][0]["id"])).json()
    assert ([one["id"] for one in second["data"]], second["has_more"]) == ([debugged[0]["workflow_run_id"]], False)
    assert second["data"][0]["created_by_account"]["email"] == "bob@acme.example"
    (published,) = (await bob.get(place, triggered_from="app-run", status="succeeded")).json()["data"]
    assert (published["id"], published["created_by_account"]) == (asked["workflow_run_id"], None)
    assert (await bob.get(f"{place}/count")).json() == counted(total=2, succeeded=2)
    assert (await bob.get(f"{place}/count", time_range="1h", status="failed")).json() == counted()
    assert (await bob.get(f"{place}/count", time_range="soon")).json()["params"] == "time_range"
    assert (await bob.get(place, last_id=str(flow.app.pk))).status == 404


async def test_large_numbers_are_remembered_for_a_while(bob: TierClient, flow: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"/apps/{flow.app.pk}"

    async def told(**query: str) -> tuple[int, int]:
        count = (await bob.get(f"{place}/workflow-runs/count", triggered_from="app-run", **query)).json()["total"]
        return count, (await bob.get(f"{place}/workflow-app-logs", limit="1")).json()["total"]

    for number in (1, 2):
        await run(flow.app, inputs={"word": "hello"})
        assert await told() == (number, number)
    monkeypatch.setattr(paging, "LARGE_TOTAL", 2)
    assert await told() == (2, 2)
    await run(flow.app, inputs={"word": "hello"})
    assert await told() == (2, 2)
    assert await told(time_range="999999d") == (3, 2)


async def test_a_run_is_shown_with_its_graph_and_its_trace(bob: TierClient, flow: Key) -> None:
    body = await run(flow.app, inputs={"word": "hello"})
    place = f"/apps/{flow.app.pk}/workflow-runs/{body['workflow_run_id']}"
    detail = (await bob.get(place)).json()
    assert (detail["status"], detail["outputs"], detail["graph"]) == ("succeeded", {"said": "hello"}, ECHO)
    assert (detail["inputs"]["word"], detail["created_by_role"]) == ("hello", "end_user")
    assert detail["created_by_end_user"]["session_id"] == "u1"
    trace: list[dict[str, Any]] = (await bob.get(f"{place}/node-executions")).json()["data"]
    assert [(one["node_id"], one["index"], one["status"]) for one in trace] == [
        ("start", 1, "succeeded"), ("end", 2, "succeeded"),
    ]  # fmt: skip
    assert trace[1]["predecessor_node_id"] == "start" and trace[1]["outputs"] == {"said": "hello"}


async def test_runs_of_chatflows_name_their_message_and_conversation(house: Served, bob: TierClient) -> None:
    chat = await sync_to_async(make_flow)(house.cast.alice, TALK, "advanced-chat")
    body = await run(chat.app, debugger=house.cast.bob, query="Hello?")
    (row,) = (await bob.get(f"/apps/{chat.app.pk}/advanced-chat/workflow-runs")).json()["data"]
    assert (row["id"], row["message_id"]) == (body["task_id"], body["message_id"])
    assert row["conversation_id"] == body["conversation_id"]
    assert (await bob.get(f"/apps/{chat.app.pk}/advanced-chat/workflow-runs/count")).json() == counted(total=1, succeeded=1)


async def test_the_log_holds_published_runs_and_finds_words(house: Served, bob: TierClient, flow: Key) -> None:
    body = await run(flow.app, inputs={"word": "whales"})
    await run(flow.app, inputs={"word": "hens"})
    await run(flow.app, debugger=house.cast.bob, inputs={"word": "whales"})
    place = f"/apps/{flow.app.pk}/workflow-app-logs"
    whole = (await bob.get(place)).json()
    assert (whole["total"], whole["has_more"], len(whole["data"])) == (2, False, 2)
    (line,) = (await bob.get(place, keyword="whales")).json()["data"]
    assert line["workflow_run"]["id"] == body["workflow_run_id"]
    assert (line["created_from"], line["created_by_role"]) == ("service-api", "end_user")
    assert (await bob.get(place, created_by_end_user_session_id="nobody")).json()["total"] == 0
    assert (await bob.get(place, created_at__after="2000-01-01T00:00:00Z", status="succeeded")).json()["total"] == 2


async def test_figures_count_published_runs(house: Served, bob: TierClient, flow: Key) -> None:
    await run(flow.app, inputs={"word": "x"})
    await run(flow.app, inputs={"word": "y"})
    await run(flow.app, debugger=house.cast.bob, inputs={"word": "z"})
    found: dict[str, Any] = {}
    for name in ("daily-conversations", "daily-terminals", "token-costs", "average-app-interactions"):
        (day,) = (await bob.get(f"/apps/{flow.app.pk}/workflow/statistics/{name}")).json()["data"]
        found |= day
    assert (found["runs"], found["terminal_count"], found["token_count"], found["interactions"]) == (2, 1, 0, 2.0)


async def test_a_paused_debug_run_is_stopped_and_unknown_ones_are_left_alone(house: Served, bob: TierClient) -> None:
    asking = await sync_to_async(make_flow)(house.cast.alice, ASKING)
    body = await run(asking.app, debugger=house.cast.bob, inputs={"word": "x"})
    place = f"/apps/{asking.app.pk}/workflow-runs/tasks"
    assert body["data"]["status"] == "paused"
    for task_id in ("nonsense", str(asking.app.pk), body["task_id"]):
        assert (await bob.post(f"{place}/{task_id}/stop")).json() == {"result": "success"}
    assert (await Run.objects.aget(pk=body["task_id"])).status == "stopped"


async def test_a_trace_shows_large_values_in_part_and_one_execution_its_values_whole(
    bob: TierClient, flow: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previewed, "LONGEST_TEXT", 3)
    body = await run(flow.app, inputs={"word": "hello"})
    place = f"/apps/{flow.app.pk}/workflow-runs/{body['workflow_run_id']}/node-executions"
    started, ended = (await bob.get(place)).json()["data"]
    assert (ended["outputs"], ended["outputs_truncated"]) == ({"said": "hel..."}, True)
    assert (started["process_data"], started["process_data_truncated"]) == (None, False)
