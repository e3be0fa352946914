"""Schedules begin their runs: each tick has one, whatever happens to the processes, and missed ticks have one together."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from apps.generation import reaper, triggered
from apps.generation.places import slot_key
from apps.models import App, Run
from apps.services import apps
from difyproj.infra import backends
from difyproj.infra.backends import get_slots
from difyproj.kernel import clock
from difyproj.testing.cast import Person
from difyproj.testing.flows import publish
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script
from workflows.models import NodeExecution, Trigger, WorkflowRun
from workflows.services import graphs, triggers

from . import flows
from .test_flow_crashes import die, until_over

YEARLY = {"type": "trigger-schedule", "title": "Tick", "mode": "cron", "cron_expression": "0 0 1 1 *", "timezone": "UTC"}
END = {"type": "end", "title": "End", "outputs": []}


@pytest.fixture(autouse=True)
def _own_adapters() -> None:
    backends.reset()


def ticking(person: Person, *, ago: float = 1.0) -> Trigger:
    """A due schedule of a published graph that ends at once."""
    app = apps.create(tenant=person.tenant, name="Clockwork", mode="workflow", created_by_id=person.account.pk)
    publish(app, graphs.drawn([("tick", YEARLY), ("end", END)]))
    row = triggers.of_node(app, "tick")
    Trigger.objects.filter(pk=row.pk).update(next_at=clock.now() - timedelta(seconds=ago))
    return row


def ticked(number: int) -> int:
    try:
        return triggered.tick()
    finally:
        connection.close()


async def settled(row: Trigger) -> list[WorkflowRun]:
    """The runs of the app, once all have ended."""
    async with asyncio.timeout(5):
        while await Run.objects.filter(app_id=row.app_id, status="running").aexists():
            await asyncio.sleep(0.02)
    return [run async for run in WorkflowRun.objects.filter(app_id=row.app_id).select_related("run")]


async def test_processes_that_look_at_the_same_moment_begin_one_run_for_each_tick(house: Served) -> None:
    rows = [await sync_to_async(ticking)(house.cast.alice, ago=3 * 365 * 24 * 3600) for _ in range(3)]
    with ThreadPoolExecutor(4) as threads:
        loop = asyncio.get_running_loop()
        began = await asyncio.gather(*(loop.run_in_executor(threads, ticked, number) for number in range(8)))
    assert sum(began) <= 3  # the house's own rounds look, too
    for row in rows:
        (run,) = await settled(row)
        assert (run.triggered_from, run.run.status) == ("schedule", "succeeded")
        kept = await Trigger.objects.aget(pk=row.pk)
        assert (kept.last_run_id, kept.pending_at, kept.last_error) == (run.pk, None, "")
        assert kept.next_at is not None and kept.next_at > clock.now()


async def test_the_house_begins_what_is_due_by_itself(house: Served) -> None:
    row = await sync_to_async(ticking)(house.cast.alice)
    async with asyncio.timeout(10):
        while not await Run.objects.filter(app_id=row.app_id).aexists():
            await asyncio.sleep(0.05)
    assert len(await settled(row)) == 1


async def test_a_tick_whose_process_was_gone_before_or_after_its_run_began_has_one_run(
    house: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await sync_to_async(ticking)(house.cast.alice)
    monkeypatch.setattr(triggers, "settle", lambda trigger: None)
    assert await sync_to_async(triggers.claim_due)() or await Trigger.objects.aget(pk=row.pk, pending_at__isnull=False)
    monkeypatch.setattr(triggers, "PATIENCE", timedelta(0))
    for _ in range(3):
        await sync_to_async(triggered.tick)()
    monkeypatch.undo()
    assert len(await settled(row)) == 1


async def test_a_tick_without_room_waits_for_it(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    row = await sync_to_async(ticking)(house.cast.alice)
    await App.objects.filter(pk=row.app_id).aupdate(max_active_requests=1)
    await sync_to_async(get_slots().take)(slot_key(row.app_id), 1, "other")
    monkeypatch.setattr(triggers, "PATIENCE", timedelta(0))
    await sync_to_async(triggered.tick)()
    assert not await Run.objects.filter(app_id=row.app_id).aexists()
    waiting = await Trigger.objects.aget(pk=row.pk)
    assert waiting.pending_at is not None and "Too many" in waiting.last_error
    await sync_to_async(get_slots().give)(slot_key(row.app_id), "other")
    await sync_to_async(triggered.tick)()
    assert len(await settled(row)) == 1


async def test_a_schedule_of_a_closed_workspace_says_why_it_does_not_run(house: Served) -> None:
    row = await sync_to_async(ticking)(house.cast.alice)
    await App.objects.filter(pk=row.app_id).aupdate(enable_api=False)
    await sync_to_async(triggered.tick)()
    kept = await Trigger.objects.aget(pk=row.pk)
    assert (kept.pending_at, kept.last_run_id) == (None, None)
    assert kept.last_error
    assert not await Run.objects.filter(app_id=row.app_id).aexists()


async def test_a_run_that_loses_its_process_goes_on_from_its_trigger(house: Served) -> None:
    app = await sync_to_async(apps.create)(tenant=house.cast.alice.tenant, name="Clockwork", mode="workflow")
    graph = flows.row({"id": "tick", "data": YEARLY}, flows.llm("poem", "A poem."), flows.end(said=["poem", "text"]))
    graph["nodes"].append(flows.start())
    graph["edges"].append(flows.edge("start", "poem"))
    await sync_to_async(publish)(app, graph)
    house.upstream.script = Script(hang="before")
    tick = await Trigger.objects.select_related("app", "tenant").aget(app=app)
    run_id = await sync_to_async(triggered.fire)(tick, {})
    while not house.upstream.requests:
        await asyncio.sleep(0.01)
    await die(run_id)
    house.upstream.script = Script(tokens=["Roses"])
    await reaper.reap()
    assert (await until_over(run_id)).status == "succeeded"
    kept = await WorkflowRun.objects.aget(pk=run_id)
    assert (kept.outputs, kept.triggered_from) == ({"said": "Roses"}, "schedule")
    begun = NodeExecution.objects.filter(run_id=run_id).order_by("index")
    assert [node.node_id async for node in begun] == ["tick", "poem", "end"]
