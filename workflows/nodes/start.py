"""start: the run's inputs become the node's outputs."""

from __future__ import annotations

from typing import Any

import msgspec

from workflows.engine.node import Done, Node, NodeContext, NodeStream
from workflows.engine.pool import INPUTS


class StartData(msgspec.Struct, frozen=True):
    """``variables`` describes the input form; inputs are checked before a run begins."""

    variables: list[dict[str, Any]] = []


class StartNode(Node[StartData]):
    schema = StartData
    entry = True

    async def run(self, ctx: NodeContext[StartData]) -> NodeStream:
        inputs = dict(ctx.pool.scope(INPUTS))
        yield Done(outputs=inputs, inputs=inputs)
