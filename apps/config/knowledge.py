"""The datasets that a configuration asks, chosen anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def with_datasets(config: Mapping[str, Any], chosen: Iterable[str], *, names_sources: bool) -> dict[str, Any]:
    """``config`` asking the ``chosen`` ids and no others, those included that old files list among the agent's tools."""
    asked = config.get("dataset_configs") or {}
    rows = [{"dataset": {"enabled": True, "id": one}} for one in chosen]
    made = {
        **config,
        "dataset_configs": {"retrieval_model": "multiple", **asked, "datasets": {"datasets": rows}},
        "retriever_resource": {**(config.get("retriever_resource") or {}), "enabled": names_sources},
    }
    agent = config.get("agent_mode") or {}
    if any("dataset" in tool for tool in agent.get("tools") or ()):
        made["agent_mode"] = {**agent, "tools": [tool for tool in agent["tools"] if "dataset" not in tool]}
    return made
