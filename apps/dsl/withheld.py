"""What an export keeps back: secrets unless they are asked for, and always what leads back into this workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from .document import Document

SECRET: Final = "secret"  # noqa: S105 - the name of a type
_EMPTIED: Final[Mapping[str, tuple[str, ...]]] = {
    "trigger-webhook": ("webhook_url", "webhook_debug_url"),
    "trigger-plugin": ("subscription_id",),
}
_CREDENTIAL: Final = "credential_id"
Change = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def without_secrets(document: Document) -> Document:
    """Without the values of secret variables and without the ids of credentials."""
    flow, config = document.flow, document.config
    if flow is not None:
        hidden = [{**row, "value": ""} if row.get("value_type") == SECRET else row for row in flow.environment_variables]
        flow = replace(flow, environment_variables=hidden, graph=_each_data(flow.graph, _without_credentials))
    agent = config.get("agent_mode") if config is not None else None
    if config is not None and isinstance(agent, Mapping) and "tools" in agent:
        config = {**config, "agent_mode": {**agent, "tools": _of_tools(agent["tools"])}}
    return replace(document, flow=flow, config=config)


def without_addresses(document: Document) -> Document:
    """Without the addresses at which this workspace's triggers listen."""
    flow = document.flow
    return document if flow is None else replace(document, flow=replace(flow, graph=_each_data(flow.graph, _deaf)))


def _each_data(graph: Mapping[str, Any], change: Change) -> Mapping[str, Any]:
    nodes = graph.get("nodes", ())
    return {
        **graph,
        "nodes": [{**node, "data": change(node["data"])} if isinstance(node.get("data"), Mapping) else node for node in nodes],
    }


def _without_credentials(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Tools name theirs themselves, agents in the list of their tools; what other nodes call so is theirs."""
    if data.get("type") == "tool":
        return _without(data)
    parameters = data.get("agent_parameters")
    if data.get("type") == "agent" and isinstance(parameters, Mapping):
        return {**data, "agent_parameters": {name: _of_parameter(value) for name, value in parameters.items()}}
    return data


def _of_parameter(parameter: Any) -> Any:
    tools = parameter.get("value") if isinstance(parameter, Mapping) else None
    return {**parameter, "value": _of_tools(tools)} if isinstance(tools, list) else parameter


def _of_tools(tools: Any) -> Any:
    return [_without(tool) if isinstance(tool, Mapping) else tool for tool in tools] if isinstance(tools, list) else tools


def _without(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in row.items() if name != _CREDENTIAL}


def _deaf(data: Mapping[str, Any]) -> Mapping[str, Any]:
    names = _EMPTIED.get(str(data.get("type")), ())
    return {**data, **{name: "" for name in names if name in data}}
