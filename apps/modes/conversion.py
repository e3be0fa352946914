"""The configuration of a chat or completion app as the graph of a chatflow or workflow: one model call."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from apps.config import AppConfig

from .prompt_templates import starting_prompt
from .prompts import HISTORIES

TARGETS: Final[Mapping[str, str]] = {"chat": "advanced-chat", "completion": "workflow"}
SHARED_FEATURES: Final = ("text_to_speech", "file_upload", "sensitive_word_avoidance")
CHAT_FEATURES: Final = (
    "opening_statement", "suggested_questions", "suggested_questions_after_answer", "speech_to_text", "retriever_resource",
)  # fmt: skip
QUERY: Final = "{{#sys.query#}}"
_PLACE: Final = re.compile(r"\{\{([a-zA-Z_][a-zA-Z0-9_]{0,29}|#query#)\}\}")

Node = dict[str, Any]


def features(config: AppConfig, *, conversation: bool) -> dict[str, Any]:
    """What the app offers beside its answers."""
    whole = config.model_dump(mode="json")
    return {name: whole[name] for name in (*SHARED_FEATURES, *(CHAT_FEATURES if conversation else ()))}


def graph(config: AppConfig, *, conversation: bool) -> dict[str, Any]:
    """The author's graph, as editors draw it; ``conversation`` for apps whose questions continue one another."""
    found = _datasets(config)
    nodes = [_start(config)]
    if found:
        nodes.append(_knowledge(config, found, conversation=conversation))
    nodes += [_llm(config, bool(found), conversation=conversation), _end(conversation=conversation)]
    placed = [{**node, "position": {"x": 80 + 304 * at, "y": 282}} for at, node in enumerate(nodes)]
    edges = [_edge(one, other) for one, other in pairwise(nodes)]
    return {"nodes": placed, "edges": edges, "viewport": {"x": 0, "y": 0, "zoom": 1}}


def _node(name: str, kind: str, title: str, **data: Any) -> Node:
    own = {"type": kind, "title": title, "desc": "", **data}
    return {"id": name, "type": "custom", "data": own, "sourcePosition": "right", "targetPosition": "left"}


def _edge(one: Node, other: Node) -> dict[str, Any]:
    data = {"sourceType": one["data"]["type"], "targetType": other["data"]["type"]}
    ends = {"source": one["id"], "sourceHandle": "source", "target": other["id"], "targetHandle": "target"}
    return {"id": f"{one['id']}-{other['id']}", "type": "custom", "data": data, **ends}


def _start(config: AppConfig) -> Node:
    fields = [{"type": field.control, **field.model_dump(mode="json", exclude={"control"})} for field in config.user_input_form]
    return _node("start", "start", "Start", variables=fields)


def _datasets(config: AppConfig) -> list[str]:
    rows = [row.get("dataset") for row in config.dataset_configs.datasets.datasets]
    return [str(row["id"]) for row in rows if isinstance(row, Mapping) and row.get("id") and row.get("enabled", True)]


def _knowledge(config: AppConfig, found: Sequence[str], *, conversation: bool) -> Node:
    asked, rules = config.dataset_configs, config.dataset_configs.model_extra or {}
    threshold = asked.score_threshold if asked.score_threshold_enabled else None
    many = {"top_k": asked.top_k or 4, "score_threshold": threshold, "reranking_model": rules.get("reranking_model")}
    model = config.model.model_dump(mode="json", include={"provider", "name", "mode", "completion_params"})
    is_single = asked.retrieval_model == "single"
    return _node(
        "knowledge-retrieval", "knowledge-retrieval", "Knowledge Retrieval",
        query_variable_selector=["sys", "query"] if conversation else ["start", config.dataset_query_variable or "query"],
        dataset_ids=list(found),
        retrieval_mode="single" if is_single else "multiple",
        multiple_retrieval_config=None if is_single else many,
        single_retrieval_config={"model": model} if is_single else None,
    )  # fmt: skip


def _llm(config: AppConfig, has_context: bool, *, conversation: bool) -> Node:
    prompt, memory = _prompt(config, has_context, conversation=conversation)
    model = config.model.model_dump(mode="json", include={"provider", "name", "mode", "completion_params"})
    seen = {"variable_selector": ["sys", "files"], "detail": config.file_upload.image.detail}
    return _node(
        "llm", "llm", "LLM",
        model=model,
        prompt_template=prompt,
        memory=memory,
        context={"enabled": has_context, "variable_selector": ["knowledge-retrieval", "result"] if has_context else []},
        vision={"enabled": config.file_upload.takes_files, "configs": seen},
    )  # fmt: skip


def _prompt(config: AppConfig, has_context: bool, *, conversation: bool) -> tuple[Any, dict[str, Any] | None]:
    """(the prompt as the model's node has it, its memory)."""
    texts, given = config.model.mode == "completion", config.model_dump(mode="json")
    if config.prompt_type == "simple":
        has_place = "{{#context#}}" in config.pre_prompt
        given = starting_prompt(conversation=conversation, texts=texts, context=has_context and not has_place)
    memory: dict[str, Any] = {"window": {"enabled": False}}
    if texts:
        asked = given["completion_prompt_config"]
        text, roles = asked["prompt"]["text"], asked.get("conversation_histories_role") or {}
        memory["role_prefix"] = {"user": roles.get("user_prefix", ""), "assistant": roles.get("assistant_prefix", "")}
        return {"text": _written(config, text, conversation)}, memory if conversation and HISTORIES in text else None
    rows = [{"role": row["role"], "text": row["text"].replace(HISTORIES, "")} for row in given["chat_prompt_config"]["prompt"]]
    if conversation and rows and rows[-1]["role"] == "user" and "{{#query#}}" in rows[-1]["text"]:
        # What the app asks with is what its node asks with, after the conversation.
        memory["query_prompt_template"] = _written(config, rows.pop()["text"], conversation)
    made = [{**row, "text": _written(config, row["text"], conversation)} for row in rows]
    return made, memory if conversation else None


def _written(config: AppConfig, text: str, conversation: bool) -> str:
    """The text with references of graphs; places that name nothing stay as they are."""
    known = {field.variable for field in config.user_input_form}
    query = QUERY if conversation else "{{#start.query#}}" if "query" in known else ""

    def place(found: re.Match[str]) -> str:
        if found[1] == "#query#":
            return query
        return f"{{{{#start.{found[1]}#}}}}" if found[1] in known else found[0]

    return _PLACE.sub(place, text.replace("{{#pre_prompt#}}", config.pre_prompt))


def _end(*, conversation: bool) -> Node:
    if conversation:
        return _node("answer", "answer", "Answer", answer="{{#llm.text#}}")
    return _node(
        "end", "end", "End", outputs=[{"variable": "result", "value_selector": ["llm", "text"], "value_type": "string"}]
    )
