"""end: the run's outputs under the names that the workflow gives them."""

from __future__ import annotations

import msgspec

from workflows.engine.node import Done, Node, NodeContext, NodeStream
from workflows.engine.template import Selector, Template


class Output(msgspec.Struct, frozen=True):
    variable: str
    value_selector: tuple[str, ...] | None = ()


class EndData(msgspec.Struct, frozen=True):
    outputs: list[Output] | None = None


class EndNode(Node[EndData]):
    schema = EndData

    @classmethod
    def answer(cls, data: EndData) -> Template:
        """The values that exist, one per line, stream as they come."""
        segments: list[str | Selector] = []
        for selector in (each.value_selector for each in data.outputs or []):
            if selector:
                segments += ["\n", selector] if segments else [selector]
        return Template(tuple(segments), bare=True)

    async def run(self, ctx: NodeContext[EndData]) -> NodeStream:
        """A variable that does not exist, such as one of a branch that was not taken, is null."""
        outputs = {each.variable: ctx.pool.get(each.value_selector or ()) for each in ctx.data.outputs or []}
        yield Done(outputs=outputs, inputs=outputs)
