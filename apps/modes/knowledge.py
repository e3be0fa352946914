"""The step before the model call of apps with knowledge: passages that speak of the question go into the prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from apps.config import AppConfig
from workflows.engine import template
from workflows.engine.graph import NodeSpec
from workflows.engine.pool import INPUTS
from workflows.nodes.knowledge_retrieval import KnowledgeRetrievalData

NODE: Final = "knowledge"
RESULT: Final = (NODE, "result")
QUERY: Final = ("sys", "query")


def step(config: AppConfig, inputs: Mapping[str, Any], *, conversation: bool) -> NodeSpec | None:
    """None for an app without datasets. Generators may be asked by one of their inputs instead of the query."""
    ids = config.dataset_ids
    if not ids:
        return None
    chosen = config.dataset_configs
    variable = "" if conversation else config.dataset_query_variable
    model = config.model.model_dump(mode="json", include={"provider", "name", "mode", "completion_params"})
    data = KnowledgeRetrievalData(
        query_variable_selector=(INPUTS, variable) if variable in inputs else QUERY,
        dataset_ids=ids,
        retrieval_mode="single" if chosen.retrieval_model == "single" else "multiple",
        multiple_retrieval_config=chosen.retrieval,
        single_retrieval_config={"model": model},
        metadata_filtering_mode=chosen.metadata_filtering_mode,
        metadata_model_config=chosen.metadata_model_config or model,
        metadata_filtering_conditions=_conditions(chosen.metadata_filtering_conditions, inputs),
    )
    return NodeSpec(NODE, "knowledge-retrieval", "Knowledge", data)


def _conditions(given: Mapping[str, Any] | None, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """Values of conditions may name inputs, as prompts do."""
    if not given:
        return None
    rows = given.get("conditions") or ()
    return {**given, "conditions": [_filled(row, inputs) for row in rows]}


def _filled(row: Any, inputs: Mapping[str, Any]) -> Any:
    value = row.get("value") if isinstance(row, Mapping) else None
    return {**row, "value": template.fill(value, inputs, {})} if isinstance(value, str) else row
