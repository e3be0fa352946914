"""template-transform: a Jinja2 template filled with variables."""

from __future__ import annotations

import msgspec

from workflows.engine import jinja
from workflows.engine.node import Done, Node, NodeContext, NodeStream


class Variable(msgspec.Struct, frozen=True):
    variable: str
    value_selector: tuple[str, ...] | None = ()


class TemplateTransformData(msgspec.Struct, frozen=True):
    template: str = ""
    variables: list[Variable] | None = None


class TemplateTransformNode(Node[TemplateTransformData]):
    schema = TemplateTransformData

    async def run(self, ctx: NodeContext[TemplateTransformData]) -> NodeStream:
        """A variable that does not exist is None to the template."""
        values = {each.variable: ctx.pool.get(each.value_selector or ()) for each in ctx.data.variables or []}
        text = await jinja.render(ctx.ports.sandbox, ctx.data.template, values, field="template")
        yield Done(outputs={"output": text}, inputs=values)
