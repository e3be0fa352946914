"""loop-start: where each round of a loop begins."""

from __future__ import annotations

import msgspec

from workflows.engine.node import Done, Node, NodeContext, NodeStream


class LoopStartData(msgspec.Struct, frozen=True):
    pass


class LoopStartNode(Node[LoopStartData]):
    schema = LoopStartData
    entry = True

    async def run(self, ctx: NodeContext[LoopStartData]) -> NodeStream:
        yield Done()
