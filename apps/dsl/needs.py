"""What an app needs of the place where it runs: node types, models, tools, strategies, datasets, and where it says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from .document import Document

CONFIG: Final = "model_config"


class Kind(StrEnum):
    NODE_TYPE = "node-type"
    MODEL = "model"
    TOOL = "tool"
    STRATEGY = "strategy"
    DATASET = "dataset"
    CREDENTIAL = "credential"
    PLUGIN = "plugin"


@dataclass(frozen=True, slots=True)
class Need:
    """``name`` is a type, a provider or an id, ``part`` what of the provider: a model, a tool, a strategy. ``family`` is the
    kind of model (``llm``, ``rerank``, ``text-embedding``) or of tool provider (``builtin``, ``api``, ``workflow``, ``mcp``).

    ``place`` is a node's id or ``model_config``, ``title`` what people call it.
    """

    kind: Kind
    name: str
    part: str = ""
    family: str = ""
    place: str = ""
    title: str = ""


def needs_of(document: Document) -> list[Need]:
    """In the order of the file, each once per place."""
    found: list[Need] = []
    if document.config is not None:
        found += _of_config(document.config)
    if document.flow is not None:
        for node in document.flow.graph.get("nodes", ()):
            found += _of_node(node)
    return list(dict.fromkeys(found))


def _of_node(node: Mapping[str, Any]) -> Iterator[Need]:
    data = node.get("data")
    kind = data.get("type") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not kind or node.get("type") == "custom-note":
        return
    at = _At(str(node.get("id")), str(data.get("title") or ""))
    yield at.need(Kind.NODE_TYPE, kind)
    if kind == "tool":
        yield from at.tool(data)
    if kind == "agent":
        yield at.need(Kind.STRATEGY, data.get("agent_strategy_provider_name"), data.get("agent_strategy_name"))
    if kind == "knowledge-retrieval":
        yield from (at.need(Kind.DATASET, name) for name in _rows(data.get("dataset_ids")))
        unused = "single_retrieval_config" if data.get("retrieval_mode") == "multiple" else "multiple_retrieval_config"
        data = {name: value for name, value in data.items() if name != unused}
    yield from at.inside(data)


def _of_config(config: Mapping[str, Any]) -> Iterator[Need]:
    at = _At(CONFIG, "")
    yield from at.inside({name: value for name, value in config.items() if name != "agent_mode"})
    agent = config.get("agent_mode")
    for tool in _rows(agent.get("tools")) if isinstance(agent, Mapping) else ():
        if isinstance(tool, Mapping) and tool.get("tool_name") and tool.get("enabled") is not False:
            yield from at.tool(tool)
    datasets = config.get("dataset_configs")
    rows = datasets.get("datasets") if isinstance(datasets, Mapping) else None
    for row in _rows(rows.get("datasets")) if isinstance(rows, Mapping) else ():
        dataset = row.get("dataset") if isinstance(row, Mapping) else None
        if isinstance(dataset, Mapping) and dataset.get("enabled") is not False:
            yield at.need(Kind.DATASET, dataset.get("id"))


@dataclass(frozen=True, slots=True)
class _At:
    place: str
    title: str

    def need(self, kind: Kind, name: Any, part: Any = "", family: str = "") -> Need:
        return Need(kind, str(name or ""), str(part or ""), family, self.place, self.title)

    def tool(self, data: Mapping[str, Any]) -> Iterator[Need]:
        family = str(data.get("provider_type") or data.get("type") or "builtin")
        provider = data.get("provider_id") or data.get("provider_name")
        yield self.need(Kind.TOOL, provider, data.get("tool_name"), family)
        if data.get("credential_id"):
            yield self.need(Kind.CREDENTIAL, data["credential_id"])

    def inside(self, value: Any, family: str = "llm") -> Iterator[Need]:
        """Models, and the tools of agents, at whatever depth."""
        if isinstance(value, Mapping):
            yield from self._model(value, family)
            if _is_agents_tool(value):
                yield from self.tool({**value, "provider_id": value["provider_name"]})
            for name, item in value.items():
                yield from self.inside(item, "rerank" if name == "reranking_model" else "llm")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            for item in value:
                yield from self.inside(item)

    def _model(self, value: Mapping[str, Any], family: str) -> Iterator[Need]:
        """The ways in which files name a model."""
        for provider, model, kind in (
            ("provider", "name", family),
            ("provider", "model", str(value.get("model_type") or family)),
            ("embedding_provider_name", "embedding_model_name", "text-embedding"),
            ("reranking_provider_name", "reranking_model_name", "rerank"),
        ):
            named = isinstance(value.get(provider), str) and isinstance(value.get(model), str) and bool(value[model])
            if named and (model != "name" or "completion_params" in value or "mode" in value):
                yield self.need(Kind.MODEL, value[provider], value[model], kind)


def _is_agents_tool(value: Mapping[str, Any]) -> bool:
    return bool(value.get("provider_name") and value.get("tool_name")) and (
        value.get("enabled") is not False and value.get("type") != "tool"
    )


def _rows(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
