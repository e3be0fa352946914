"""The dry run of an import names what is wrong in a file, what is missing here, and what has another name here."""

from __future__ import annotations

from typing import Any

import pytest

from apps.dsl import document, plugins, reader
from apps.dsl.findings import Finding, Level
from apps.dsl.needs import Kind, needs_of
from apps.dsl.report import Surroundings, is_covered, report

from .dsl_files import NAMES, parsed, raw_of

EVERYTHING = Surroundings(
    providers=frozenset({"openai", "deepseek", "siliconflow", "anthropic", "cohere", "openai_api_compatible"}),
    models=frozenset({("siliconflow", "bge-reranker"), ("openai_api_compatible", "some-private-model")}),
    datasets=frozenset({"QmFzZTY0IG9mIHNvbWV0aGluZw==", "5c1f0c0e-6a4b-4a71-9a55-0a2f8c1d7e90"}),
    tools={"atlas": frozenset({"find"}), "acme/registers/registers": frozenset({"look_up"})},
    strategies=frozenset({"langgenius/agent/agent"}),
    credentials=frozenset({"8c9d0e1f-2a3b-4c5d-8e6f-7a8b9c0d1e2f", "7b0d1d5f-3a5e-4a25-b6a9-2f6f7f0a9f10"}),
)


def found(name: str, here: Surroundings, *levels: Level) -> list[Finding]:
    return [finding for finding in report(parsed(name), here) if finding.level in levels]


def flow_of(nodes: list[Any], edges: list[Any] | None = None, **flow: Any) -> document.Document:
    return document.parse(
        {"app": {"mode": "workflow", "name": "x"}, "workflow": {"graph": {"nodes": nodes, "edges": edges or []}, **flow}}
    )


def node(key: str, kind: str, **data: Any) -> dict[str, Any]:
    return {"id": key, "data": {"type": kind, "title": key.title(), **data}}


START = node("start", "start", variables=[])
END = node("end", "end", outputs=[])


def errors_of(made: document.Document) -> list[tuple[str, str, str]]:
    rows = report(made, Surroundings())
    return [(row.place, row.field, row.message) for row in rows if row.level is Level.ERROR]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_without_faults_has_no_error(name: str) -> None:
    assert found(name, Surroundings(), Level.ERROR) == []


def test_every_kind_of_thing_that_is_missing_is_named_with_its_node() -> None:
    here = Surroundings(providers=frozenset({"deepseek"}), datasets=frozenset())
    missing = {(row.place, row.kind, row.name) for row in found("chatflow_memory.yml", here, Level.MISSING)}
    assert {
        ("3", "dataset", "QmFzZTY0IG9mIHNvbWV0aGluZw=="),
        ("3", "model", "langgenius/siliconflow/siliconflow/bge-reranker"),
        ("4", "strategy", "langgenius/agent/agent"),
        ("4", "model", "langgenius/openai/openai/gpt-4o"),
        ("4", "tool", "langgenius/atlas/atlas/find"),
        ("4", "credential", "8c9d0e1f-2a3b-4c5d-8e6f-7a8b9c0d1e2f"),
        ("5", "model", "openai/gpt-4o"),
    } <= missing
    assert not [row for row in missing if row[0] == "2" and row[1] == "model"]


@pytest.mark.parametrize("name", ["chatflow_memory.yml", "chat_helper.yml", "agent_chat_clerk.yml"])
def test_where_everything_is_nothing_is_missing(name: str) -> None:
    kinds = {row.kind for row in found(name, EVERYTHING, Level.MISSING)}
    assert kinds <= {Kind.NODE_TYPE}
    assert [row for row in found(name, EVERYTHING, Level.WARNING) if row.kind == Kind.MODEL] == []


def test_what_is_mapped_says_to_what() -> None:
    told = {row.message for row in found("chatflow_memory.yml", EVERYTHING, Level.MAPPED)}
    assert "langgenius/openai/openai is openai here." in told
    clock = {"type": "tool", "provider_type": "builtin", "provider_id": "langgenius/time/time", "tool_name": "weekday"}
    (mapped,) = [row for row in report(flow_of([START, {"id": "c", "data": clock}]), Surroundings()) if row.kind == Kind.TOOL]
    assert (mapped.level, mapped.message) == (Level.MAPPED, "langgenius/time/time is time here.")
    (old,) = found("old_workflow.yml", EVERYTHING, Level.MAPPED)
    assert (old.place, old.title, old.message) == ("join", "Join", "variable-assigner is variable-aggregator here.")


def test_what_a_config_needs_is_named_too() -> None:
    needs = {(need.kind, need.name, need.part, need.family) for need in needs_of(parsed("chat_helper.yml"))}
    assert needs == {
        (Kind.MODEL, "openai_api_compatible", "some-private-model", "llm"),
        (Kind.MODEL, "cohere", "rerank-english-v3.0", "rerank"),
        (Kind.DATASET, "5c1f0c0e-6a4b-4a71-9a55-0a2f8c1d7e90", "", ""),
    }
    tools = [need.part for need in needs_of(parsed("agent_chat_clerk.yml")) if need.kind is Kind.TOOL]
    assert tools == ["look_up"], "a tool that is switched off is not needed"


def test_a_model_that_is_never_asked_is_not_needed() -> None:
    assert "nowhere" not in {need.name for need in needs_of(parsed("chatflow_memory.yml"))}


def test_a_model_that_nobody_knows_is_a_warning() -> None:
    (row,) = [
        row
        for row in report(parsed("chat_helper.yml"), Surroundings())
        if row.level is Level.WARNING and row.kind == Kind.MODEL
    ]
    assert row.message.startswith("some-private-model is no model")


@pytest.mark.parametrize("family", ["api", "workflow", "mcp"])
def test_a_tool_that_is_not_built_in_is_looked_for_by_its_id(family: str) -> None:
    data = {"type": "tool", "provider_type": family, "provider_id": "time", "tool_name": "weekday"}
    made = flow_of([START, {"id": "t", "data": data}])
    (row,) = [row for row in report(made, Surroundings()) if row.kind == Kind.TOOL]
    assert (row.level, row.message) == (Level.MISSING, f"The {family} tool weekday of time is not here.")
    assert Kind.TOOL not in {row.kind for row in report(made, Surroundings(tools={"time": frozenset({"weekday"})}))}


def test_an_unknown_type_of_node_is_missing_and_names_the_node() -> None:
    rows = report(flow_of([START, node("odd", "../../crystal-ball"), END]), Surroundings())
    assert [(row.level, row.place, row.title, row.name) for row in rows] == [
        (Level.MISSING, "odd", "Odd", "../../crystal-ball")
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["../../etc/passwd", "langgenius/openai/..", "..", "../openai_api_compatible.yaml", ""])
def test_a_provider_named_like_a_path_is_just_unknown(name: str) -> None:
    model = {"provider": name, "name": "x", "mode": "chat", "completion_params": {}}
    made = flow_of([START, node("llm", "llm", model=model, prompt_template=[]), END])
    assert [row.level for row in report(made, Surroundings()) if row.kind == Kind.MODEL] == [Level.MISSING]


def test_faults_of_a_graph_are_all_told_at_once() -> None:
    made = flow_of(
        [START, START, node("", "end"), node("if", "if-else", cases="many"), {"id": "bare", "data": None}],
        [{"source": "start", "target": "nowhere"}, {"source": "nowhere", "target": "start"}, {"source": None, "target": "x"}],
    )
    places = [(place, field) for place, field, _ in errors_of(made)]
    assert places == [
        ("start", "id"), ("workflow.graph", "nodes"), ("workflow.graph", "edges.0.target"),
        ("workflow.graph", "edges.1.source"), ("if", "cases"), ("bare", "data"),
    ]  # fmt: skip


def test_a_child_of_an_unknown_container_is_an_error() -> None:
    made = flow_of([START, node("in", "template-transform", template="", variables=[], iteration_id="gone"), END])
    assert ("in", "iteration_id") in [(place, field) for place, field, _ in errors_of(made)]


def test_what_the_engine_refuses_is_an_error() -> None:
    circle = [{"source": "start", "target": "a"}, {"source": "a", "target": "b"}, {"source": "b", "target": "a"}]
    nodes = [START, *[node(key, "template-transform", template="", variables=[]) for key in "ab"]]
    assert errors_of(flow_of(nodes, circle))
    assert errors_of(flow_of([END]))
    assert errors_of(flow_of([START, END], [{"source": "start", "target": "end"}])) == []


def test_a_reference_to_nothing_is_a_warning_with_its_node() -> None:
    told = [(row.place, row.message) for row in found("chatflow_memory.yml", EVERYTHING, Level.WARNING)]
    assert told == [
        ("5", "99.text refers to a node that is not there."),
        ("5", "conversation.gone is declared nowhere."),
    ]  # fmt: skip


def test_a_config_that_cannot_be_read_is_an_error_with_its_field() -> None:
    raw = raw_of("completion_slogans.yml")
    raw["model_config"]["user_input_form"] = [{"slider": {"variable": "x"}}]
    (row,) = [row for row in report(document.parse(raw), Surroundings()) if row.level is Level.ERROR]
    assert (row.place, row.field) == ("model_config", "user_input_form.0")


def test_a_newer_version_asks_to_be_confirmed() -> None:
    made = document.parse({**raw_of("old_workflow.yml"), "version": "99.0.0"})
    assert "99.0.0" in next(row.message for row in report(made, Surroundings()) if row.place == "version")
    broken = document.parse({**raw_of("old_workflow.yml"), "version": "six"})
    assert report(broken, Surroundings())[0].level is Level.ERROR


def test_what_a_plug_in_does_may_be_built_in_here() -> None:
    assert is_covered("langgenius/openai", Surroundings())
    assert is_covered("langgenius/gemini", Surroundings())
    assert is_covered("langgenius/time", Surroundings())
    assert not is_covered("acme/registers", Surroundings())
    assert is_covered("acme/registers", EVERYTHING)


def test_an_old_file_without_dependencies_says_by_its_nodes_what_it_requires() -> None:
    rows = plugins.required(document.parse({**raw_of("chatflow_memory.yml"), "dependencies": []}))
    assert {plugins.plugin_of_row(row) for row in rows} == {
        "langgenius/siliconflow", "langgenius/openai", "langgenius/agent", "langgenius/atlas",
    }  # fmt: skip


def test_dependencies_of_every_type_name_their_plug_in() -> None:
    text = """
    a: {type: marketplace, value: {marketplace_plugin_unique_identifier: 'org/one:1@x'}}
    b: {type: package, value: {plugin_unique_identifier: 'org/two:1@x'}}
    c: {type: github, value: {github_plugin_unique_identifier: 'org/three:1@x', repo: r, package: p, version: v}}
    d: {type: github, value: null}
    e: nonsense
    """
    rows = list(reader.read(text).values())
    assert [plugins.plugin_of_row(row) for row in rows] == ["org/one", "org/two", "org/three", "", ""]
