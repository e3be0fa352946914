"""Runs one node over a pool, for the tests of node types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from difyproj.testing.fakes import scripted
from workflows.engine.node import Done, NodeContext
from workflows.engine.pool import VariablePool
from workflows.engine.state import RunState
from workflows.nodes import NODES


def file(**parts: Any) -> dict[str, Any]:
    """A file as it travels through a pool."""
    whole = {"dify_model_identity": "__dify__file__", "type": "document", "transfer_method": "local_file"}
    return {**whole, "filename": "a.txt", "extension": ".txt", "mime_type": "text/plain", "size": 10, **parts}


def pool_of(values: Mapping[str, Any], **kinds: str) -> VariablePool:
    """A pool with ``values`` of the conversation, ``kinds`` their declared types."""
    pool = VariablePool({"conversation": values})
    for name, kind in kinds.items():
        pool.declare("conversation", name, kind)
    return pool


async def done(kind: str, data: Mapping[str, Any], pool: VariablePool) -> Done:
    """The end of a node of the type ``kind`` with the raw ``data``."""
    node = NODES.get(kind)
    ctx: NodeContext[Any] = NodeContext("n", msgspec.convert(data, node.schema, strict=False), pool, scripted(), RunState())
    (end,) = [output async for output in node().run(ctx)]
    assert isinstance(end, Done)
    return end
