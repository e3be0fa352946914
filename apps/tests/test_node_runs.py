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

from .flows import end, llm, make_flow, row, start, template, text_input
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
