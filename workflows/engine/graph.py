"""A graph of nodes and edges, parsed from DSL shapes or built in code, and bound to the node types that will run it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

import msgspec

from difyproj.kernel.errors import InvalidParam
from difyproj.kernel.registry import Registry, UnknownEntry

from .node import Node
from .template import Template

NodeTypes = Registry[type[Node[Any]]]

SOURCE = "source"


class GraphError(InvalidParam):
    """The graph is not valid; ``params`` is the path of the offending field, such as ``nodes.llm.data.model``."""


class Edge(msgspec.Struct, frozen=True):
    source: str
    target: str
    source_handle: str = SOURCE


class NodeSpec(msgspec.Struct, frozen=True):
    """A node of the graph. ``data`` is raw (a mapping) or already of the type's schema."""

    id: str
    type: str
    title: str = ""
    data: Any = None


class Graph:
    """Nodes by id and edges between them. Immutable once made; one graph may serve many runs at once."""

    def __init__(self, nodes: Iterable[NodeSpec], edges: Iterable[Edge] = ()) -> None:
        """Raises GraphError for a node id given twice, an edge to nowhere or a circle."""
        self.nodes: dict[str, NodeSpec] = {}
        for spec in nodes:
            if spec.id in self.nodes:
                raise GraphError(f"Two nodes have the id {spec.id!r}.", params=f"nodes.{spec.id}.id")
            self.nodes[spec.id] = spec
        self.edges: tuple[Edge, ...] = tuple(edges)
        self.outgoing: dict[str, list[int]] = {name: [] for name in self.nodes}
        self.incoming: dict[str, list[int]] = {name: [] for name in self.nodes}
        for index, edge in enumerate(self.edges):
            for end, field in ((edge.source, "source"), (edge.target, "target")):
                if end not in self.nodes:
                    raise GraphError(f"Edge {index} has the unknown {field} {end!r}.", params=f"edges.{index}.{field}")
            self.outgoing[edge.source].append(index)
            self.incoming[edge.target].append(index)
        try:
            self.order: tuple[str, ...] = tuple(
                TopologicalSorter({name: self.sources(name) for name in self.nodes}).static_order()
            )
        except CycleError as error:
            raise GraphError(f"The edges run in a circle: {' -> '.join(error.args[1])}.", params="edges") from error

    def sources(self, node_id: str) -> list[str]:
        """Ids of the nodes with an edge to ``node_id``."""
        return [self.edges[index].source for index in self.incoming[node_id]]

    @cached_property
    def branches(self) -> frozenset[str]:
        """Ids of nodes that choose between several outgoing handles."""
        handles: dict[str, set[str]] = {}
        for edge in self.edges:
            handles.setdefault(edge.source, set()).add(edge.source_handle)
        return frozenset(name for name, found in handles.items() if found != {SOURCE})

    def ancestors(self, node_id: str) -> set[str]:
        """Ids of all nodes from which ``node_id`` can be reached."""
        found: set[str] = set()
        waiting = self.sources(node_id)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(self.sources(name))
        return found


class BoundGraph:
    """A graph with each node's class and parsed data, where to begin, and which nodes answer the user."""

    def __init__(self, graph: Graph, types: NodeTypes) -> None:
        """Raises GraphError when a type is unknown, a node's data does not fit, or no entry can be found."""
        self.graph = graph
        self.classes: dict[str, type[Node[Any]]] = {}
        self.data: dict[str, Any] = {}
        self.answers: dict[str, Template] = {}
        for spec in graph.nodes.values():
            kind = self.classes[spec.id] = _node_type(spec, types)
            data = self.data[spec.id] = _node_data(spec, kind)
            template = kind.answer(data)
            if template is not None:
                self.answers[spec.id] = template
        self.entry = self._find_entry()

    def _find_entry(self) -> str:
        found = [name for name, kind in self.classes.items() if kind.entry and not self.graph.incoming[name]]
        if len(found) != 1:
            told = ", ".join(found) or "none"
            raise GraphError(f"A graph needs exactly one node to begin with; found {told}.", params="nodes")
        return found[0]


def parse(raw: Any) -> Graph:
    """The graph of a DSL-like mapping ``{nodes: [{id, data: {type, title, ...}}], edges: [{source, target, sourceHandle}]}``.

    Notes (nodes without a type) and edges whose ends are not text are left out, as exported files hold them.
    Raises GraphError naming the path of what is wrong.
    """
    if not isinstance(raw, Mapping):
        raise GraphError("The graph must be an object.", params="graph")
    nodes = [spec for index, item in enumerate(_rows(raw, "nodes")) if (spec := _parse_node(index, item)) is not None]
    return Graph(nodes, [edge for item in _rows(raw, "edges") if (edge := _parse_edge(item)) is not None])


def _rows(raw: Mapping[str, Any], field: str) -> Sequence[Any]:
    rows = raw.get(field) or []
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise GraphError(f"{field} must be a list.", params=field)
    return rows


def _parse_node(index: int, item: Any) -> NodeSpec | None:
    path = f"nodes.{index}"
    if not isinstance(item, Mapping):
        raise GraphError("A node must be an object.", params=path)
    if item.get("type") == "custom-note":
        return None
    data = item.get("data")
    if not isinstance(data, Mapping):
        raise GraphError("A node needs its data.", params=f"{path}.data")
    if not data.get("type"):
        return None
    if not isinstance(item.get("id"), str) or not item["id"]:
        raise GraphError("A node needs an id.", params=f"{path}.id")
    return NodeSpec(id=item["id"], type=str(data["type"]), title=str(data.get("title") or ""), data=data)


def _parse_edge(item: Any) -> Edge | None:
    if not isinstance(item, Mapping):
        return None
    source, target = item.get("source"), item.get("target")
    if not isinstance(source, str) or not isinstance(target, str):
        return None
    return Edge(source=source, target=target, source_handle=str(item.get("sourceHandle") or SOURCE))


def _node_type(spec: NodeSpec, types: NodeTypes) -> type[Node[Any]]:
    try:
        return types.get(spec.type)
    except UnknownEntry as error:
        raise GraphError(f"Node {spec.id!r}: {error}", params=f"nodes.{spec.id}.type") from error


def _node_data(spec: NodeSpec, kind: type[Node[Any]]) -> Any:
    if isinstance(spec.data, kind.schema):
        return spec.data
    try:
        return msgspec.convert(spec.data or {}, kind.schema, strict=False)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        field = path.rstrip("`")
        told = f"Node {spec.id!r}, {field.lstrip('.') or 'data'}: {reason}."
        raise GraphError(told, params=f"nodes.{spec.id}.data{field}") from error
