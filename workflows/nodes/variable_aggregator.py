"""variable-aggregator: joins branches; of several variables it passes on the first that exists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from workflows.engine.node import Done, Node, NodeContext, NodeStream
from workflows.engine.pool import MISSING, VariablePool

Selectors = list[tuple[str, ...]]


class Group(msgspec.Struct, frozen=True):
    group_name: str
    variables: Selectors | None = None


class AdvancedSettings(msgspec.Struct, frozen=True):
    group_enabled: bool = False
    groups: list[Group] | None = None


class AggregatorData(msgspec.Struct, frozen=True):
    variables: Selectors | None = None
    advanced_settings: AdvancedSettings | None = None


class VariableAggregatorNode(Node[AggregatorData]):
    schema = AggregatorData

    async def run(self, ctx: NodeContext[AggregatorData]) -> NodeStream:
        settings = ctx.data.advanced_settings
        inputs: dict[str, Any] = {}
        outputs: dict[str, Any] = {}
        if settings is not None and settings.group_enabled:
            for group in settings.groups or []:
                for name, value in _first(group.variables or [], ctx.pool):
                    outputs[group.group_name] = {"output": value}
                    inputs[name] = value
        else:
            for name, value in _first(ctx.data.variables or [], ctx.pool):
                outputs["output"] = inputs[name] = value
        yield Done(outputs=outputs, inputs=inputs)


def _first(selectors: Sequence[Sequence[str]], pool: VariablePool) -> Sequence[tuple[str, Any]]:
    """Dotted name and value of the first variable that exists, a null one included; nothing when there is none."""
    for selector in selectors:
        value = pool.get(selector, MISSING)
        if value is not MISSING:
            return [(".".join(selector), value)]
    return ()
