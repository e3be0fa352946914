"""agent: a strategy that calls models and tools until it has an answer."""

from __future__ import annotations

from typing import Any

import msgspec

from difyproj.kernel.errors import AppUnavailable
from workflows.engine.node import Node, NodeContext, NodeStream


class AgentParameter(msgspec.Struct, frozen=True):
    type: str = "constant"
    value: Any = None


class AgentData(msgspec.Struct, frozen=True):
    agent_strategy_provider_name: str = ""
    agent_strategy_name: str = ""
    agent_strategy_label: str | None = ""
    agent_parameters: dict[str, AgentParameter] | None = None
    memory: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None


class AgentNode(Node[AgentData]):
    schema = AgentData

    def run(self, ctx: NodeContext[AgentData]) -> NodeStream:
        raise AppUnavailable("Agent nodes cannot run yet.")
