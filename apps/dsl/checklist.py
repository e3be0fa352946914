"""What an import changes in the workflow of a file: what was chosen in an editor goes, variables get ids of this house."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid5

from difyproj.kernel import ids

from .errors import DslError

CHOSEN: Final = "selected"
_NAMESPACE: Final = UUID("6a1f3a1e-6d0c-4f0e-9d53-0d8d6f8a5b11")


def graph(raw: Any) -> dict[str, Any]:
    """The graph with all its keys, nodes of unknown types and notes too; none is an empty one. Raises DslError unless nodes and
    edges are lists."""
    raw = {} if raw is None else raw
    if not isinstance(raw, Mapping):
        raise DslError("workflow.graph must be a mapping", params="workflow.graph")
    kept = dict(raw)
    for name in ("nodes", "edges"):
        kept[name] = [_unchosen(row, f"workflow.graph.{name}.{index}") for index, row in enumerate(_rows(raw, name))]
    return kept


def variables(section: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The section's variables, each with a UUID of its own; a new one is the same at every import of the same file."""
    found: dict[str, dict[str, Any]] = {}
    for index, row in enumerate(_rows(section, name, "workflow")):
        path = f"workflow.{name}.{index}"
        if not isinstance(row, Mapping):
            raise DslError(f"{path} must be a mapping", params=path)
        if not isinstance(row.get("name"), str) or not row["name"]:
            raise DslError(f"{path}.name is missing", params=f"{path}.name")
        key = ids.parse(row.get("id")) or uuid5(_NAMESPACE, f"{name} {row['name']}")
        if str(key) in found:
            key = uuid5(_NAMESPACE, f"{name} {row['name']} {index}")
        found[str(key)] = {**row, "id": str(key)}
    return list(found.values())


def _rows(section: Mapping[str, Any], name: str, path: str = "workflow.graph") -> Sequence[Any]:
    rows = section.get(name)
    if rows is None:
        return ()
    if not isinstance(rows, list):
        raise DslError(f"{path}.{name} must be a list", params=f"{path}.{name}")
    return rows


def _unchosen(row: Any, path: str) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise DslError(f"{path} must be a mapping", params=path)
    kept = {name: value for name, value in row.items() if name != CHOSEN}
    data = kept.get("data")
    if isinstance(data, Mapping):
        kept["data"] = {name: value for name, value in data.items() if name != CHOSEN}
    return kept
