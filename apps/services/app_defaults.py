"""What a new app starts with: a configuration that runs as soon as the workspace has a default model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from accounts.services import model_access
from difyproj.model_runtime.base import ModelType

_COMPLETION: Final[Mapping[str, Any]] = {
    "pre_prompt": "{{query}}",
    "user_input_form": [{"paragraph": {"label": "Query", "variable": "query", "required": True, "default": ""}}],
}
# Their configuration is a graph, not a model and a prompt.
GRAPH_MODES: Final = frozenset({"advanced-chat", "workflow"})


def config(tenant_id: UUID, mode: str) -> dict[str, Any]:
    """The first configuration of an app of this mode, on the workspace's default model where there is one."""
    if mode in GRAPH_MODES:
        return {}
    made = dict(_COMPLETION) if mode == "completion" else {}
    default = model_access.default_model(tenant_id, ModelType.LLM)
    if default is not None:
        made["model"] = {"provider": default.provider, "name": default.model, "mode": "chat", "completion_params": {}}
    return made
