"""What the knowledge-retrieval node decides before it searches: which dataset, and what documents must tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from difyproj.kernel.errors import InvalidParam
from difyproj.model_runtime.messages import Delta, ToolCallDelta
from difyproj.testing.fakes import ScriptedModels, Step, scripted
from workflows.engine.node import Done, NodeContext
from workflows.engine.pool import VariablePool
from workflows.engine.state import RunState
from workflows.nodes.knowledge_retrieval import KnowledgeRetrievalNode

MODEL = {"provider": "demo", "name": "m", "mode": "chat", "completion_params": {}}
ABOUT = [
    {"id": "d1", "name": "Law", "description": "What is allowed.", "fields": [{"name": "year", "type": "number"}]},
    {"id": "d2", "name": "Food", "description": "", "fields": [{"name": "cook", "type": "string"}]},
]


@dataclass
class Knowledge:
    known: Sequence[Mapping[str, Any]] = tuple(ABOUT)
    asked: list[tuple[list[str], Any]] = field(default_factory=list)

    async def retrieve(
        self, query: str, dataset_ids: Sequence[str], settings: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        self.asked.append((list(dataset_ids), settings["metadata_filtering_conditions"]))
        return [{"title": "T", "content": "C"}]

    async def about(self, dataset_ids: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        return [one for one in self.known if one["id"] in dataset_ids]


async def retrieve(models: ScriptedModels, knowledge: Knowledge, **data: Any) -> Done:
    raw = {"dataset_ids": ["d1", "d2"], "query_variable_selector": ["sys", "query"], **data}
    ports = replace(scripted(), models=models, knowledge=knowledge)
    pool = VariablePool({"sys": {"query": "May I fish?"}, "start": {"year": 2020}})
    ctx = NodeContext("k", msgspec.convert(raw, KnowledgeRetrievalNode.schema), pool, ports, RunState())
    (end,) = [output async for output in KnowledgeRetrievalNode().run(ctx)]
    assert isinstance(end, Done)
    return end


SINGLE = {"retrieval_mode": "single", "single_retrieval_config": {"model": MODEL}}


async def test_a_model_chooses_one_of_several_datasets_by_calling_it() -> None:
    models, knowledge = ScriptedModels([Delta(tool_calls=(ToolCallDelta(0, "c", "d2"),))]), Knowledge()
    end = await retrieve(models, knowledge, **SINGLE)
    assert knowledge.asked == [(["d2"], None)]
    assert [(tool.name, tool.description) for tool in models.requests[0].tools] == [
        ("d1", "What is allowed."),
        ("d2", "Look into the collection Food."),
    ]
    assert end.usage is not None and end.usage.total_tokens > 0
    assert end.process_data is not None and end.process_data["dataset_ids"] == ["d2"]


@pytest.mark.parametrize(
    ("said", "asked"), [('{"id": "d1"}', ["d1"]), ('{"id": ""}', []), ("no idea", []), ('{"id": "d9"}', [])]
)
async def test_a_model_without_tools_names_the_dataset(said: str, asked: list[str]) -> None:
    knowledge = Knowledge()
    end = await retrieve(ScriptedModels([said], can=frozenset()), knowledge, **SINGLE)
    assert [ids for ids, _ in knowledge.asked] == ([asked] if asked else [])
    assert end.outputs["result"] == ([{"title": "T", "content": "C"}] if asked else [])


async def test_a_single_dataset_needs_no_model() -> None:
    models, knowledge = ScriptedModels(), Knowledge(ABOUT[:1])
    await retrieve(models, knowledge, retrieval_mode="single")
    assert ([ids for ids, _ in knowledge.asked], models.requests) == ([["d1"]], [])
    with pytest.raises(InvalidParam, match="model"):
        await retrieve(models, Knowledge(), retrieval_mode="single")


async def test_conditions_of_the_author_take_values_of_the_run() -> None:
    rows = [
        {"id": "1", "name": "year", "comparison_operator": "≥", "value": "{{#start.year#}}"},
        {"name": "cook", "comparison_operator": "in", "value": ["{{#start.year#}}", "Ada"]},
        {"name": "cook", "comparison_operator": "empty"},
    ]
    knowledge = Knowledge()
    given = {"logical_operator": "and", "conditions": rows}
    await retrieve(ScriptedModels(), knowledge, metadata_filtering_mode="manual", metadata_filtering_conditions=given)
    _, told = knowledge.asked[0]
    assert [row.get("value") for row in told["conditions"]] == ["2020", ["2020", "Ada"], None]
    await retrieve(ScriptedModels(), knowledge, metadata_filtering_mode="disabled", metadata_filtering_conditions=given)
    assert knowledge.asked[1][1] is None


GOOD = {"name": "year", "comparison_operator": "=", "value": 2021}
BAD = [1, {"name": "x", "comparison_operator": "="}, {"name": "year", "comparison_operator": "~"}, {**GOOD, "value": [1]}]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (msgspec.json.encode({"conditions": [GOOD, *BAD]}).decode(), {"logical_operator": "or", "conditions": [GOOD]}),
        ('{"conditions": []}', None),
        ("Fishing is allowed.", None),
    ],
)
async def test_a_model_makes_conditions_of_the_question(said: Step, expected: Any) -> None:
    models, knowledge = ScriptedModels([said]), Knowledge()
    end = await retrieve(models, knowledge, metadata_filtering_mode="automatic", metadata_model_config=MODEL)
    assert knowledge.asked == [(["d1", "d2"], expected)]
    assert '"name":"cook","type":"string"' in models.requests[0].messages[-1].text.replace(" ", "")
    assert end.usage is not None
