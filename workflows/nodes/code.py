"""code: a function ``main`` in Python or JavaScript, run in the sandbox over variables."""

from __future__ import annotations

from typing import Any

import msgspec

from workflows.engine.code_result import Checker, Output
from workflows.engine.node import Done, Node, NodeContext, NodeStream
from workflows.engine.pool import VariablePool

FILES = "array[file]"


class Variable(msgspec.Struct, frozen=True):
    """``main`` gets the value under the name ``variable``."""

    variable: str
    value_selector: tuple[str, ...] | None = ()
    value_type: str | None = None


class CodeData(msgspec.Struct, frozen=True):
    code: str = ""
    code_language: str = "python3"
    variables: list[Variable] | None = None
    outputs: dict[str, Output] | None = None


class CodeNode(Node[CodeData]):
    schema = CodeData
    retries = True

    async def run(self, ctx: NodeContext[CodeData]) -> NodeStream:
        data = ctx.data
        inputs = {each.variable: _value(ctx.pool, each) for each in data.variables or []}
        result = await ctx.ports.sandbox.run_code(data.code_language, data.code, inputs)
        yield Done(outputs=Checker(ctx.ports.code_limits).outputs(result, data.outputs or {}), inputs=inputs)


def _value(pool: VariablePool, variable: Variable) -> Any:
    """A variable that does not exist is null, and so is an empty list of files."""
    selector = variable.value_selector or ()
    value = pool.get(selector)
    if value == [] and (variable.value_type == FILES or (len(selector) == 2 and pool.kind(*selector) == FILES)):
        return None
    return value
