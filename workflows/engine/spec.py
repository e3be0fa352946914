"""What a graph is made of: nodes as they are written down, edges, and the error that names what is wrong with them."""

from __future__ import annotations

from typing import Any

import msgspec

from difyproj.kernel.errors import InvalidParam

SOURCE = "source"
FAIL_BRANCH, SUCCESS_BRANCH = "fail-branch", "success-branch"


class GraphError(InvalidParam):
    """The graph is not valid; ``params`` is the path of the offending field, such as ``nodes.llm.data.model``."""


class Edge(msgspec.Struct, frozen=True):
    source: str
    target: str
    source_handle: str = SOURCE


class NodeSpec(msgspec.Struct, frozen=True):
    """A node of the graph. ``data`` is raw (a mapping) or of the type's schema; ``parent`` is the container around it."""

    id: str
    type: str
    title: str = ""
    data: Any = None
    parent: str = ""
