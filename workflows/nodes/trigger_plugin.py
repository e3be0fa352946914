"""trigger-plugin: a run begins with an event of a plug-in."""

from __future__ import annotations

from typing import Any

import msgspec

from difyproj.kernel.errors import AppUnavailable
from workflows.engine.node import Node, NodeContext, NodeStream


class TriggerPluginData(msgspec.Struct, frozen=True):
    plugin_id: str | None = ""
    provider_id: str | None = ""
    event_name: str | None = ""
    event_parameters: dict[str, Any] | None = None
    subscription_id: str | None = ""
    plugin_unique_identifier: str | None = ""


class TriggerPluginNode(Node[TriggerPluginData]):
    schema = TriggerPluginData
    entry = True

    def run(self, ctx: NodeContext[TriggerPluginData]) -> NodeStream:
        raise AppUnavailable("Triggers of plug-ins cannot fire here.")
