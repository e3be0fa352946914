"""What came out of a run's nodes, over the Console API: of all, of one, one output whole, and as it comes."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps import generation
from difyproj.kernel import jsonio
from difyproj.testing.console import signed_in
from difyproj.testing.flows import ASKING, ECHO, make_flow, run
from difyproj.testing.served import Served
from workflows.api.console import output_stream
from workflows.api.console.node_outputs import shown, snapshot
from workflows.api.console.output_stream import OutputStream
from workflows.services import runs


async def test_outputs_of_a_run_are_told_node_by_node(house: Served) -> None:
    flow = await sync_to_async(make_flow)(house.cast.alice, ECHO)
    bob, word = await signed_in(house, house.cast.bob), "so " * 200
    ran = (await run(flow.app, inputs={"word": word.strip()}))["workflow_run_id"]
    place = f"/apps/{flow.app.pk}/workflows/published/runs/{ran}/node-outputs"
    whole = (await bob.get(place)).json()
    assert (whole["workflow_run_id"], whole["workflow_run_status"]) == (ran, "succeeded")
    assert [(node["node_id"], node["node_kind"], node["node_status"]) for node in whole["node_outputs"]] == [
        ("start", "start", "ready"), ("end", "end", "ready"),
    ]  # fmt: skip
    (said,) = whole["node_outputs"][1]["outputs"]
    assert said == {
        "name": "said", "type": "string", "status": "ready", "value_preview": f"{word[:500]}…", "type_check": None,
        "output_check": None, "retried": 0,
    }  # fmt: skip
    assert (await bob.get(f"{place}/end")).json() == whole["node_outputs"][1]
    full = (await bob.get(f"{place}/end/said/preview")).json()
    assert (full["output_name"], full["value"], full["status"]) == ("said", word.strip(), "ready")
    frames = (await bob.get(f"{place}/events")).body.decode().strip().split("\n\n")
    first, last = ([line.partition(": ")[2] for line in frame.splitlines()] for frame in frames)
    assert (first[:2], jsonio.loads(first[2])) == (["snapshot", "0"], whole)
    assert last[:2] == ["workflow_run_completed", "1"]
    assert jsonio.loads(last[2]) == {"workflow_run_id": ran, "workflow_run_status": "succeeded"}
    refused = {name: (await bob.get(f"{place}/{name}")).json()["code"] for name in ("nobody", "end/nothing/preview")}
    assert refused == {"nobody": "node_not_in_workflow_run", "end/nothing/preview": "node_output_not_declared"}
    assert (await bob.get(place.replace("published", "draft"))).status == 404


async def test_outputs_are_told_as_they_come(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_stream, "POLL_SECONDS", 0.01)
    asking = await sync_to_async(make_flow)(house.cast.alice, ASKING)
    paused = await run(asking.app, inputs={"word": "hello"})
    row = await sync_to_async(runs.get)(asking.app, paused["workflow_run_id"])
    stream, told = OutputStream(row, snapshot, shown), list[dict[str, Any]]()
    ((number, first),) = await stream.next()
    assert (number, first["event"]) == (0, "snapshot")
    assert [node["node_status"] for node in first["data"]["node_outputs"]] == ["ready", "running", "idle"]
    assert list(await stream.next(0.02)) == []
    token = paused["data"]["reasons"][0]["form_token"]
    await sync_to_async(generation.submit_form)(token, action="yes", inputs={"note": "Fine"})
    while not stream.finished:
        told.extend(record for _, record in await stream.next(5))
    changed = {one["data"]["node_id"]: one["data"] for one in told if one["event"] == "node_changed"}
    assert changed["ask"]["node_status"] == changed["end"]["node_status"] == "ready"
    assert told[-1]["event"] == "workflow_run_completed"
