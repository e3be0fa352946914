"""iteration-start: where each round of an iteration begins."""

from __future__ import annotations

import msgspec

from workflows.engine.node import Done, Node, NodeContext, NodeStream


class IterationStartData(msgspec.Struct, frozen=True):
    pass


class IterationStartNode(Node[IterationStartData]):
    schema = IterationStartData
    entry = True

    async def run(self, ctx: NodeContext[IterationStartData]) -> NodeStream:
        yield Done()
