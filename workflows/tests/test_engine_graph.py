"""Graphs are parsed and checked, and what is wrong is named by node and field."""

from __future__ import annotations

from typing import Any

import pytest

from difyproj.testing.fakes import scripted
from workflows.engine.graph import BoundGraph, Edge, Graph, GraphError, NodeSpec, parse

from .graphs import LLM, TYPES, chain, events_of, graph, short


def _node(name: str, kind: str, **data: Any) -> dict[str, Any]:
    return {"id": name, "type": "custom", "data": {"type": kind, "title": name.title(), **data}}


def _edge(source: str, target: str) -> dict[str, str]:
    return {"source": source, "target": target}


def test_an_exported_graph_is_read_with_its_oddities() -> None:
    raw = {
        "nodes": [_node("s", "start"), _node("a", "answer", answer="hi", selected=False), {"id": "n", "type": "custom-note"}],
        "edges": [{"source": "s", "target": "a"}, {"source": None, "target": "a"}, "nonsense"],
    }
    made = parse(raw)
    assert list(made.nodes) == ["s", "a"]
    assert made.edges == (Edge("s", "a", "source"),)
    assert made.nodes["a"].title == "A"
    assert BoundGraph(made, TYPES).entry == "s"


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ([], "graph"),
        ({"nodes": "x"}, "nodes"),
        ({"nodes": [1]}, "nodes.0"),
        ({"nodes": [{"id": "a"}]}, "nodes.0.data"),
        ({"nodes": [{"data": {"type": "start"}}]}, "nodes.0.id"),
        ({"nodes": [_node("a", "start"), _node("a", "answer")]}, "nodes.a.id"),
        ({"nodes": [_node("a", "start")], "edges": [{"source": "a", "target": "b"}]}, "edges.0.target"),
        ({"nodes": [_node("a", "start")], "edges": [{"source": "b", "target": "a"}]}, "edges.0.source"),
        ({"nodes": [_node("a", "start"), _node("b", "llm")], "edges": [_edge("a", "b"), _edge("b", "a")]}, "edges"),
    ],
)
def test_a_broken_graph_names_the_path(raw: Any, path: str) -> None:
    with pytest.raises(GraphError) as refusal:
        parse(raw)
    assert refusal.value.params == path
    assert refusal.value.code == "invalid_param"


def test_wrong_node_data_names_node_and_field() -> None:
    with pytest.raises(GraphError) as refusal:
        BoundGraph(chain(("talk", "llm", {"model": {"provider": "demo", "name": 7}})), TYPES)
    assert refusal.value.params == "nodes.talk.data.model.name"
    assert "talk" in str(refusal.value) and "model.name" in str(refusal.value)


def test_a_missing_field_is_named_by_where_it_belongs() -> None:
    with pytest.raises(GraphError, match="model") as refusal:
        BoundGraph(chain(("talk", "llm", {})), TYPES)
    assert refusal.value.params == "nodes.talk.data"


def test_an_unknown_type_lists_the_known_ones() -> None:
    with pytest.raises(GraphError, match=r"'dance'.*Known: .*llm") as refusal:
        BoundGraph(chain(("d", "dance", {})), TYPES)
    assert refusal.value.params == "nodes.d.type"


def test_a_graph_without_one_beginning_is_refused() -> None:
    with pytest.raises(GraphError, match="found none"):
        BoundGraph(Graph([NodeSpec("a", "answer")]), TYPES)
    with pytest.raises(GraphError, match="found one, two"):
        _ = BoundGraph(Graph([NodeSpec("one", "start"), NodeSpec("two", "start")]), TYPES).entry


def test_ancestors_and_branches_are_found() -> None:
    tree = graph(
        ("start", "start", {}),
        ("if", "echo", {}),
        ("yes", "llm", LLM),
        ("no", "llm", LLM),
        ("end", "answer", {}),
        edges=["start -> if", "if:true -> yes", "if:false -> no", "yes -> end", "no -> end"],
    )
    assert tree.ancestors("end") == {"start", "if", "yes", "no"}
    assert tree.branches == {"if"}


def _inside(name: str, kind: str, container: str, **data: Any) -> dict[str, Any]:
    return {**_node(name, kind, **data), "parentId": container}


ITERATION = {"iterator_selector": ["s", "items"], "output_selector": ["a", "answer"]}


def test_what_is_inside_a_container_is_a_graph_of_its_own() -> None:
    raw = {
        "nodes": [
            _node("s", "start"),
            _node("each", "iteration", **ITERATION),
            _inside("first", "iteration-start", "each"),
            _node("a", "answer", iteration_id="each", isInIteration=True, answer="x"),
            _node("end", "end"),
        ],
        "edges": [_edge("s", "each"), _edge("first", "a"), _edge("each", "end")],
    }
    made = parse(raw)
    assert list(made.nodes) == ["s", "each", "end"] and list(made.inside["each"].nodes) == ["first", "a"]
    assert made.edges == (Edge("s", "each"), Edge("each", "end")) and made.inside["each"].edges == (Edge("first", "a"),)
    assert [spec.id for spec in made.every()] == ["s", "each", "end", "first", "a"]
    bound = BoundGraph(made, TYPES)
    assert bound.inside["each"].entry == "first" and bound.repliers == {"a"}


def test_a_container_of_old_files_begins_at_the_node_it_names() -> None:
    rows = [_node("s", "start"), _node("each", "iteration", start_node_id="a", **ITERATION), _inside("a", "answer", "each")]
    edges = [_edge("s", "each")]
    assert BoundGraph(parse({"nodes": rows, "edges": edges}), TYPES).inside["each"].entry == "a"
    rows[1]["data"].pop("start_node_id")
    assert BoundGraph(parse({"nodes": rows, "edges": edges}), TYPES).inside["each"].entry == "a"
    with pytest.raises(GraphError, match="found none") as refusal:
        BoundGraph(parse({"nodes": [*rows, _inside("b", "answer", "each")], "edges": edges}), TYPES)
    assert refusal.value.params == "nodes.each.data.start_node_id"


@pytest.mark.parametrize(
    ("rows", "edges", "path"),
    [
        ([_inside("a", "answer", "c")], [_edge("s", "a")], "edges.0"),
        ([_node("a", "answer", loop_id="nowhere")], [], "nodes.a.data.loop_id"),
        ([], [], "nodes.c"),
        ([_node("d", "answer"), _inside("a", "answer", "d")], [], "nodes.c"),
        ([_inside("a", "answer", "c"), _inside("b", "answer", "a")], [], "nodes.a"),
    ],
)
def test_a_broken_container_names_the_path(rows: list[dict[str, Any]], edges: list[dict[str, str]], path: str) -> None:
    with pytest.raises(GraphError) as refusal:
        BoundGraph(parse({"nodes": [_node("s", "start"), _node("c", "loop"), *rows], "edges": edges}), TYPES)
    assert refusal.value.params == path


def test_a_parent_that_is_only_on_the_canvas_and_gone_does_not_count() -> None:
    assert list(parse({"nodes": [_node("s", "start"), _inside("a", "answer", "gone")]}).nodes) == ["s", "a"]


def test_old_selectors_of_the_start_node_become_those_of_the_system() -> None:
    declared = [{"variable": "files", "type": "text-input"}]
    data = {
        "a": ["s", "sys.query"],
        "b": [["s", "query"], ["s", "files"], ["s", "name"], ["other", "query"]],
        "text": "{{#s.query#}} {{#s.sys.files#}} {{#s.files#}} {{#s.name#}}",
    }
    made = parse({"nodes": [_node("s", "start", variables=declared), _node("x", "answer", **data)]}).nodes["x"].data
    assert made["a"] == ["sys", "query"]
    assert made["b"] == [["sys", "query"], ["s", "files"], ["s", "name"], ["other", "query"]]
    assert made["text"] == "{{#sys.query#}} {{#sys.files#}} {{#s.files#}} {{#s.name#}}"


def test_data_without_old_selectors_is_not_copied() -> None:
    rows = [_node("s", "start"), _node("x", "answer", answer="{{#sys.query#}}", deep={"list": [["a", "b"], 1]})]
    assert parse({"nodes": rows}).nodes["x"].data is rows[1]["data"]


def test_a_run_begins_at_the_chosen_root() -> None:
    tree = graph(("one", "start", {}), ("two", "start", {}), ("a", "answer", {}), edges=["one -> a", "two -> a"])
    bound = BoundGraph(tree, TYPES)
    assert bound.roots == ("one", "two") and bound.at("two").entry == "two"
    for wrong in ("a", "nowhere"):
        with pytest.raises(GraphError, match="cannot begin") as refusal:
            bound.at(wrong)
        assert refusal.value.params == "entry"


def test_one_node_can_be_taken_out_with_all_that_is_inside_it() -> None:
    rows = [_node("s", "start"), _node("each", "iteration", **ITERATION), _inside("a", "answer", "each")]
    single = parse({"nodes": rows, "edges": [_edge("s", "each")]}).only("each")
    assert list(single.nodes) == ["each"] and list(single.inside["each"].nodes) == ["a"] and single.edges == ()
    assert BoundGraph(single, TYPES, entry="each").entry == "each"


async def test_one_node_can_run_alone() -> None:
    tree = chain(("a", "echo", {"words": ["x"]}), ("b", "echo", {})).only("a")
    assert short(await events_of(tree, scripted(), entry="a")) == "+a -a RunFinished"


@pytest.mark.parametrize("entry", ["one", "two"])
async def test_other_roots_are_skipped_through(entry: str) -> None:
    nodes: list[tuple[str, str, Any]] = [
        ("one", "start", {}),
        ("two", "start", {}),
        ("a", "echo", {}),
        ("b", "echo", {}),
        ("end", "end", {}),
    ]
    tree = graph(*nodes, edges=["one -> a", "two -> b", "a -> end", "b -> end"])
    inner = {"one": "a", "two": "b"}[entry]
    assert short(await events_of(tree, scripted(), entry=entry)) == f"+{entry} -{entry} +{inner} -{inner} +end -end RunFinished"
