"""Graphs are parsed and checked, and what is wrong is named by node and field."""

from __future__ import annotations

from typing import Any

import pytest

from workflows.engine.graph import BoundGraph, Edge, Graph, GraphError, NodeSpec, parse

from .graphs import LLM, TYPES, chain, graph


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
