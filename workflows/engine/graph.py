"""A graph of nodes and edges, parsed from DSL shapes or built in code, and bound to the node types that will run it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

import msgspec

from difyproj.kernel import structs
from difyproj.kernel.registry import Registry, UnknownEntry

from . import parsing, policies
from .node import Node
from .policies import Policy
from .spec import FAIL_BRANCH, SOURCE, Edge, GraphError, NodeSpec
from .template import Template

__all__ = ["SOURCE", "BoundGraph", "Edge", "Graph", "GraphError", "NodeSpec", "NodeTypes", "parse"]

NodeTypes = Registry[type[Node[Any]]]

DEEPEST: Final = 8


class Graph:
    """Nodes by id and edges between them, on one level; ``inside`` holds the graphs of its containers by the container's id.

    Immutable once made; one graph may serve many runs at once.
    """

    def __init__(self, nodes: Iterable[NodeSpec], edges: Iterable[Edge] = (), *, level: str = "", depth: int = 0) -> None:
        """Raises GraphError for a node id given twice, an edge to nowhere or out of a container, a circle, and containers
        that are nested too deep or stand in themselves."""
        given, lines = list(nodes), tuple(edges)
        self.nodes: dict[str, NodeSpec] = {spec.id: spec for spec in given if spec.parent == level}
        self.edges = lines
        self.inside: Mapping[str, Graph] = {}
        if depth == 0:
            self._divide(given, lines)
        self.outgoing: dict[str, list[int]] = {name: [] for name in self.nodes}
        self.incoming: dict[str, list[int]] = {name: [] for name in self.nodes}
        for index, edge in enumerate(self.edges):
            self.outgoing[edge.source].append(index)
            self.incoming[edge.target].append(index)
        self.order: tuple[str, ...] = self._ordered()

    def _ordered(self) -> tuple[str, ...]:
        """The nodes, each behind those with an edge to it. Raises GraphError, naming a circle, when there is no such order."""
        left = {name: len(edges) for name, edges in self.incoming.items()}
        order = [name for name, count in left.items() if not count]
        for name in order:
            for index in self.outgoing[name]:
                target = self.edges[index].target
                left[target] -= 1
                if not left[target]:
                    order.append(target)
        if len(order) < len(self.nodes):
            try:
                TopologicalSorter({name: self.sources(name) for name in self.nodes}).prepare()
            except CycleError as error:
                raise GraphError(f"The edges run in a circle: {' -> '.join(error.args[1])}.", params="edges") from error
        return tuple(order)

    def _divide(self, specs: Sequence[NodeSpec], edges: Sequence[Edge]) -> None:
        """Check what belongs to no single level, and give each container its own graph."""
        parents: dict[str, str] = {}
        for spec in specs:
            if spec.id in parents:
                raise GraphError(f"Two nodes have the id {spec.id!r}.", params=f"nodes.{spec.id}.id")
            parents[spec.id] = spec.parent
        levels: dict[str, list[Edge]] = {}
        for index, edge in enumerate(edges):
            for end, field in ((edge.source, "source"), (edge.target, "target")):
                if end not in parents:
                    raise GraphError(f"Edge {index} has the unknown {field} {end!r}.", params=f"edges.{index}.{field}")
            if parents[edge.source] != parents[edge.target]:
                told = f"Edge {index} from {edge.source!r} to {edge.target!r} crosses the border of a container."
                raise GraphError(told, params=f"edges.{index}")
            levels.setdefault(parents[edge.source], []).append(edge)
        if any(parents.values()):
            self._nest(specs, parents, levels)

    def _nest(self, specs: Sequence[NodeSpec], parents: Mapping[str, str], levels: Mapping[str, Sequence[Edge]]) -> None:
        members: dict[str, list[NodeSpec]] = {}
        for spec in specs:
            if spec.parent:
                members.setdefault(spec.parent, []).append(spec)
        depths = {name: _depth(name, parents) for name in members}
        made: dict[str, Graph] = {}
        for name in sorted(members, key=lambda each: -depths[each]):
            made[name] = Graph(members[name], levels.get(name, ()), level=name, depth=depths[name])
            made[name].inside = {inner: made[inner] for inner in made[name].nodes if inner in made}
        self.edges = tuple(levels.get("", ()))
        self.inside = {name: made[name] for name in self.nodes if name in made}

    def sources(self, node_id: str) -> list[str]:
        """Ids of the nodes with an edge to ``node_id``."""
        return [self.edges[index].source for index in self.incoming[node_id]]

    def every(self) -> Iterator[NodeSpec]:
        """All nodes, those inside containers included."""
        yield from self.nodes.values()
        for graph in self.inside.values():
            yield from graph.every()

    def only(self, node_id: str) -> Graph:
        """The graph of one node of this level with all that is inside it, to run it alone."""
        single = Graph([self.nodes[node_id]], level=self.nodes[node_id].parent, depth=1)
        single.inside = {node_id: self.inside[node_id]} if node_id in self.inside else {}
        return single

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
    """A graph with each node's class, parsed data and policy, and which nodes answer the user; containers likewise.

    ``branches`` are the nodes after which not every way is taken: those that choose, and those whose failure has its own way.
    ``writes`` tells which variables, by scope and name, a node may assign to; a container does what the nodes inside it do.
    ``repliers`` are the nodes, at any depth, whose text is the run's answer.
    """

    def __init__(self, graph: Graph, types: NodeTypes, *, entry: str = "", inside: NodeSpec | None = None) -> None:
        """``entry`` is where runs begin, any node without edges before it; if empty, the graph must say so itself.
        ``inside`` is the container that holds the graph. Raises GraphError when a type is unknown, a node's data does not fit,
        or there is nothing to begin with."""
        self.graph = graph
        self.classes: dict[str, type[Node[Any]]] = {}
        self.data: dict[str, Any] = {}
        self.policies: dict[str, Policy] = {}
        self.answers: dict[str, Template] = {}
        self.inside: dict[str, BoundGraph] = {}
        self.branches: set[str] = set(graph.branches)
        self.writes: dict[str, frozenset[tuple[str, str]]] = {}
        self.repliers: set[str] = set()
        for spec in graph.nodes.values():
            self._bind(spec, types)
        self.roots = self._find_roots(inside)
        self._chosen = self._checked(entry) if entry else ""
        if not self.roots and not entry:
            raise self._unclear("nodes" if inside is None else f"nodes.{inside.id}.data.start_node_id")
        if inside is not None and len(self.roots) > 1:
            raise self._unclear(f"nodes.{inside.id}.data.start_node_id")

    def _bind(self, spec: NodeSpec, types: NodeTypes) -> None:
        kind = self.classes[spec.id] = _node_type(spec, types)
        data = self.data[spec.id] = _node_data(spec, kind)
        policy = policies.read(spec, kind)
        if policy is not policies.NONE:
            self.policies[spec.id] = policy
            if policy.strategy == FAIL_BRANCH:
                self.branches.add(spec.id)
        if kind.replies:
            self.repliers.add(spec.id)
        targets = frozenset((target[0], target[1]) for target in kind.writes(data) if len(target) > 1)
        if targets:
            self.writes[spec.id] = targets
        template = kind.answer(data)
        if template is not None:
            self.answers[spec.id] = template
        if bool(kind.container) != (spec.id in self.graph.inside):
            told = f"has no nodes inside, a {kind.container} needs them" if kind.container else "can hold no other nodes"
            raise GraphError(f"Node {spec.id!r} {told}.", params=f"nodes.{spec.id}")
        if kind.container:
            self._bind_inside(spec, types)

    def _find_roots(self, inside: NodeSpec | None) -> tuple[str, ...]:
        """Where a run may begin. Containers of old versions have no start of their own and name their first node."""
        free = [name for name in self.classes if not self.graph.incoming[name]]
        named = inside.data.get("start_node_id") if inside is not None and isinstance(inside.data, Mapping) else None
        if named in free:
            return (named,)
        starts = tuple(name for name in free if self.classes[name].entry)
        return starts or (tuple(free) if inside is not None and len(free) == 1 else ())

    def _bind_inside(self, spec: NodeSpec, types: NodeTypes) -> None:
        inner = self.inside[spec.id] = BoundGraph(self.graph.inside[spec.id], types, inside=spec)
        self.repliers |= inner.repliers
        if inner.answers:
            self.answers[spec.id] = Template(((spec.id,),))
        if inner.writes:
            self.writes[spec.id] = frozenset().union(*inner.writes.values())

    @property
    def entry(self) -> str:
        """Where a run begins: the chosen node, else the only one that can. Raises GraphError when there are several."""
        if self._chosen:
            return self._chosen
        if len(self.roots) > 1:
            raise self._unclear("nodes")
        return self.roots[0]

    def _unclear(self, path: str) -> GraphError:
        told = ", ".join(self.roots) or "none"
        return GraphError(f"A graph needs exactly one node to begin with; found {told}.", params=path)

    def at(self, node_id: str) -> BoundGraph:
        """The same graph, to be run from ``node_id``. Raises GraphError when that is not a node without edges before it."""
        chosen = copy.copy(self)
        chosen._chosen = self._checked(node_id)
        return chosen

    def _checked(self, entry: str) -> str:
        if self.graph.incoming.get(entry, [0]):
            raise GraphError(f"A run cannot begin at {entry!r}.", params="entry")
        return entry

    @cached_property
    def places(self) -> Mapping[str, int]:
        """For each node one bit, so that sets of nodes are numbers."""
        return {name: 1 << place for place, name in enumerate(self.graph.order)}

    @cached_property
    def gates(self) -> Mapping[str, tuple[int, int]]:
        """For each node that answers: the nodes that must be decided before its text may be shown, and the answers before it.

        The first are branches before it, since it may still be avoided, and nodes before it that assign what it shows.
        """
        if len(self.answers) < 2 and not self.branches and not self.writes:
            return dict.fromkeys(self.answers, (0, 0))
        places = self.places
        writers: dict[tuple[str, ...], int] = {}
        for name, targets in self.writes.items():
            for target in targets:
                writers[target] = writers.get(target, 0) | places[name]
        branches, answers, writing = (
            sum(places[name] for name in names) for names in (self.branches, self.answers, self.writes)
        )
        before = self._before(branches | answers | writing)
        gates = {}
        for name, template in self.answers.items():
            counted = branches
            for selector in template.selectors:
                counted |= writers.get(selector[:2], 0)
            gates[name] = (before[name] & counted, before[name] & answers)
        return gates

    def _before(self, marked: int) -> dict[str, int]:
        """Those of the marked nodes from which each node can be reached."""
        before: dict[str, int] = {}
        for name in self.graph.order:
            mask = 0
            for source in self.graph.sources(name):
                mask |= before[source] | (self.places[source] & marked)
            before[name] = mask
        return before


def parse(raw: Any) -> Graph:
    """The graph of a DSL-like mapping ``{nodes: [{id, data: {type, title, ...}}], edges: [{source, target, sourceHandle}]}``.

    Notes (nodes without a type) and edges whose ends are not text are left out, as exported files hold them.
    Raises GraphError naming the path of what is wrong.
    """
    return Graph(*parsing.read(raw))


def _depth(name: str, parents: Mapping[str, str]) -> int:
    """How many containers a node inside ``name`` stands in. Raises GraphError for too many, and for a circle."""
    depth, step = 0, name
    while step:
        depth += 1
        if depth > DEEPEST:
            raise GraphError(f"Node {name!r}: containers are nested deeper than {DEEPEST} levels.", params=f"nodes.{name}")
        if step not in parents:
            raise GraphError(f"A node is inside the unknown node {step!r}.", params=f"nodes.{step}")
        step = parents[step]
    return depth


def _node_type(spec: NodeSpec, types: NodeTypes) -> type[Node[Any]]:
    try:
        return types.get(spec.type)
    except UnknownEntry as error:
        raise GraphError(f"Node {spec.id!r}: {error}", params=f"nodes.{spec.id}.type") from error


def _node_data(spec: NodeSpec, kind: type[Node[Any]]) -> Any:
    if isinstance(spec.data, kind.schema):
        return spec.data
    try:
        return structs.convert(spec.data or {}, kind.schema, strict=False)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        field = path.rstrip("`")
        told = f"Node {spec.id!r}, {field.lstrip('.') or 'data'}: {reason}."
        raise GraphError(told, params=f"nodes.{spec.id}.data{field}") from error
