"""end: the run's outputs under the names that the workflow gives them."""

from __future__ import annotations

import msgspec

from workflows.engine.node import Done, Node, NodeContext, NodeStream


class Output(msgspec.Struct, frozen=True):
    variable: str
    value_selector: tuple[str, ...] | None = ()


class EndData(msgspec.Struct, frozen=True):
    outputs: list[Output] | None = None


class EndNode(Node[EndData]):
    schema = EndData

    async def run(self, ctx: NodeContext[EndData]) -> NodeStream:
        """A variable that does not exist, such as one of a branch that was not taken, is null."""
        outputs = {each.variable: ctx.pool.get(each.value_selector or ()) for each in ctx.data.outputs or []}
        yield Done(outputs=outputs, inputs=outputs)
