"""Reads graphs as exported files hold them: canvas notes, edges to nowhere and the selectors of old versions included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from .spec import SOURCE, Edge, GraphError, NodeSpec

_DEEPEST: Final = 60
# What the start node of a chatflow gave out before ``sys`` had a name of its own.
_ASKED: Final = frozenset({"query", "files"})


def read(raw: Any) -> tuple[list[NodeSpec], list[Edge]]:
    """Nodes and edges of ``{nodes: [{id, data: {type, title, ...}}], edges: [{source, target, sourceHandle}]}``.

    Notes (nodes without a type) and edges whose ends are not text are left out. Raises GraphError naming the path of what
    is wrong.
    """
    if not isinstance(raw, Mapping):
        raise GraphError("The graph must be an object.", params="graph")
    items = [(index, item) for index, item in enumerate(_rows(raw, "nodes"))]
    known = {item["id"] for _, item in items if isinstance(item, Mapping) and isinstance(item.get("id"), str)}
    nodes = [spec for index, item in items if (spec := _node(index, item, known)) is not None]
    starts = {spec.id: _declared(spec.data) for spec in nodes if spec.type == "start"}
    return [_modern(spec, starts) for spec in nodes], [
        edge for item in _rows(raw, "edges") if (edge := _edge(item)) is not None
    ]


def _rows(raw: Mapping[str, Any], field: str) -> Sequence[Any]:
    rows = raw.get(field) or []
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise GraphError(f"{field} must be a list.", params=field)
    return rows


def _node(index: int, item: Any, known: set[str]) -> NodeSpec | None:
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
    name = item.get("id")
    if not isinstance(name, str) or not name:
        raise GraphError("A node needs an id.", params=f"{path}.id")
    parent = _parent(name, item, data, known)
    return NodeSpec(id=name, type=str(data["type"]), title=str(data.get("title") or ""), data=data, parent=parent)


def _parent(name: str, item: Mapping[str, Any], data: Mapping[str, Any], known: set[str]) -> str:
    """The container of a node; one that only the canvas knows (``parentId``) counts as long as it exists."""
    stated = [(field, data.get(field)) for field in ("iteration_id", "loop_id") if data.get(field)]
    for _, value in (*stated, ("parentId", item.get("parentId"))):
        if isinstance(value, str) and value in known and value != name:
            return value
    for field, value in stated:
        raise GraphError(f"Node {name!r} is inside the unknown node {value!r}.", params=f"nodes.{name}.data.{field}")
    return ""


def _edge(item: Any) -> Edge | None:
    if not isinstance(item, Mapping):
        return None
    source, target = item.get("source"), item.get("target")
    if not isinstance(source, str) or not isinstance(target, str):
        return None
    return Edge(source=source, target=target, source_handle=str(item.get("sourceHandle") or SOURCE))


def _declared(data: Mapping[str, Any]) -> frozenset[str]:
    rows = data.get("variables")
    names = (row.get("variable") for row in (rows if isinstance(rows, list) else ()) if isinstance(row, Mapping))
    return frozenset(name for name in names if isinstance(name, str))


def _modern(spec: NodeSpec, starts: Mapping[str, frozenset[str]]) -> NodeSpec:
    data = _rewritten(spec.data, starts, _DEEPEST) if starts else spec.data
    return spec if data is spec.data else NodeSpec(spec.id, spec.type, spec.title, data, spec.parent)


def _rewritten(value: Any, starts: Mapping[str, frozenset[str]], depth: int) -> Any:
    """``value`` with ``[start, "sys.query"]`` and ``{{#start.sys.query#}}`` as they are written today; the same object if
    there are none."""
    if isinstance(value, str):
        return _text(value, starts) if "{{#" in value else value
    if depth == 0:
        return value
    if isinstance(value, Mapping):
        return _changed(value, {name: _rewritten(item, starts, depth - 1) for name, item in value.items()})
    if isinstance(value, list | tuple):
        if len(value) > 1 and isinstance(value[0], str) and value[0] in starts and isinstance(value[1], str):
            return _selector(value, starts[value[0]])
        made = [_rewritten(item, starts, depth - 1) for item in value]
        return value if all(new is old for new, old in zip(made, value, strict=True)) else made
    return value


def _changed(before: Mapping[str, Any], after: dict[str, Any]) -> Mapping[str, Any]:
    return before if all(after[name] is item for name, item in before.items()) else after


def _selector(value: Sequence[Any], declared: frozenset[str]) -> Sequence[Any]:
    name = value[1]
    if name in declared:
        return value
    if name.startswith("sys."):
        return ["sys", name[4:], *value[2:]]
    return ["sys", *value[1:]] if name in _ASKED else value


def _text(value: str, starts: Mapping[str, frozenset[str]]) -> str:
    for old, new in _old_references(starts):
        if old in value:
            value = value.replace(old, new)
    return value


def _old_references(starts: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, str]]:
    for name, declared in starts.items():
        yield f"{{{{#{name}.sys.", "{{#sys."
        for asked in _ASKED - declared:
            yield f"{{{{#{name}.{asked}#}}}}", f"{{{{#sys.{asked}#}}}}"
