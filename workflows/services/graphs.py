"""The raw graph of a workflow: its shape and size, what it begins as, its fingerprint, and whether it can run."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec

from accounts.services import data_keys
from difyproj.kernel.errors import InvalidParam
from workflows.engine.graph import BoundGraph, parse
from workflows.models import Workflow
from workflows.nodes import NODES

from . import sealing

MOST_NODES: Final = 2_000
MOST_EDGES: Final = 10_000
LARGEST: Final = 5 * 1024 * 1024
DEEPEST: Final = 60
LONGEST_ID: Final = 255
LARGEST_NUMBER: Final = 2**63 - 1

_ordered: Final = msgspec.json.Encoder(order="deterministic").encode


def checked(raw: Any) -> dict[str, Any]:
    """A draft's graph as it is kept: an object with lists of nodes and edges, finished or not. Raises InvalidParam."""
    if not isinstance(raw, Mapping):
        raise InvalidParam("The graph must be an object.", params="graph")
    graph = {"nodes": [], "edges": [], **cleaned(raw, "graph")}
    for field, most in (("nodes", MOST_NODES), ("edges", MOST_EDGES)):
        rows = graph[field]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise InvalidParam(f"{field} must be a list of objects.", params=f"graph.{field}")
        if len(rows) > most:
            raise InvalidParam(f"A graph has at most {most} {field}.", params=f"graph.{field}")
    for index, node in enumerate(graph["nodes"]):
        if len(str(node.get("id", ""))) > LONGEST_ID:
            raise InvalidParam(f"The id of a node has at most {LONGEST_ID} characters.", params=f"graph.nodes.{index}.id")
    return graph


def cleaned(raw: Mapping[str, Any], field: str) -> dict[str, Any]:
    """An object without NUL characters, which not every database keeps. Raises InvalidParam for one too deep or too large."""
    made: dict[str, Any] = _cleaned(raw, field, 0)
    if len(_ordered(made)) > LARGEST:
        raise InvalidParam(f"{field} is larger than {LARGEST} bytes.", params=field)
    return made


def bind(raw: Any) -> BoundGraph:
    """The graph as the engine runs it. Raises GraphError, an InvalidParam that names node and field."""
    return BoundGraph(parse(raw), NODES)


def fingerprint(row: Workflow) -> str:
    """A text that is another one after each change of what the row holds; of secrets it tells nothing."""
    parts = [row.graph, row.features, row.environment_variables, row.conversation_variables]
    if row.sealed:
        parts.append(hmac.digest(data_keys.open_key(row.tenant), _ordered(sealing.unseal(row)), "sha256").hex())
    return hashlib.sha256(_ordered(parts)).hexdigest()


def first(mode: str, model: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What a new app of this mode begins with: only a start, and for chatflows a model that answers."""
    if mode != "advanced-chat":
        return drawn([("start", {"type": "start", "title": "Start", "variables": []})])
    llm = {
        "type": "llm",
        "title": "LLM",
        "model": {"provider": "", "name": "", "mode": "chat", "completion_params": {"temperature": 0.7}, **(model or {})},
        "prompt_template": [{"role": "system", "text": ""}],
        "memory": {"window": {"enabled": False, "size": 10}, "query_prompt_template": "{{#sys.query#}}\n\n{{#sys.files#}}"},
        "context": {"enabled": False, "variable_selector": []},
        "vision": {"enabled": False},
    }
    return drawn(
        [
            ("start", {"type": "start", "title": "Start", "variables": []}),
            ("llm", llm),
            ("answer", {"type": "answer", "title": "Answer", "answer": "{{#llm.text#}}", "variables": []}),
        ]
    )


def drawn(nodes: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """The nodes in a row, each with an edge to the next."""
    placed = [
        {"id": name, "type": "custom", "position": {"x": 80 + 300 * index, "y": 280}, "data": dict(data)}
        for index, (name, data) in enumerate(nodes)
    ]
    names = [name for name, _ in nodes]
    edges = [
        {
            "id": f"{source}-{target}", "type": "custom", "source": source, "sourceHandle": "source",
            "target": target, "targetHandle": "target",
        }
        for source, target in pairwise(names)
    ]  # fmt: skip
    return {"nodes": placed, "edges": edges, "viewport": {"x": 0, "y": 0, "zoom": 1}}


def _cleaned(value: Any, field: str, depth: int) -> Any:
    if depth > DEEPEST:
        raise InvalidParam(f"{field} is nested deeper than {DEEPEST} levels.", params=field)
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, Mapping):
        return {str(name).replace("\0", ""): _cleaned(item, field, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item, field, depth + 1) for item in value]
    if isinstance(value, int | float) and not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        raise InvalidParam(f"{field} holds a number that is too large.", params=field)
    return value
