"""human-input nodes: the form they ask with, and how they go on with its answer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from difyproj.testing.fakes import scripted
from workflows.engine.events import HumanInputExpired, HumanInputFilled, NodeFinished, RunPaused
from workflows.engine.graph import BoundGraph, GraphError
from workflows.engine.node import Done, Form, FormAnswer, NodeContext, NodeOutput, Waiting
from workflows.engine.pool import VariablePool
from workflows.engine.state import RunState
from workflows.nodes.human_input import HumanInputNode

from .graphs import TYPES, chain, events_of, graph

ACTIONS = [{"id": "approve", "title": "Yes", "button_style": "primary"}, {"id": "reject", "title": "No"}]
ASK = {
    "form_content": "Order {{#shop.order#}}: {{#$output.note#}}",
    "inputs": [{"type": "text-input", "output_variable_name": "note", "default": "none"}],
    "user_actions": ACTIONS,
    "timeout": 2,
    "timeout_unit": "day",
}
POOL = {"shop": {"order": 7, "sizes": ["S", 42], "mail": "ann@example.com"}}


async def outputs(data: dict[str, Any], answer: FormAnswer | None = None) -> list[NodeOutput]:
    parsed = msgspec.convert(data, HumanInputNode.schema, strict=False)
    ctx = NodeContext("h", parsed, VariablePool(POOL), scripted(), RunState(), title="Ask", resumption=answer)
    return [output async for output in HumanInputNode().run(ctx)]


async def asked(**data: Any) -> Form:
    (waiting,) = await outputs({**ASK, **data})
    assert isinstance(waiting, Waiting) and waiting.form is not None
    return waiting.form


async def test_the_form_is_rendered_and_keeps_the_places_of_its_fields() -> None:
    form = await asked()
    assert form.content == "Order 7: {{#$output.note#}}"
    assert list(form.inputs) == ASK["inputs"]
    assert [action["id"] for action in form.actions] == ["approve", "reject"]
    assert form.actions[0]["button_style"] == "primary"
    assert form.defaults == {"note": "none"}
    assert form.expires_in == 2 * 86400


@pytest.mark.parametrize(("unit", "seconds"), [("minute", 120), ("hour", 7200), (None, 7200)])
async def test_the_time_has_a_unit(unit: str | None, seconds: float) -> None:
    assert (await asked(timeout_unit=unit)).expires_in == seconds


async def test_a_form_without_a_time_leaves_it_to_its_keeper() -> None:
    assert (await asked(timeout=None)).expires_in == 0


async def test_defaults_and_options_come_from_variables() -> None:
    fields = [
        {"type": "paragraph", "output_variable_name": "a", "default": {"type": "variable", "selector": ["shop", "order"]}},
        {"type": "paragraph", "output_variable_name": "b", "default": {"type": "constant", "value": "for {{#shop.order#}}"}},
        {"type": "paragraph", "output_variable_name": "c"},
        {
            "type": "select",
            "output_variable_name": "d",
            "option_source": {"type": "variable", "selector": ["shop", "sizes"], "value": []},
        },
        {"type": "select", "output_variable_name": "e", "option_source": {"type": "constant", "value": ["x"]}},
    ]
    form = await asked(inputs=fields)
    assert form.defaults == {"a": "7", "b": "for 7", "c": "", "d": "", "e": ""}
    assert [field.get("option_source", {}).get("value") for field in form.inputs] == [None, None, None, ["S", "42"], ["x"]]


async def test_enabled_ways_of_delivery_are_told_with_their_texts_filled() -> None:
    mail = {"recipients": {"items": ["{{#shop.mail#}}"]}, "body": "Order {{#shop.order#}}: {{#url#}}"}
    methods = [{"type": "webapp", "enabled": False}, {"type": "email", "enabled": True, "config": mail, "id": "m"}]
    (method,) = (await asked(delivery_methods=methods)).delivery
    assert method["config"] == {"recipients": {"items": ["ann@example.com"]}, "body": "Order 7: {{#url#}}"}


async def test_an_answer_becomes_the_outputs_and_the_way_on() -> None:
    answer = FormAnswer(action_id="reject", values={"note": "late"}, rendered_content="Order 7: late")
    filled, end = await outputs(ASK, answer)
    assert filled == HumanInputFilled("h", "Ask", "Order 7: late", "reject", "No", {"note": "late"})
    assert isinstance(end, Done)
    assert end.handle == "reject"
    told = {"__action_id": "reject", "__action_value": "No", "__rendered_content": "Order 7: late"}
    assert end.outputs == {"note": "late", **told}


async def test_a_form_whose_time_is_over_goes_its_own_way() -> None:
    expired, end = await outputs(ASK, FormAnswer(expired_at=99))
    assert expired == HumanInputExpired("h", "Ask", 99)
    assert isinstance(end, Done)
    assert (end.handle, end.outputs["__action_id"]) == ("__timeout", "")
    assert "note" not in end.outputs


@pytest.mark.parametrize(
    "broken",
    [
        {"user_actions": [ACTIONS[0], ACTIONS[0]]},
        {"inputs": [{"output_variable_name": "note"}, {"output_variable_name": "note"}]},
        {"timeout_unit": "century"},
    ],
)
def test_a_form_that_says_a_name_twice_is_no_graph(broken: dict[str, Any]) -> None:
    with pytest.raises(GraphError, match="'ask'"):
        BoundGraph(chain(("ask", "human-input", {**ASK, **broken})), TYPES)


async def test_a_run_pauses_and_goes_on_by_the_chosen_action() -> None:
    end = {"outputs": [{"variable": "note", "value_selector": ["ask", "note"]}]}
    tree = graph(
        ("start", "start", {}), ("ask", "human-input", ASK), ("yes", "end", end), ("no", "end", {}),
        edges=["start -> ask", "ask:approve -> yes", "ask:reject -> no"],
    )  # fmt: skip
    first = await events_of(tree, scripted())
    assert isinstance(first[-1], RunPaused)
    assert first[-1].reasons[0].form["content"] == "Order shop.order: {{#$output.note#}}"
    finished = [event for event in first if isinstance(event, NodeFinished) and event.status == "succeeded"]
    answers = {"ask": FormAnswer(action_id="approve", values={"note": "ok"})}
    second = await events_of(tree, scripted(), finished=finished, answers=answers)
    assert [event.node_id for event in second if isinstance(event, NodeFinished)] == ["ask", "yes"]
    assert second[-1].outputs == {"note": "ok"}  # type: ignore[attr-defined]
