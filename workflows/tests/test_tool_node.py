"""tool nodes: what they ask of the port, what they give out, and the tools that are built in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from difyproj.kernel import clock
from difyproj.kernel.errors import AppUnavailable, InvalidParam, NotFound
from difyproj.testing.fakes import scripted
from workflows.engine.events import Usage
from workflows.engine.node import Done, NodeContext
from workflows.engine.pool import VariablePool
from workflows.engine.ports import ToolAnswer, ToolCall
from workflows.engine.state import RunState
from workflows.nodes.knowledge_retrieval import KnowledgeRetrievalNode
from workflows.nodes.tool import ToolNode
from workflows.tools import catalogue
from workflows.tools.base import ToolFailed
from workflows.tools.catalogue import Toolbox

from .nodes import done, file


@dataclass
class ScriptedTools:
    answer: ToolAnswer = field(default_factory=ToolAnswer)
    calls: list[ToolCall] = field(default_factory=list)

    async def invoke(self, call: ToolCall) -> ToolAnswer:
        self.calls.append(call)
        return self.answer


TOOL = {"provider_type": "builtin", "provider_id": "org/plug/prov", "provider_name": "prov", "tool_name": "look"}


async def ended(tools: Any, pool: VariablePool | None = None, **data: Any) -> Done:
    parsed = msgspec.convert({**TOOL, **data}, ToolNode.schema, strict=False)
    ctx = NodeContext("t", parsed, pool or VariablePool(), replace(scripted(), tools=tools), RunState())
    (end,) = [output async for output in ToolNode().run(ctx)]
    assert isinstance(end, Done)
    return end


async def test_parameters_of_every_kind_reach_the_tool() -> None:
    tools, pool = ScriptedTools(), VariablePool({"n": {"a": "x", "list": [1, 2], "none": None}})
    given = {
        "text": {"type": "mixed", "value": "<{{#n.a#}}>"},
        "whole": {"type": "variable", "value": ["n", "list"]},
        "number": {"type": "constant", "value": 5},
        "constant": {"type": "constant", "value": "{{#n.a#}}!"},
        "empty": {"type": "variable", "value": ["n", "none"]},
        "nothing": {"type": "variable", "value": ["n", "missing"]},
        "null": {"type": "mixed", "value": None},
        "bare": "{{#n.a#}}",
    }
    old = {"count": 3, "unset": None, "flag": False}
    end = await ended(tools, pool, tool_parameters=given, tool_configurations=old, credential_id="c")
    assert tools.calls[0].parameters == {
        "count": 3, "flag": False, "text": "<x>", "whole": [1, 2], "number": 5, "constant": "x!", "bare": "x",
    }  # fmt: skip
    assert (tools.calls[0].provider_id, tools.calls[0].tool_name, tools.calls[0].credential_id) == (
        "org/plug/prov",
        "look",
        "c",
    )
    assert end.inputs == tools.calls[0].parameters


async def test_typed_configurations_are_resolved_and_parameters_win() -> None:
    tools, pool = ScriptedTools(), VariablePool({"n": {"a": "x"}})
    typed = {"p": {"type": "mixed", "value": "conf"}, "q": {"type": "variable", "value": ["n", "a"]}}
    await ended(tools, pool, tool_configurations=typed, tool_parameters={"p": {"type": "mixed", "value": "param"}})
    assert tools.calls[0].parameters == {"p": "param", "q": "x"}


async def test_a_required_variable_that_does_not_exist_fails_the_node() -> None:
    tools = ScriptedTools()
    given = {"q": {"type": "variable", "value": ["gone", "text"]}}
    with pytest.raises(InvalidParam, match=r"gone\.text") as refusal:
        await ended(tools, tool_parameters=given, paramSchemas=[{"name": "q", "required": True, "form": "llm"}])
    assert (refusal.value.params, tools.calls) == ("tool_parameters.q", [])


async def test_the_answer_becomes_the_outputs() -> None:
    answer = ToolAnswer("hi", [file()], [{"a": 1}], {"extra": 2}, Usage(total_tokens=7))
    end = await ended(ScriptedTools(answer))
    assert end.outputs == {"text": "hi", "files": [file()], "json": [{"a": 1}], "extra": 2}
    assert end.usage == Usage(total_tokens=7)
    assert (await ended(ScriptedTools())).outputs == {"text": "", "files": [], "json": [{"data": []}]}


async def test_secrets_reach_the_tool_and_no_trace() -> None:
    tools, pool = ScriptedTools(), VariablePool({"env": {"key": "s3cret-value"}})
    pool.declare("env", "key", "secret")
    given = {
        "auth": {"type": "mixed", "value": "Bearer {{#env.key#}}"},
        "deep": {"type": "constant", "value": [{"k": "s3cret-value"}]},
    }
    end = await ended(tools, pool, tool_parameters=given)
    assert tools.calls[0].parameters["auth"] == "Bearer s3cret-value"
    assert end.inputs == {"auth": "Bearer ******", "deep": [{"k": "******"}]}


async def test_a_run_without_tools_says_so() -> None:
    with pytest.raises(AppUnavailable, match="Tools"):
        await done("tool", TOOL, VariablePool())


async def used(tool: str, provider: str = "time", kind: str = "builtin", **parameters: Any) -> str:
    return (await Toolbox().invoke(ToolCall(kind, provider, tool, parameters))).text


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> datetime:
    moment = datetime(2026, 7, 1, 12, 0, 5, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: moment)
    return moment


@pytest.mark.parametrize("provider", ["time", "langgenius/time/time"])
async def test_the_current_time_has_a_format_and_a_zone(noon: datetime, provider: str) -> None:
    assert await used("current_time", provider) == "2026-07-01 12:00:05"
    assert await used("current_time", provider, format="", timezone="") == "2026-07-01 12:00:05"
    assert await used("current_time", provider, format="%H:%M", timezone="Asia/Shanghai") == "20:00"


@pytest.mark.parametrize(
    ("tool", "parameters", "text"),
    [
        (
            "timezone_conversion",
            {"current_time": "2024-01-01 08:00:00", "target_timezone": "Asia/Tokyo"},
            "2024-01-01 09:00:00",
        ),
        ("localtime_to_timestamp", {"localtime": "1970-01-01 08:00:01"}, "1"),
        ("timestamp_to_localtime", {"timestamp": "1", "timezone": "UTC"}, "1970-01-01 00:00:01"),
        ("weekday", {"year": "2024", "month": 2, "day": 29}, "2024-02-29 is a Thursday."),
    ],
)
async def test_times_are_converted(tool: str, parameters: Mapping[str, Any], text: str) -> None:
    assert await used(tool, **parameters) == text


@pytest.mark.parametrize(
    ("tool", "parameters", "told"),
    [
        ("current_time", {"timezone": "Mars/Base"}, "no time zone"),
        ("current_time", {"timezone": "../../etc/passwd"}, "no time zone"),
        ("current_time", {"format": "%Y" * 200}, "longer"),
        ("timezone_conversion", {}, "current_time"),
        ("timezone_conversion", {"current_time": "yesterday"}, "no time of the form"),
        ("timestamp_to_localtime", {"timestamp": 1e300}, "outside"),
        ("weekday", {"year": 2023, "month": 2, "day": 29}, "no such date"),
        ("weekday", {"year": "x", "month": 2, "day": 29}, "called wrongly"),
    ],
)
async def test_a_tool_says_what_it_cannot_do(tool: str, parameters: Mapping[str, Any], told: str) -> None:
    with pytest.raises(ToolFailed, match=told):
        await used(tool, **parameters)


@pytest.mark.parametrize(
    ("kind", "provider", "tool"),
    [
        ("builtin", "time", "now"),
        ("builtin", "evil/time/time", "current_time"),
        ("api", "time", "current_time"),
        ("mcp", "", ""),
    ],
)
async def test_a_tool_that_is_not_here_is_not_found(kind: str, provider: str, tool: str) -> None:
    with pytest.raises(NotFound, match="no tool"):
        await used(tool, provider, kind)


def test_providers_are_known_by_their_old_and_new_names() -> None:
    assert catalogue.names()["time"] >= {"current_time", "weekday"}
    assert catalogue.plugin_id("tavily") == "langgenius/tavily/tavily"
    assert catalogue.plugin_id("jina") == "langgenius/jina_tool/jina"
    assert catalogue.plugin_id("a/b/c") == "a/b/c"
    assert catalogue.short("langgenius/jina_tool/jina") == "jina"
    assert catalogue.short("someone/time/time") == "someone/time/time"


@pytest.mark.parametrize("data", [{"dataset_ids": ["d"], "query_variable_selector": ["n", "q"]}])
async def test_knowledge_is_asked_for_a_query_and_not_for_nothing(data: dict[str, Any]) -> None:
    end = await done("knowledge-retrieval", data, VariablePool({"n": {"q": " "}}))
    assert end.outputs == {"result": []}
    with pytest.raises(AppUnavailable, match="Knowledge"):
        await done("knowledge-retrieval", data, VariablePool({"n": {"q": "x"}}))
    with pytest.raises(InvalidParam, match="not found"):
        await done("knowledge-retrieval", data, VariablePool())


async def test_passages_are_the_result_of_knowledge_retrieval() -> None:
    asked: list[Any] = []

    class Knowledge:
        async def retrieve(self, query: str, dataset_ids: Any, settings: Mapping[str, Any]) -> Any:
            asked.append((query, list(dataset_ids), settings["multiple_retrieval_config"]))
            return [{"title": "T", "content": "C"}]

        async def about(self, dataset_ids: Any) -> Any:
            return []

    raw = {"dataset_ids": ["d"], "query_variable_selector": ["n", "q"], "multiple_retrieval_config": {"top_k": 4}}
    parsed = msgspec.convert(raw, KnowledgeRetrievalNode.schema)
    ports = replace(scripted(), knowledge=Knowledge())
    ctx = NodeContext("k", parsed, VariablePool({"n": {"q": "x"}}), ports, RunState())
    (end,) = [output async for output in KnowledgeRetrievalNode().run(ctx)]
    assert isinstance(end, Done)
    assert end.outputs == {"result": [{"title": "T", "content": "C"}]}
    assert asked == [("x", ["d"], {"top_k": 4})]


async def test_an_agent_node_loads_and_does_not_run_yet() -> None:
    raw = {"agent_strategy_name": "ReAct", "agent_parameters": {"query": {"type": "constant", "value": "x"}}}
    with pytest.raises(AppUnavailable, match="Agent nodes"):
        await done("agent", raw, VariablePool())
