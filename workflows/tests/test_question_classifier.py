"""The question-classifier asks for a class and goes on by it, whatever the model writes."""

from __future__ import annotations

from typing import Any

import pytest

from difyproj.kernel.errors import ProviderQuotaExceeded
from difyproj.model_runtime.base import ModelRequest
from difyproj.model_runtime.messages import ImagePart
from difyproj.testing.fakes import KeptFiles, ScriptedModels, Step
from workflows.engine.events import NodeFinished, RunEvent, RunFailed, RunFinished
from workflows.engine.graph import GraphError
from workflows.engine.node import HistoryTurn
from workflows.engine.ports import Ports

from .graphs import LLM, events_of, graph, short

CLASSES = [
    {"id": "1", "name": "Sales of {{#start.brand#}}"},
    {"id": "1711", "name": "Help", "label": "Helpdesk"},
    {"id": "x", "name": ""},
]
DATA: dict[str, Any] = {"query_variable_selector": ["sys", "query"], "model": LLM["model"], "classes": CLASSES, "topics": []}
CAT = ImagePart(url="http://f/cat.png")


async def _classify(*script: Step, data: Any = None, **detail: Any) -> tuple[list[ModelRequest], list[RunEvent]]:
    models = ScriptedModels(script)
    tree = graph(
        ("start", "start", {}),
        ("sort", "question-classifier", {**DATA, **(data or {})}),
        ("sales", "echo", {}),
        ("help", "echo", {}),
        edges=["start -> sort", "sort:1 -> sales", "sort:1711 -> help"],
    )
    ports = Ports(models, KeptFiles({"cat": CAT}))
    events = await events_of(tree, ports, inputs={"brand": "Acme"}, **{"query": "It broke", **detail})
    return models.requests, events


def _sorted(events: list[RunEvent]) -> dict[str, Any]:
    done = next(event for event in events if isinstance(event, NodeFinished) and event.node_id == "sort")
    assert done.outputs is not None
    return done.outputs


async def test_the_run_goes_on_by_the_class_that_the_model_names() -> None:
    requests, events = await _classify('{"keywords": ["broke"], ', '"category_id": "1711", "category_name": "Help"}')
    assert short(events) == "+start -start +sort -sort +help -help RunFinished"
    usage = _sorted(events).pop("usage")
    assert _sorted(events) | {"usage": 0} == {"class_name": "Help", "class_label": "Helpdesk", "class_id": "1711", "usage": 0}
    last = events[-1]
    assert isinstance(last, RunFinished) and last.usage.total_tokens == usage["total_tokens"] > 0
    assert len(requests) == 1


@pytest.mark.parametrize(
    "said",
    [
        "Help, I think",
        "",
        '{"category_id": "99"}',
        '{"category_name": "Help"}',
        "[1711]",
        '<think>{"category_id": "1711"}</think>no idea',
        '{"category_id": ["1711"]}',
    ],
)
async def test_an_answer_that_names_no_class_means_the_first(said: str) -> None:
    _, events = await _classify(said)
    outputs = _sorted(events)
    assert (outputs["class_id"], outputs["class_label"], outputs["class_name"]) == ("1", "CLASS 1", "Sales of Acme")
    assert "+sales" in short(events) and "+help" not in short(events)


@pytest.mark.parametrize(
    "said",
    [
        '<think>It could be {"category_id": "1"}</think>\n```json\n{"category_id": "1711"}\n```',
        'Sure {here} it is: {"category_id": 1711, "category_name": "a } brace"} and {"category_id": "1"}',
        "{'category_id': '1711', 'keywords': ['it\\'s',],}",
        'thoughts without a beginning </think> {"category_id": "1711"',
    ],
)
async def test_the_class_is_found_in_what_models_write(said: str) -> None:
    _, events = await _classify(said)
    assert _sorted(events)["class_id"] == "1711"


async def test_the_question_names_instructions_and_conversation_reach_the_model() -> None:
    data = {
        "instructions": "Mind {{#start.brand#}}.",
        "memory": {"window": {"enabled": True, "size": 1}, "role_prefix": {"user": "U"}},
    }
    turns = [HistoryTurn("old", "gone"), HistoryTurn("earlier", "said")]
    (request,), _ = await _classify("{}", data=data, history=turns)
    system, last = request.messages[0].text, request.messages[-1].text
    assert "U: earlier\nAssistant: said" in system and "old" not in system
    assert '"input_text":"It broke"' in last and "Mind Acme." in last and "Sales of Acme" in last
    assert [message.role.value for message in request.messages] == ["system", "user", "assistant", "user", "assistant", "user"]


async def test_files_go_to_the_model_and_completion_models_get_one_text() -> None:
    (request,), _ = await _classify("{}", data={"vision": {"enabled": True}}, files=["cat"])
    assert CAT in request.messages[-1].content
    (request,), _ = await _classify("{}", data={"model": {**DATA["model"], "mode": "completion"}})
    assert len(request.messages) == 1 and request.messages[0].text.endswith("Assistant:")


async def test_a_model_that_fails_fails_the_node() -> None:
    _, events = await _classify(ProviderQuotaExceeded())
    assert isinstance(events[-1], RunFailed) and events[-1].code == "provider_quota_exceeded"


async def test_no_classes_and_no_model_are_clear_errors() -> None:
    requests, events = await _classify("{}", data={"classes": []})
    assert not requests and isinstance(events[-1], RunFailed) and "no classes" in events[-1].message
    with pytest.raises(GraphError, match=r"sort.*model"):
        await _classify("{}", data={"model": {"provider": "demo"}})


async def test_a_class_without_a_way_on_ends_there_and_a_missing_question_is_empty() -> None:
    requests, events = await _classify('{"category_id": "x"}', data={"query_variable_selector": ["gone", "text"]})
    assert short(events) == "+start -start +sort -sort RunFinished"
    assert '"input_text":""' in requests[0].messages[-1].text
