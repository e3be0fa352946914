"""loop-end: the round in which it runs is the loop's last."""

from __future__ import annotations

import msgspec

from workflows.engine.node import Done, Node, NodeContext, NodeStream


class LoopEndData(msgspec.Struct, frozen=True):
    pass


class LoopEndNode(Node[LoopEndData]):
    schema = LoopEndData
    breaks = True

    async def run(self, ctx: NodeContext[LoopEndData]) -> NodeStream:
        yield Done()
