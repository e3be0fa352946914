"""What differs between two documents, in the words of people who draw graphs: nodes, edges, prompts, variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import unified_diff
from enum import StrEnum
from typing import Any, Final

from .document import Document, Flow

LAYOUT: Final = frozenset(
    {"position", "positionAbsolute", "width", "height", "sourcePosition", "targetPosition", "zIndex", "dragging", "selected"}
)
_NAMES: Final = ("id", "case_id", "variable", "name", "key")
_ABSENT: Final = object()
_SHORT: Final = 60


class How(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Change:
    """``what`` is ``node``, ``edge``, ``app``, ``model_config``, ``features``, a list of variables or ``file``; ``name`` which
    one, ``field`` the path inside of it. Texts of more than a line come as the lines of a unified diff."""

    how: How
    what: str
    name: str = ""
    field: str = ""
    before: str = ""
    after: str = ""
    lines: tuple[str, ...] = ()


def difference(old: Document, new: Document) -> list[Change]:
    """Every change that leads from ``old`` to ``new``; versions of the DSL and dependencies are none."""
    changes = list(_fields("app", "", asdict(old.app), asdict(new.app)))
    changes += _fields("model_config", "", old.config or {}, new.config or {})
    before, after = old.flow or Flow({}), new.flow or Flow({})
    changes += _nodes(_by_id(before.graph), _by_id(after.graph))
    changes += _edges(before.graph.get("edges", ()), after.graph.get("edges", ()))
    for name in ("environment_variables", "conversation_variables"):
        changes += _variables(name, getattr(before, name), getattr(after, name))
    changes += _fields("features", "", before.features, after.features)
    for part in ("file", "app", "workflow"):
        changes += _fields("file", part, getattr(old.leftovers, part), getattr(new.leftovers, part))
    return changes


def told(change: Change) -> Iterator[str]:
    """The change in lines for a terminal."""
    sign = {How.ADDED: "+", How.REMOVED: "-"}.get(change.how, "~")
    subject = f"{sign} {change.what} {change.name}".rstrip()
    if change.how == How.MOVED:
        yield f"{subject} was moved"
    elif not change.field:
        yield subject
    elif change.lines:
        yield f"{subject}: {change.field}"
        yield from (f"    {line}" for line in change.lines)
    else:
        yield f"{subject}: {change.field} {change.before or '(nothing)'} -> {change.after or '(nothing)'}"


def _by_id(graph: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(node.get("id")): node for node in graph.get("nodes", ())}


def _nodes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for key in [*old, *(key for key in new if key not in old)]:
        if key not in new:
            yield Change(How.REMOVED, "node", _called(key, old[key]))
        elif key not in old:
            yield Change(How.ADDED, "node", _called(key, new[key]))
        else:
            name, before, after = _called(key, new[key]), _drawn(old[key]), _drawn(new[key])
            yield from _fields("node", name, before.pop("data", {}), after.pop("data", {}))
            yield from _fields("node", name, before, after)
            if any(old[key].get(field) != new[key].get(field) for field in ("position", "width", "height")):
                yield Change(How.MOVED, "node", name)


def _drawn(node: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name not in LAYOUT}


def _called(key: str, node: Mapping[str, Any]) -> str:
    data = node.get("data")
    title, kind = (data.get("title"), data.get("type")) if isinstance(data, Mapping) else ("", "")
    return f"{key} {title!r} ({kind or 'note'})" if title else f"{key} ({kind or 'note'})"


def _edges(old: Sequence[Any], new: Sequence[Any]) -> Iterator[Change]:
    before, after = [dict.fromkeys(map(_way, edges)) for edges in (old, new)]
    yield from (Change(How.REMOVED, "edge", way) for way in before if way not in after)
    yield from (Change(How.ADDED, "edge", way) for way in after if way not in before)


def _way(edge: Mapping[str, Any]) -> str:
    handle = edge.get("sourceHandle")
    return f"{edge.get('source')}{'' if handle in (None, 'source') else f'[{handle}]'} -> {edge.get('target')}"


def _variables(what: str, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    before, after = [{str(row["name"]): row for row in rows} for rows in (old, new)]
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after or name not in before:
            yield Change(How.REMOVED if name in before else How.ADDED, what, name)
        else:
            yield from _fields(what, name, before[name], after[name])


def _fields(what: str, name: str, old: Any, new: Any, path: str = "") -> Iterator[Change]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            below = f"{path}.{key}" if path else str(key)
            yield from _fields(what, name, old.get(key, _ABSENT), new.get(key, _ABSENT), below)
    elif isinstance(old, list) and isinstance(new, list) and old != new:
        before, after = _keyed(old, new), _keyed(new, old)
        yield from _fields(what, name, before, after, path)
        if [key for key in before if key in after] != [key for key in after if key in before]:
            yield Change(How.CHANGED, what, name, path, ", ".join(before), ", ".join(after))
    elif type(old) is not type(new) or old != new:
        yield _change(what, name, path, old, new)


def _keyed(rows: list[Any], others: list[Any]) -> dict[str, Any]:
    """Rows by what names them in both lists, else by their place."""
    for field in _NAMES:
        names = [[row.get(field) for row in side if isinstance(row, Mapping)] for side in (rows, others)]
        if all(
            len(set(map(str, found))) == len(side) and None not in found
            for found, side in zip(names, (rows, others), strict=True)
        ):
            return dict(zip(map(str, names[0]), rows, strict=True))
    return {str(index): row for index, row in enumerate(rows)}


def _change(what: str, name: str, path: str, old: Any, new: Any) -> Change:
    is_long = any(isinstance(side, str) and ("\n" in side or len(side) > _SHORT) for side in (old, new))
    if is_long and isinstance(old, str) and isinstance(new, str):
        lines = list(unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=2))[2:]
        return Change(How.CHANGED, what, name, path, lines=tuple(lines or ["(only the ends of lines differ)"]))
    return Change(How.CHANGED, what, name, path, _shown(old), _shown(new))


def _shown(value: Any) -> str:
    text = "" if value is _ABSENT else repr(value)
    return text if len(text) <= 2 * _SHORT else f"{text[: 2 * _SHORT]}…"
