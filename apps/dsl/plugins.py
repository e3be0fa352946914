"""The plug-ins of a file: the rows of its ``dependencies``, and those that its nodes name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from .document import Document
from .needs import Kind, needs_of

_IDENTIFIERS: Final = ("marketplace_plugin_unique_identifier", "plugin_unique_identifier", "github_plugin_unique_identifier")
_BUILT_IN: Final = "builtin"


def dependencies(document: Document) -> list[Any]:
    """The rows of the file as they were, and one for each plug-in of which a node knows the exact version beside them.

    Dify installs by that version: a row without it would promise more than it holds.
    """
    rows = list(document.leftovers.dependencies or ())
    named = {plugin_of_row(row) for row in rows}
    for identifier in _identifiers(document):
        if plugin_of(identifier) not in named:
            named.add(plugin_of(identifier))
            rows.append(_row(identifier))
    return rows


def required(document: Document) -> list[Any]:
    """What must be installed for the app, where plug-ins are: its rows, or what its nodes say when it has none."""
    rows = dependencies(document)
    if document.leftovers.dependencies:
        return rows
    named = {plugin_of_row(row) for row in rows}
    found = dict.fromkeys(plugin_of(need.name) for need in needs_of(document) if _is_of_plugin(need.kind, need.family))
    return rows + [_row(plugin) for plugin in found if plugin and plugin not in named]


def plugin_of(name: str) -> str:
    """``org/plugin`` of ``org/plugin/provider`` or ``org/plugin:version@checksum``; empty for the short names of old files."""
    parts = name.partition(":")[0].strip().split("/")
    return "/".join(parts[:2]) if len(parts) in (2, 3) and all(parts) else ""


def plugin_of_row(row: Any) -> str:
    value = row.get("value") if isinstance(row, Mapping) else None
    if not isinstance(value, Mapping):
        return ""
    return next((plugin_of(str(value[name])) for name in _IDENTIFIERS if value.get(name)), "")


def _is_of_plugin(kind: Kind, family: str) -> bool:
    return kind in (Kind.MODEL, Kind.STRATEGY) or (kind == Kind.TOOL and family in (_BUILT_IN, "plugin"))


def _row(identifier: str) -> dict[str, Any]:
    return {"current_identifier": None, "type": "marketplace", "value": {_IDENTIFIERS[0]: identifier}}


def _identifiers(document: Document) -> Iterator[str]:
    nodes: Sequence[Any] = document.flow.graph.get("nodes", ()) if document.flow is not None else ()
    for node in nodes:
        data = node.get("data")
        identifier = data.get("plugin_unique_identifier") if isinstance(data, Mapping) else None
        if isinstance(identifier, str) and ":" in identifier and plugin_of(identifier):
            yield identifier
