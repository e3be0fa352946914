"""Graphs with containers, as exported files hold them, for the engine's tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from workflows.engine.graph import Graph, parse

Node = tuple[str, str, Mapping[str, Any]]


def exported(nodes: Sequence[Node], edges: Sequence[str], **inside: Sequence[str]) -> Graph:
    """``inside`` names the nodes of each container; ``edges`` read ``"a -> b"`` or ``"a:handle -> b"``."""
    kinds = {name: kind for name, kind, _ in nodes}
    parents = {member: container for container, members in inside.items() for member in members}
    rows = []
    for name, kind, data in nodes:
        row: dict[str, Any] = {"id": name, "type": "custom", "data": {"type": kind, "title": name, **data}}
        if name in parents:
            row["parentId"] = parents[name]
            row["data"][f"{kinds[parents[name]]}_id"] = parents[name]
        rows.append(row)
    lines = []
    for text in edges:
        source, _, target = text.partition(" -> ")
        name, _, handle = source.partition(":")
        lines.append({"source": name, "target": target, "sourceHandle": handle or "source"})
    return parse({"nodes": rows, "edges": lines})


def iteration(*body: Node, after: Sequence[Node] = (), **data: Any) -> Graph:
    """start, an iteration ``each`` over the input ``items`` with ``body`` in a row inside, then ``after`` in a row."""
    whole = {"iterator_selector": ["start", "items"], "output_selector": [body[-1][0], "text"], **data}
    return _container(("each", "iteration", whole), ("first", "iteration-start", {}), body, after)


def loop(*body: Node, after: Sequence[Node] = (), edges: Sequence[str] | None = None, **data: Any) -> Graph:
    """start, a loop ``again`` with ``body`` inside (in a row, if no ``edges`` say more), then ``after`` in a row."""
    return _container(("again", "loop", data), ("first", "loop-start", {}), body, after, edges)


def _container(
    container: Node, first: Node, body: Sequence[Node], after: Sequence[Node], edges: Sequence[str] | None = None
) -> Graph:
    inner = ["first", *(name for name, _, _ in body)]
    outer = ["start", container[0], *(name for name, _, _ in after)]
    rows = [outer] if edges is not None else [inner, outer]
    lines = [f"{one} -> {two}" for row in rows for one, two in pairwise(row)]
    nodes = [("start", "start", {}), container, first, *body, *after]
    return exported(nodes, [*lines, *(edges or ())], **{container[0]: inner})
