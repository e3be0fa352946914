"""The try-out apps that are graphs: a chatflow and a workflow, drawn, published and put on another model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from apps.models import App
from workflows.models import Workflow
from workflows.services import drafts, graphs, versions

CHATFLOW_FEATURES: Final[Mapping[str, Any]] = {
    "opening_statement": "Hello! Every answer of mine goes through a graph of nodes.",
    "suggested_questions": ["Which nodes answered me?"],
    "suggested_questions_after_answer": {"enabled": False},
    "retriever_resource": {"enabled": True},
}
TOPIC: Final = {"variable": "topic", "label": "Topic", "type": "paragraph", "required": True, "max_length": 2000, "options": []}
TONES: Final = ["friendly", "formal"]
TONE: Final = {"variable": "tone", "label": "Tone", "type": "select", "required": False, "options": TONES, "default": TONES[0]}


def draw(app: App, *, provider: str, model: str, by: UUID | None) -> Workflow:
    """Give a new app of a graph's mode its demo graph, and publish it."""
    graph, features = _chatflow(app.mode, provider, model) if app.mode == "advanced-chat" else _workflow(provider, model)
    drafts.save(app, by=by, given_hash=None, graph=graph, features=features)
    return versions.publish(app, by=by, marked_name="Demo")


def put_on(app: App, *, provider: str, model: str) -> None:
    """Have the app's language models be this one from now on; what runs on it already stays as it is."""
    draft = drafts.get(app)
    chosen = [_on(node, provider, model) for node in draft.graph["nodes"]]
    if chosen != draft.graph["nodes"]:
        drafts.save(app, by=None, given_hash=None, graph={**draft.graph, "nodes": chosen})
        versions.publish(app, by=None, marked_name="Demo")


def _on(node: dict[str, Any], provider: str, model: str) -> dict[str, Any]:
    data = node.get("data", {})
    if data.get("type") != "llm":
        return node
    return {**node, "data": {**data, "model": {**data.get("model", {}), "provider": provider, "name": model}}}


def _chatflow(mode: str, provider: str, model: str) -> tuple[dict[str, Any], Mapping[str, Any]]:
    return graphs.first(mode, {"provider": provider, "name": model}), CHATFLOW_FEATURES


def _workflow(provider: str, model: str) -> tuple[dict[str, Any], Mapping[str, Any]]:
    told = "Write a short text about the following. Tone: {{#start.tone#}}.\n\n{{#start.topic#}}"
    llm = {
        "type": "llm",
        "title": "Write",
        "model": {"provider": provider, "name": model, "mode": "chat", "completion_params": {}},
        "prompt_template": [{"role": "user", "text": told}],
        "context": {"enabled": False, "variable_selector": []},
        "vision": {"enabled": False},
    }
    output = {"variable": "text", "value_selector": ["llm", "text"], "value_type": "string"}
    return (
        graphs.drawn(
            [
                ("start", {"type": "start", "title": "Start", "variables": [TOPIC, TONE]}),
                ("llm", llm),
                ("end", {"type": "end", "title": "End", "outputs": [output]}),
            ]
        ),
        {},
    )
