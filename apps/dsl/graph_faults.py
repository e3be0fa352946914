"""What is wrong in a graph, all of it: nodes that cannot be told apart or read, edges to nowhere, references to nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from difyproj.kernel.errors import InvalidParam
from workflows.engine.graph import BoundGraph, parse
from workflows.nodes import NODES

from .document import Flow
from .findings import Finding, Level

GRAPH: Final = "workflow.graph"
_NAME: Final = r"\.([a-zA-Z_][a-zA-Z0-9_]{0,29})"
_REFERENCE: Final = re.compile(r"\{\{#([a-zA-Z0-9_]{1,50})" + _NAME + r"(?:" + _NAME + r"){0,9}#\}\}")
_SCOPES: Final = frozenset({"sys", "env", "conversation", "rag"})


def faults(flow: Flow) -> list[Finding]:
    nodes = [node for node in flow.graph.get("nodes", ()) if _is_node(node)]
    names = frozenset(str(node.get("id")) for node in nodes)
    declared = _Declared(names, flow)
    found = [*_of_ids(nodes), *_of_edges(flow.graph.get("edges", ()), names)]
    for node in nodes:
        found += _of_node(node, names)
        found += _of_references(node, declared)
    return found if any(finding.level == Level.ERROR for finding in found) else [*found, *_unbound(flow)]


class _Declared:
    """What a reference may lead to: a node, a variable that is declared, or what only a run knows."""

    def __init__(self, names: frozenset[str], flow: Flow) -> None:
        self._scopes = names | _SCOPES
        self._variables = {
            "env": {str(row["name"]) for row in flow.environment_variables},
            "conversation": {str(row["name"]) for row in flow.conversation_variables},
        }

    def fault(self, scope: str, name: str) -> str:
        if scope not in self._scopes:
            return f"{scope}.{name} refers to a node that is not there."
        known = self._variables.get(scope)
        return "" if known is None or name in known else f"{scope}.{name} is declared nowhere."


def _is_node(node: Mapping[str, Any]) -> bool:
    data = node.get("data")
    is_note = node.get("type") == "custom-note" or (isinstance(data, Mapping) and not data.get("type"))
    return not is_note


def _of_ids(nodes: list[Any]) -> Iterator[Finding]:
    for name, count in Counter(str(node.get("id") or "") for node in nodes).items():
        if not name:
            yield Finding(Level.ERROR, GRAPH, f"{count} nodes have no id.", field="nodes")
        elif count > 1:
            yield Finding(Level.ERROR, name, f"{count} nodes have the id {name!r}.", field="id")


def _of_edges(edges: Any, names: frozenset[str]) -> Iterator[Finding]:
    for index, edge in enumerate(edges):
        ends = {end: edge.get(end) for end in ("source", "target")}
        for end, name in ends.items() if all(isinstance(name, str) for name in ends.values()) else ():
            if name not in names:
                told = (
                    f"The edge leads to the unknown node {name!r}."
                    if end == "target"
                    else f"The edge begins at nothing: {name!r}."
                )
                yield Finding(Level.ERROR, GRAPH, told, field=f"edges.{index}.{end}")


def _of_node(node: Mapping[str, Any], names: frozenset[str]) -> Iterator[Finding]:
    data, place = node.get("data"), str(node.get("id"))
    if not isinstance(data, Mapping):
        yield Finding(Level.ERROR, place, "The node has no data.", field="data")
        return
    title = str(data.get("title") or "")
    for field in ("iteration_id", "loop_id"):
        if data.get(field) and str(data[field]) not in names:
            yield Finding(Level.ERROR, place, f"The node stands in the unknown container {data[field]!r}.", title, field)
    kind = str(data["type"])
    if kind in NODES:
        try:
            msgspec.convert(data, NODES.get(kind).schema, strict=False)
        except msgspec.ValidationError as error:
            reason, _, path = str(error).partition(" - at `$")
            yield Finding(Level.ERROR, place, f"{reason}.", title, path.rstrip("`").lstrip("."))


def _of_references(node: Mapping[str, Any], declared: _Declared) -> Iterator[Finding]:
    data = node.get("data")
    title = str(data.get("title") or "") if isinstance(data, Mapping) else ""
    for scope, name in dict.fromkeys(_references(data)):
        if fault := declared.fault(scope, name):
            yield Finding(Level.WARNING, str(node.get("id")), fault, title)


def _references(value: Any) -> Iterator[tuple[str, str]]:
    """Those of templates and of selectors, which are lists below a name that says so."""
    if isinstance(value, str):
        yield from ((match[1], match[2]) for match in _REFERENCE.finditer(value))
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if str(name).endswith("selector") and isinstance(item, list) and len(item) > 1:
                if all(isinstance(step, str) and step for step in item):
                    yield item[0], item[1]
            else:
                yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _unbound(flow: Flow) -> Iterator[Finding]:
    """What the engine says of a graph whose nodes are all of known types."""
    kinds = {str(node["data"]["type"]) for node in flow.graph.get("nodes", ()) if _is_node(node)}
    if not all(kind in NODES for kind in kinds):
        return
    try:
        BoundGraph(parse(flow.graph), NODES)
    except InvalidParam as error:
        yield Finding(Level.ERROR, GRAPH, error.message, field=error.params or "")
