"""One node of a draft alone, with values in the place of what comes before it."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps import generation
from difyproj.infra import backends
from difyproj.kernel.principal import ActorKind, Principal, Tier
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script
from workflows.models import NodeExecution

from .flows import edge, end, llm, make_flow, names, node, row, start, template, text_input
from .test_flow_pauses import asking

GRAPH = row(
    start(text_input("word")), template("shape", "<{{ it }}>", it=["start", "word"]), llm(text="{{#shape.output#}}"), asking(),
    end(),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _own_adapters() -> None:
    backends.reset()


async def try_node(house: Served, node_id: str, **inputs: Any) -> NodeExecution:
    app = await sync_to_async(make_flow)(house.cast.alice, GRAPH)
    author = Principal(app.tenant_id, ActorKind.ACCOUNT, house.cast.alice.account.pk, Tier.CONSOLE, app_id=app.pk)
    plan = await sync_to_async(generation.plan_node)(author, app, node_id, inputs=inputs)
    made = await generation.run_node(plan)
    kept = await NodeExecution.objects.aget(pk=made.pk)
    assert (kept.triggered_from, kept.run_id, kept.status, kept.outputs) == ("single-step", None, made.status, made.outputs)
    assert kept.account_id == house.cast.alice.account.pk
    return kept


@pytest.mark.parametrize("inputs", [{"it": "a"}, {"start.word": "a"}, {"#start.word#": "a"}])
async def test_a_node_takes_values_by_its_own_names_or_by_selectors(house: Served, inputs: dict[str, str]) -> None:
    kept = await try_node(house, "shape", **inputs)
    assert (kept.status, kept.inputs, kept.outputs) == ("succeeded", {"it": "a"}, {"output": "<a>"})


async def test_the_start_takes_the_fields_of_its_form(house: Served) -> None:
    assert (await try_node(house, "start", word="a")).outputs == {"word": "a"}


async def test_a_node_that_fails_says_why(house: Served) -> None:
    house.upstream.script = Script(fail=400, fail_message="The parameter x is wrong.")
    kept = await try_node(house, "llm", **{"shape.output": "x"})
    assert kept.status == "failed" and "The parameter x is wrong." in kept.error


async def test_a_node_that_asks_a_person_shows_its_form(house: Served) -> None:
    kept = await try_node(house, "form")
    assert kept.status == "paused" and (kept.outputs or {})["form"]["content"] == "Shall I?"


async def test_a_node_that_is_not_there_is_not_found(house: Served) -> None:
    with pytest.raises(generation.NodeNotFound):
        await try_node(house, "nobody")


async def test_a_container_alone_is_looked_at_while_it_runs(house: Served) -> None:
    child = {"isInLoop": True, "loop_id": "each"}
    inner = [node("each-start", "loop-start", **child), template("shout", "{{ w }}!", w=["each", "word"])]
    inner[1]["data"].update(child)
    variables = [{"id": "v", "label": "word", "var_type": "string", "value_type": "constant", "value": "go"}]
    outer = node("each", "loop", start_node_id="each-start", loop_count=2, break_conditions=[], loop_variables=variables)
    edges = [edge("start", "each"), edge("each-start", "shout"), edge("each", "end")]
    graph = {"nodes": [start(), outer, *inner, end()], "edges": edges}
    app = await sync_to_async(make_flow)(house.cast.alice, graph)
    author = Principal(app.tenant_id, ActorKind.ACCOUNT, house.cast.alice.account.pk, Tier.CONSOLE, app_id=app.pk)
    stream = generation.NodeStream(await sync_to_async(generation.plan_node)(author, app, "each", inputs={}))
    heard: list[tuple[int, dict[str, Any]]] = []
    while not stream.finished:
        heard.extend(await stream.next())
    assert [number for number, _ in heard] == list(range(1, len(heard) + 1))
    told = names(heard)
    assert told[:3] == ["workflow_started", "node_started", "loop_started"] and told[-1] == "workflow_finished"
    assert (told.count("loop_next"), told.count("loop_completed")) == (1, 1)
    kept = await NodeExecution.objects.aget(node_id="each")
    assert (kept.triggered_from, kept.status) == ("single-step", "succeeded")
