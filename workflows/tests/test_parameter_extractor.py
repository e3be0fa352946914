"""The parameter-extractor finds typed values in what the model answers, and tells when it could not."""

from __future__ import annotations

from typing import Any

import pytest

from difyproj.kernel.errors import CompletionRequestError
from difyproj.model_runtime.base import ModelRequest
from difyproj.model_runtime.messages import Delta, ToolCallDelta
from difyproj.testing.fakes import KeptFiles, ScriptedModels, Step
from workflows.engine.conversion import converted
from workflows.engine.events import NodeFinished, RunEvent, RunFailed
from workflows.engine.graph import GraphError
from workflows.engine.node import HistoryTurn
from workflows.engine.ports import Ports
from workflows.nodes.parameter_extractor import FUNCTION

from .graphs import LLM, chain, events_of

PARAMETERS = [
    {"name": "city", "type": "string", "required": True, "description": "Where to"},
    {"name": "days", "type": "number", "required": False, "description": ""},
    {"name": "seat", "type": "select", "options": ["window", "aisle"]},
    {"name": "dogs", "type": "bool"},
    {"name": "stops", "type": "array[string]"},
]
DATA: dict[str, Any] = {"query": ["sys", "query"], "model": LLM["model"], "parameters": PARAMETERS, "reasoning_mode": "prompt"}
ZERO = {"city": "", "days": 0, "seat": "", "dogs": False, "stops": []}


async def _extract(
    *script: Step, can: frozenset[str] = frozenset({"tool-call"}), data: Any = None, **detail: Any
) -> tuple[ModelRequest | None, list[RunEvent]]:
    models = ScriptedModels(script, can=can)
    tree = chain(("take", "parameter-extractor", {**DATA, **(data or {})}))
    events = await events_of(tree, Ports(models, KeptFiles()), inputs={"who": "Ann"}, **{"query": "To Rome", **detail})
    return (models.requests[0] if models.requests else None), events


def _taken(events: list[RunEvent]) -> dict[str, Any]:
    done = next(event for event in events if isinstance(event, NodeFinished) and event.node_id == "take")
    assert done.outputs is not None, done.error
    assert done.outputs.pop("__usage")["total_tokens"] == (done.usage.total_tokens if done.usage else 0) > 0
    return done.outputs


def _call(*arguments: str, name: str = FUNCTION) -> list[Delta]:
    first = Delta(tool_calls=[ToolCallDelta(0, "c1", name, arguments[0])])
    return [first, *(Delta(tool_calls=[ToolCallDelta(0, arguments=piece)]) for piece in arguments[1:])]


async def test_a_function_call_gives_the_parameters() -> None:
    request, events = await _extract(*_call('{"city": "Ro', 'me", "days": 2.5}'), data={"reasoning_mode": "function_call"})
    assert _taken(events) == {**ZERO, "city": "Rome", "days": 2.5, "__is_success": 1, "__reason": None}
    assert request is not None
    (tool,) = request.tools
    assert tool.parameters["required"] == ["city"]
    assert tool.parameters["properties"]["seat"] == {"type": "string", "description": "", "enum": ["window", "aisle"]}
    assert tool.parameters["properties"]["stops"] == {"type": "array", "items": {"type": "string"}, "description": ""}


async def test_a_model_that_calls_no_function_may_answer_in_text() -> None:
    data = {"reasoning_mode": "function_call"}
    _, events = await _extract('{"city": "Rome"}', data=data)
    assert _taken(events)["city"] == "Rome"
    request, events = await _extract('{"city": "Rome"}', data=data, can=frozenset())
    assert request is not None and not request.tools and "JSON Schema" in request.messages[0].text
    assert _taken(events)["city"] == "Rome"


@pytest.mark.parametrize(
    "said",
    [
        'Here you are:\n```json\n{"city": "Rome", "dogs": true}\n```\n{"city": "Paris"}',
        '<think>{"city": "Paris"}</think>{"city": "Rome", "dogs": true}',
        "{'city': 'Rome', 'dogs': true,",
    ],
)
async def test_the_first_object_in_the_text_counts(said: str) -> None:
    _, events = await _extract(said)
    assert _taken(events) == {**ZERO, "city": "Rome", "dogs": True, "__is_success": 1, "__reason": None}


@pytest.mark.parametrize(
    ("said", "values", "word"),
    [
        ("I cannot find any.", {}, "no parameters"),
        ("{}", {}, "city"),
        ('{"city": null, "days": 1}', {"days": 1}, "city"),
        ('{"city": "Rome", "days": "12"}', {"city": "Rome", "days": 12}, "days"),
        ('{"city": "Rome", "days": true}', {"city": "Rome", "days": 1}, "days"),
        ('{"city": "Rome", "days": "some"}', {"city": "Rome"}, "days"),
        ('{"city": "Rome", "seat": "roof"}', {"city": "Rome"}, "window, aisle"),
        ('{"city": "Rome", "dogs": "Yes"}', {"city": "Rome", "dogs": True}, "dogs"),
        ('{"city": 7, "stops": ["a", 1, null]}', {"city": "7", "stops": ["a", "1"]}, "city"),
        ('{"city": "Rome", "stops": "[\\"a\\"]"}', {"city": "Rome", "stops": ["a"]}, "stops"),
        ('{"city": "Rome", "stops": "a, b"}', {"city": "Rome"}, "stops"),
    ],
)
async def test_what_does_not_fit_is_converted_and_told(said: str, values: dict[str, Any], word: str) -> None:
    _, events = await _extract(said)
    taken = _taken(events)
    assert word in taken.pop("__reason")
    assert taken == {**ZERO, **values, "__is_success": 0}


async def test_the_text_the_instruction_and_the_conversation_reach_the_model() -> None:
    data = {"instruction": "For {{#start.who#}}.", "memory": {"window": {"enabled": False}}}
    request, events = await _extract("{}", data=data, history=[HistoryTurn("q0", "a0")])
    assert request is not None
    system, user = request.messages
    assert (
        "For Ann." in system.text and "Human: q0\nAssistant: a0" in system.text and '"enum":["window","aisle"]' in system.text
    )
    assert user.text == "<text>\nTo Rome\n</text>"
    done = next(event for event in events if isinstance(event, NodeFinished) and event.node_id == "take")
    assert done.process_data is not None and done.process_data["llm_text"] == "{}"


async def test_a_model_that_fails_fails_the_node() -> None:
    _, events = await _extract(CompletionRequestError("no"))
    assert isinstance(events[-1], RunFailed) and events[-1].code == "completion_request_error"


@pytest.mark.parametrize("name", ["__reason", "__is_success", "__usage", ""])
async def test_reserved_names_are_refused_before_the_run(name: str) -> None:
    with pytest.raises(GraphError, match=r"take.*parameters"):
        await _extract("{}", data={"parameters": [{"name": name, "type": "string"}]})


async def test_unknown_types_and_no_parameters_are_clear_errors() -> None:
    with pytest.raises(GraphError, match=r"take.*parameters"):
        await _extract("{}", data={"parameters": [{"name": "a", "type": "date"}]})
    request, events = await _extract("{}", data={"parameters": []})
    assert request is None and isinstance(events[-1], RunFailed) and "no parameters" in events[-1].message


@pytest.mark.parametrize(
    ("value", "kind", "wanted"),
    [
        (float("nan"), "number", 0),
        ("1e999", "number", 0),
        (" -3 ", "number", -3),
        ({"a": 1}, "string", '{"a": 1}'),
        ("maybe", "boolean", False),
        (0, "boolean", False),
        (['{"a": 1}', {"b": 2}, "no"], "array[object]", [{"a": 1}, {"b": 2}]),
        (["1", True, "x"], "array[number]", [1, 1]),
        (["true", 0, []], "array[boolean]", [True, False]),
        (5, "array[string]", []),
    ],
)
def test_values_become_what_their_type_asks_for(value: Any, kind: str, wanted: Any) -> None:
    assert converted(value, kind) == wanted
